/** What the driver and a contender's process say to each other, over Node's IPC. Pixels and embeddings go by files: timing sees none of them. */

/** pixel_values f32 [n,3,S,S] in a file of raw floats. */
export interface RunAsk {
  readonly kind: "run";
  readonly pixels: string;
  readonly images: number;
  /** Where to write image_embeds f32 [n,P,D], raw; nothing is written unless given. */
  readonly output?: string;
}

export type Ask<Options> = { readonly kind: "load"; readonly options: Options } | RunAsk;

export type Answer =
  | {
      readonly kind: "done";
      readonly ms: number;
      readonly peakBytes: number;
      readonly about: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: "failed"; readonly why: string };
