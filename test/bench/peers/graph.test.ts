/** The bytes of the peers' graph, read back: protobuf's wire format by its own rules, and the graph as a runtime resolves it. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withSafetensors } from "#dist/entry/node/safetensors-file.js";
import { elements } from "#dist/tensor.js";
import { janusGraph, type StoredTensors } from "../../../bench/peers/graph.js";
import { embedded, float, integer, integers, type Message, text } from "../../../bench/peers/protobuf.js";
import { golden } from "../../support/paths.js";

const test = suite("graph");
const TOWER = "vision_model.vision_tower.";

interface Field {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

async function bytesOf(message: Message): Promise<Uint8Array> {
  const pieces = [];
  for (const piece of message) pieces.push(piece instanceof Uint8Array ? piece : await piece.read());
  return new Uint8Array(Buffer.concat(pieces));
}

/** The fields of a message; those of 32 bits as bytes. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(bytes[at++]!);
      value |= (byte & 127n) << shift;
      if (byte < 128n) return value;
    }
  };
  const take = (length: number): Uint8Array => {
    assert.ok(at + length <= bytes.length, "a field lies within its message");
    at += length;
    return bytes.slice(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const value = { 0: varint, 2: () => take(Number(varint())), 5: () => take(4) }[tag & 7];
    assert.ok(value, `wire type ${tag & 7}`);
    fields.push({ number: tag >> 3, value: value!() });
  }
  return fields;
}

const messages = (fields: readonly Field[], number: number): Uint8Array[] =>
  fields.filter((field) => field.number === number).map(({ value }) => value as Uint8Array);
const texts = (fields: readonly Field[], number: number): string[] =>
  messages(fields, number).map((bytes) => new TextDecoder().decode(bytes));

test("fields as protobuf's encoding guide has them", async () => {
  const hex = async (message: Message): Promise<string> => Buffer.from(await bytesOf(message)).toString("hex");
  assert.is(await hex(integer(1, 150)), "089601");
  assert.is(await hex(text(2, "testing")), "120774657374696e67");
  assert.is(await hex(embedded(3, integer(1, 150))), "1a03089601");
  assert.is(await hex(integers(6, [3, 270, 86942])), "3206038e029ea705");
  assert.is(await hex(integer(3, -1)), "18ffffffffffffffffff01");
  assert.is(await hex(float(2, 1)), "150000803f");
});

test("the graph of a checkpoint: everything that a node takes is there before it, weights as [in, out]", async () => {
  await withSafetensors(golden("checkpoints/tiny-orig-safetensors/model.safetensors"), undefined, async (file) => {
    const stored: StoredTensors = {
      shape: (name) => file.tensors.get(name)?.shape,
      read: async (name) => {
        const entry = file.tensors.get(name)!;
        return Float32Array.from(await file.readFloats(entry, 0, elements(entry.shape)));
      },
    };
    const [width = 0, , patch = 0] = stored.shape(`${TOWER}patch_embed.proj.weight`)!;
    const tokens = stored.shape(`${TOWER}pos_embed`)![1]!;
    const imageSize = Math.sqrt(tokens) * patch;
    const fields = fieldsOf(await bytesOf(janusGraph(stored, { imageSize, heads: 2 })));
    const graph = fieldsOf(messages(fields, 7)[0]!);

    const constants = new Map(
      messages(graph, 5).map((bytes) => {
        const tensor = fieldsOf(bytes);
        const dims = [...(messages(tensor, 1)[0] ?? [])];
        return [texts(tensor, 8)[0]!, { dims, data: messages(tensor, 9)[0]! }] as const;
      }),
    );
    const nodes = messages(graph, 1).map(fieldsOf);
    const known = new Set([...constants.keys(), ...messages(graph, 11).map((bytes) => texts(fieldsOf(bytes), 1)[0])]);
    assert.ok(known.has("pixel_values"));
    for (const node of nodes) {
      for (const name of texts(node, 1)) assert.ok(known.has(name), `${texts(node, 4)} takes ${name}`);
      for (const name of texts(node, 2)) {
        assert.not.ok(known.has(name), `${name} is made once`);
        known.add(name);
      }
    }
    assert.equal(
      messages(graph, 12).map((bytes) => texts(fieldsOf(bytes), 1)[0]),
      ["image_embeds"],
    );
    assert.ok(known.has("image_embeds"));

    const blocks = [...file.tensors.keys()].filter((name) => /blocks\.\d+\.norm1\.weight$/.test(name)).length;
    const count = (op: string): number => nodes.filter((node) => texts(node, 4)[0] === op).length;
    assert.ok(blocks > 0);
    assert.is(count("LayerNormalization"), 2 * blocks + 1);
    assert.is(count("MatMul"), 6 * blocks + 2);
    assert.is(count("Erf"), blocks + 1);
    assert.is(count("Softmax"), blocks);

    const name = `${TOWER}blocks.0.attn.qkv.weight`;
    const constant = constants.get(name)!;
    const weight = await stored.read(name);
    const data = new Float32Array(constant.data.buffer);
    assert.is(data.length, 3 * width * width);
    for (let n = 0; n < 3 * width; n++)
      for (let k = 0; k < width; k++) assert.ok(data[k * 3 * width + n] === weight[n * width + k], `[${n},${k}]`);
  });
});

test("a checkpoint of another layout is refused by the name that it lacks", () => {
  const empty: StoredTensors = { shape: () => undefined, read: async () => new Float32Array(0) };
  assert.throws(() => janusGraph(empty, { imageSize: 384, heads: 16 }), /patch_embed\.proj\.weight/);
});

test.run();
