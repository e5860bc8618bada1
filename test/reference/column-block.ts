/** Where element (r, c) of a matrix of `rows` rows stands in column blocks. */
export function blockIndex(rows: number, r: number, c: number): number {
  return (Math.floor(c / 256) * rows + r) * 256 + (c % 256);
}

/** A matrix [rows, columns] in column blocks, NaN beyond its columns. */
export function blocked(plain: ArrayLike<number>, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const blocks = new Float32Array(rows * 256 * Math.ceil(columns / 256)).fill(Number.NaN);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) blocks[blockIndex(rows, r, c)] = plain[r * columns + c]!;
  return blocks;
}

/** The other way. */
export function unblocked(blocks: ArrayLike<number>, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const plain = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) plain[r * columns + c] = blocks[blockIndex(rows, r, c)]!;
  return plain;
}
