// The files of a checkpoint, for what the page itself reads of them: the words of the tokenizer, and the small language model.

/** @typedef {string | Map<string, File>} Model a URL, relative to the page too, a hub id, or the files of a folder by their paths below it */

export const HUB = "https://huggingface.co";

/**
 * Where a file of a model lies: a URL, or the file; undefined for a folder that does not have it.
 *
 * @param {Model} model
 * @param {string} name
 */
export function locate(model, name) {
  if (typeof model !== "string") return model.get(name);
  const id = /^([\w.-]+\/[\w.-]+)(?:@(.+))?$/.exec(model);
  if (id && !/^\.{0,2}\//.test(model)) return `${HUB}/${id[1]}/resolve/${encodeURIComponent(id[2] ?? "main")}/${name}`;
  return new URL(name, new URL(model.endsWith("/") ? model : `${model}/`, document.baseURI)).href;
}

/**
 * @param {Model} model
 * @param {string} name
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} undefined where it is not there
 */
export async function readJson(model, name, signal) {
  const place = locate(model, name);
  if (place instanceof File) return JSON.parse(await place.text());
  if (place === undefined) return undefined;
  const response = await fetch(place, signal ? { signal } : {});
  return response.ok ? response.json() : undefined;
}

/**
 * The files of a folder that was dropped, by their paths below it.
 *
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<Map<string, File>>}
 */
export async function filesOf(folder) {
  /** @type {Map<string, File>} */
  const files = new Map();
  const visit = async (/** @type {FileSystemDirectoryEntry} */ directory, /** @type {string} */ prefix) => {
    const reader = directory.createReader();
    // A reader gives a hundred entries at a time, and none at the end.
    for (;;) {
      const entries = await new Promise((/** @type {(entries: FileSystemEntry[]) => void} */ resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (entries.length === 0) return;
      for (const entry of entries) {
        const path = `${prefix}${entry.name}`;
        if (entry.isDirectory) await visit(/** @type {FileSystemDirectoryEntry} */ (entry), `${path}/`);
        else
          files.set(
            path,
            await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject)),
          );
      }
    }
  };
  await visit(folder, "");
  return files;
}

/**
 * The files that a folder picker gave, by their paths below the folder.
 *
 * @param {Iterable<File>} files
 */
export function filesPicked(files) {
  return new Map([...files].map((file) => [file.webkitRelativePath.replace(/^[^/]*\//, "") || file.name, file]));
}
