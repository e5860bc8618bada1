import { EncodedFile } from "./encoded-file.js";
import { type FloatMatrix, floatChunks } from "./float-chunks.js";

/** Magic, version, length and header: a multiple of 64, and room for any two dimensions. NumPy's own writer takes as much. */
const HEADER_BYTES = 128;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** A matrix as the bytes of a .npy file (format 1.0, '<f4', row-major), the same bytes that `numpy.save` writes. */
export function encodeNpy({ dims, parts }: FloatMatrix): EncodedFile {
  const header = new Uint8Array(HEADER_BYTES).fill(0x20);
  const length = HEADER_BYTES - MAGIC.length - 4;
  header.set([...MAGIC, 1, 0, length & 0xff, length >> 8]);
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(", ")}), }`;
  header.set(new TextEncoder().encode(text), HEADER_BYTES - length);
  header[HEADER_BYTES - 1] = 0x0a;
  const bytes = HEADER_BYTES + 4 * dims[0] * dims[1];
  return new EncodedFile(bytes, function* () {
    yield header;
    yield* floatChunks(parts, "fp32");
  });
}
