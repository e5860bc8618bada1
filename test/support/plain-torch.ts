/** A tensor of a torch.save file as a lax reader sees it. */
export interface PlainTensor {
  readonly shape: number[];
  readonly strides: number[];
  readonly offset: number;
  readonly storage: string;
  readonly data: Uint8Array;
}

type Value = string | number | boolean | null | Value[] | Map<string, Value> | { call: string; args: Value };

/**
 * Reads an honest torch.save file of a dict of tensors without the code under test: trusts everything, knows the opcodes that torch
 * writes, and gathers element by element. A tensor alone gets the name "".
 *
 * @param width bytes of an element.
 */
export function plainTorch(file: Uint8Array, width = 2): Map<string, PlainTensor> {
  const entries = plainZip(file);
  const pickle = [...entries].find(([name]) => name.endsWith("/data.pkl"))!;
  const root = pickle[0].slice(0, -"data.pkl".length);
  const tensors = new Map<string, PlainTensor>();
  const saved = plainPickle(pickle[1]);
  for (const [name, value] of saved instanceof Map ? saved : new Map([["", saved]])) {
    const [storage, offset, shape, strides] = (value as { args: Value[] }).args as [
      Value[],
      number,
      number[],
      number[],
    ];
    const bytes = entries.get(`${root}data/${storage[2] as string}`)!;
    const data: number[] = [];
    const walk = (axis: number, at: number): void => {
      if (axis === shape.length) data.push(...bytes.subarray(width * at, width * (at + 1)));
      else for (let i = 0; i < shape[axis]!; i++) walk(axis + 1, at + i * strides[axis]!);
    };
    walk(0, offset);
    tensors.set(name, { shape, strides, offset, storage: storage[2] as string, data: Uint8Array.from(data) });
  }
  return tensors;
}

/** The members of an honest archive by name, in the order of its directory. */
export function plainZip(file: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const entries = new Map<string, Uint8Array>();
  let at = view.getUint32(file.length - 6, true);
  for (let count = view.getUint16(file.length - 12, true); count > 0; count--) {
    const nameLength = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(file.subarray(at + 46, at + 46 + nameLength));
    const header = view.getUint32(at + 42, true);
    const begin = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    entries.set(name, file.subarray(begin, begin + view.getUint32(at + 24, true)));
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

function plainPickle(bytes: Uint8Array): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const stack: Value[] = [];
  const marks: number[] = [];
  const memo = new Map<number, Value>();
  let at = 2;
  const word = (bytes: 2 | 4): number => {
    at += bytes;
    return bytes === 2 ? view.getUint16(at - 2, true) : view.getUint32(at - 4, true);
  };
  const line = (): string => {
    const end = bytes.indexOf(10, at);
    const text = new TextDecoder().decode(bytes.subarray(at, end));
    at = end + 1;
    return text;
  };
  for (;;) {
    const opcode = String.fromCharCode(bytes[at++]!);
    if (opcode === ".") return stack[0]!;
    if (opcode === "(") marks.push(stack.length);
    else if (opcode === "}") stack.push(new Map());
    else if (opcode === ")") stack.push([]);
    else if (opcode === "t") stack.push(stack.splice(marks.pop()!));
    else if (opcode === "\x85") stack.push([stack.pop()!]);
    else if (opcode === "\x86") stack.push(stack.splice(-2));
    else if (opcode === "\x87") stack.push(stack.splice(-3));
    else if (opcode === "\x89") stack.push(false);
    else if (opcode === "K") stack.push(bytes[at++]!);
    else if (opcode === "M") stack.push(word(2));
    else if (opcode === "J") stack.push(word(4) | 0);
    else if (opcode === "q") memo.set(bytes[at++]!, stack.at(-1)!);
    else if (opcode === "r") memo.set(word(4), stack.at(-1)!);
    else if (opcode === "h") stack.push(memo.get(bytes[at++]!)!);
    else if (opcode === "j") stack.push(memo.get(word(4))!);
    else if (opcode === "c") stack.push(`${line()}.${line()}`);
    else if (opcode === "Q") continue;
    else if (opcode === "R") stack.push({ args: stack.pop()!, call: stack.pop() as string });
    else if (opcode === "X") {
      const length = word(4);
      at += length;
      stack.push(new TextDecoder().decode(bytes.subarray(at - length, at)));
    } else if (opcode === "u") {
      const items = stack.splice(marks.pop()!);
      const dict = stack.at(-1) as Map<string, Value>;
      for (let i = 0; i < items.length; i += 2) dict.set(items[i] as string, items[i + 1]!);
    } else throw new Error(`opcode ${opcode.charCodeAt(0)}`);
  }
}
