import { JanusError } from "../../errors.js";
import { ROOT_FOLDER } from "./opfs-store.js";

/** What the browser grants to this origin, by the names of `navigator.storage`. */
export interface StorageStatus extends StorageEstimate {
  /** False: the browser may remove what is kept when the disk gets full. */
  readonly persisted: boolean;
}

/**
 * `navigator.storage.estimate()` and `persisted()`: bytes that this origin uses, bytes that it may use, and whether they stay. What a browser does not have, Safari
 * before 17 estimates, is left out. Estimates are rough on purpose.
 */
export async function storageStatus(): Promise<StorageStatus> {
  const { storage } = navigator;
  const [estimate, persisted] = await Promise.all([storage?.estimate?.(), storage?.persisted?.()]);
  return { ...estimate, persisted: persisted ?? false };
}

/**
 * `navigator.storage.persist()`: asks that what this origin keeps is not removed when the disk gets full. Some browsers ask the person; the answer is whether it stays. Pages
 * may ask, workers may not, and are told false.
 */
export async function persistStorage(): Promise<boolean> {
  return (await navigator.storage?.persist?.()) ?? false;
}

/**
 * Removes all weights that were kept for later visits. Models that are loaded stay as they are, but for the rows of the token table, which are fetched again.
 *
 * @throws JanusError E_IO where a load in this or another tab is writing at this moment.
 */
export async function clearStoredWeights(): Promise<void> {
  try {
    const root = await navigator.storage?.getDirectory?.();
    await root?.removeEntry(ROOT_FOLDER, { recursive: true });
  } catch (cause) {
    if (cause instanceof DOMException && ["NotFoundError", "SecurityError"].includes(cause.name)) return; // There is none.
    throw new JanusError(
      "E_IO",
      "clearing the stored weights: expected nobody to write them, found a file in use; wait for the load, in whichever tab it is, and clear again",
      { cause, origin: "output" },
    );
  }
}
