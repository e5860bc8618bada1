import { JanusError, quote } from "../errors.js";
import type { Placement } from "../model/plan.js";
import { elements } from "../tensor.js";
import { CONTROL_BYTES } from "../threads/control.js";
import type { Pointer } from "../wasm/abi.js";
import { ARENA_BASE, NULL } from "../wasm/abi.js";
import { Arena, MEMORY_LIMIT } from "../wasm/memory.js";
import type { BoundTensor } from "../weights/bound-tensor.js";
import { storedRowBytes } from "../weights/bound-tensor.js";
import { dtypeBytes } from "../weights/dtype.js";
import type { PackedLayout, PackedTensor } from "../weights/packed.js";
import { rangeName, rangeRows, scalesOf, storedShape } from "../weights/packed.js";
import { Engine } from "./engine.js";
import type { Host } from "./host.js";
import type { OpenModel } from "./load.js";
import { keptDType, planMemory } from "./load.js";
import type { DTypeOption } from "./options.js";
import { chooseVariant } from "./variant.js";
import { loadWeights } from "./weights.js";

/** Tensors that lie together in a packed checkpoint: a block of the tower, or what comes before and after; rows of the token table. */
export interface PackedGroup {
  readonly name: string;
  readonly tensors: readonly PackedTensor[];
  readonly bytes: number;
}

interface Planned extends PackedGroup {
  /** Reads and packs it: the bytes of its tensors, in order, each to be used before the next is asked for. */
  readonly read: (signal?: AbortSignal) => AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** A tensor, and where packing leaves it. */
interface PlacedTensor extends PackedTensor {
  readonly at: Pointer;
}

export interface PackerOptions {
  readonly dtype: DTypeOption;
  readonly threads: number;
}

/**
 * Makes the tensors of a packed checkpoint of those of another, a group at a time, with the kernels that loading packs with: the same bytes with any engine,
 * variant and number of threads. What is held in memory is the largest group.
 */
export class Packer {
  /** What most of the packed checkpoint is in. */
  readonly dtype: string;
  readonly #groups: readonly Planned[];
  readonly #engine: Engine;

  private constructor(dtype: string, groups: readonly Planned[], engine: Engine) {
    this.dtype = dtype;
    this.#groups = groups;
    this.#engine = engine;
  }

  /** Starts the workers. E_UNSUPPORTED for a checkpoint that is packed. The caller disposes it, and closes the source. */
  static async start(host: Host, model: OpenModel, { dtype, threads }: PackerOptions): Promise<Packer> {
    const { checkpoint, bound, config } = model;
    if (checkpoint.packed !== undefined)
      throw new JanusError(
        "E_UNSUPPORTED",
        `packing ${quote(model.source.label)}: expected a checkpoint as its authors published it, found one packed in ${checkpoint.packed}; pack the original`,
        { origin: "model" },
      );
    const plan = planMemory(model, dtype, 1);
    const arena = new Arena(ARENA_BASE);
    const control = arena.take(threads > 1 ? CONTROL_BYTES : 0);
    const base = arena.end;
    const parts = groupByPart(plan.placements).map(([name, placements]) => {
      const shifted = placements.map((placement) => moved(placement, base - (placements[0]?.at ?? 0)));
      return { name, placements: shifted, tensors: shifted.flatMap((placement) => packedTensors(placement, bound)) };
    });
    const largest = Math.max(0, ...parts.map(({ tensors }) => regionEnd(tensors) - base));
    arena.take(largest);
    const { module, tiles } = await chooseVariant(host, "auto", threads);
    const engine = await Engine.start({
      module,
      threads,
      config,
      plan: {
        activations: { square: NULL },
        control,
        scratch: NULL,
        scratchBytes: 0,
        free: arena.end,
        idle: arena.end,
        limit: MEMORY_LIMIT,
      },
      tiles,
      startWorker: () => host.startWorker(),
    });
    // One buffer that goes back and forth: as many new ones would be garbage for a while.
    let room = new ArrayBuffer(Math.max(0, ...parts.flatMap(({ tensors }) => tensors.map(tensorBytes))));
    const packed = parts.map(({ name, placements, tensors }) => ({
      name,
      tensors,
      bytes: sum(tensors.map(tensorBytes)),
      async *read(signal?: AbortSignal) {
        await loadWeights(engine, checkpoint, bound, placements, () => {}, signal);
        for (const tensor of tensors) {
          const bytes = tensorBytes(tensor);
          room = await engine.takeOut(tensor.at, bytes, room, signal);
          yield new Uint8Array(room, 0, bytes);
        }
      },
    }));
    return new Packer(keptDType(plan), [...packed, ...tableGroups(model)], engine);
  }

  /** Groups in execution order, the token table last. */
  get groups(): readonly PackedGroup[] {
    return this.#groups;
  }

  /**
   * The bytes of the tensors of a group, in order, each to be used before the next is asked for. E_NUMERIC for a tensor with NaN or infinity; the token table is not
   * looked through.
   */
  read(group: PackedGroup, signal?: AbortSignal): AsyncIterable<Uint8Array<ArrayBuffer>> {
    const planned = this.#groups.find((candidate) => candidate === group);
    if (!planned) throw new JanusError("E_INTERNAL", `packing: ${group.name} is not a group of this packer`);
    return planned.read(signal);
  }

  dispose(): Promise<void> {
    return this.#engine.dispose();
  }
}

/** Placements by the part of the model they are in, in order. */
function groupByPart(placements: readonly Placement[]): [string, Placement[]][] {
  const groups = new Map<string, Placement[]>();
  for (const placement of placements) {
    const name = partOf(placement.role);
    const group = groups.get(name);
    if (group) group.push(placement);
    else groups.set(name, [placement]);
  }
  return [...groups];
}

/** `blocks.N`, or the first word of another role. */
function partOf(role: string): string {
  return /^blocks\.\d+/.exec(role)?.[0] ?? role.replace(/\..*$/, "");
}

function moved(placement: Placement, by: number): Placement {
  const at = (placement.at + by) as Pointer;
  return placement.kind === "int8"
    ? { ...placement, at, scales: (placement.scales + by) as Pointer }
    : { ...placement, at };
}

function packedTensors(placement: Placement, bound: ReadonlyMap<string, BoundTensor>): PlacedTensor[] {
  const { role, kind, at } = placement;
  const { shape, dtype } = bound.get(role)!;
  const placed = (name: string, layout: PackedLayout, dtype: string, shape: readonly number[], at: Pointer) => ({
    name,
    layout,
    dtype,
    shape,
    at,
  });
  if (kind === "int8")
    return [
      placed(role, "panels8x4", "I8", shape, at),
      placed(scalesOf(role), "vector8", "F32", shape.slice(0, 1), placement.scales),
    ];
  if (kind === "panels") return [placed(role, "panels8", placement.wide ? "F32" : dtype, shape, at)];
  return [placed(role, "vector8", "F32", shape, at)];
}

/** The token table in tensors of some rows each, as they are stored. */
function tableGroups({ checkpoint, embedTokens }: OpenModel): Planned[] {
  const [rows = 0, ...rest] = embedTokens.shape;
  const step = rangeRows(storedRowBytes(embedTokens));
  const room = new Uint8Array(Math.min(step, rows) * storedRowBytes(embedTokens));
  return Array.from({ length: Math.ceil(rows / step) }, (_, index) => {
    const first = index * step;
    const count = Math.min(step, rows - first);
    const tensor: PackedTensor = {
      name: rangeName(index),
      layout: "rows",
      dtype: embedTokens.dtype,
      shape: [count, ...rest],
    };
    return {
      name: tensor.name,
      tensors: [tensor],
      bytes: tensorBytes(tensor),
      async *read(signal?: AbortSignal) {
        const target = room.subarray(0, tensorBytes(tensor));
        await checkpoint.readRowsInto(embedTokens, first, count, target, signal);
        yield target;
      },
    };
  });
}

/** Bytes of a tensor as it is stored. */
function tensorBytes({ layout, shape, dtype }: PackedTensor): number {
  return elements(storedShape(layout, shape) ?? []) * dtypeBytes(dtype);
}

function regionEnd(tensors: readonly PlacedTensor[]): number {
  return Math.max(0, ...tensors.map((tensor) => tensor.at + tensorBytes(tensor)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
