import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Pointer } from "#dist/wasm/abi.js";
import {
  ALIGNMENT,
  Arena,
  createMemory,
  ensureMemory,
  f32,
  i32,
  MEMORY_LIMIT,
  pagesFor,
  u8,
} from "#dist/wasm/memory.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("wasm/memory");

const PAGE = 65536;

test("an arena hands out aligned addresses upwards, each byte once", () => {
  const arena = new Arena(100);
  assert.is(arena.end, 128);
  const taken = [1, 64, 65, 0, 1000].map((bytes) => arena.take(bytes));
  assert.equal(taken, [128, 192, 256, 384, 384]);
  assert.is(arena.end, 384 + 1024);
  assert.is(arena.end % ALIGNMENT, 0);
});

test("an arena reaches to the last byte of 4 GiB and not beyond", () => {
  const arena = new Arena(PAGE);
  assert.is(arena.take(MEMORY_LIMIT - PAGE), PAGE);
  assert.is(arena.end, MEMORY_LIMIT);
  assert.is(arena.take(0), MEMORY_LIMIT);
  refusedNow(() => arena.take(1), "E_OOM", /4294967297 bytes needed, but a WebAssembly memory ends at 4294967296/);
  for (const bytes of [MEMORY_LIMIT, 2 ** 53, 2 ** 60, Number.POSITIVE_INFINITY, Number.NaN]) {
    const other = new Arena(PAGE);
    refusedNow(() => other.take(bytes), "E_OOM", /^planning memory: .*; use a smaller dtype, model or picture$/);
    assert.is(other.end, PAGE, "a refusal takes nothing");
  }
});

test("pages cover the bytes", () => {
  assert.equal([0, 1, PAGE, PAGE + 1, MEMORY_LIMIT].map(pagesFor), [0, 1, 1, 2, PAGE]);
});

for (const shared of [false, true]) {
  test(`a memory${shared ? " that is shared" : ""} holds what was asked, grows, keeps its content, never shrinks`, () => {
    const memory = createMemory(PAGE + 1, shared);
    assert.is(memory.buffer instanceof SharedArrayBuffer, shared);
    assert.is(memory.buffer.byteLength, 2 * PAGE);
    f32(memory, 64 as Pointer, 2).set([1.5, -2]);
    ensureMemory(memory, 2 * PAGE);
    assert.is(memory.buffer.byteLength, 2 * PAGE, "it was enough");
    ensureMemory(memory, 5 * PAGE - 7);
    assert.is(memory.buffer.byteLength, 5 * PAGE);
    assert.equal([...f32(memory, 64 as Pointer, 2)], [1.5, -2]);
    assert.ok(u8(memory, (2 * PAGE) as Pointer, 3 * PAGE).every((byte) => byte === 0));
    ensureMemory(memory, 1);
    assert.is(memory.buffer.byteLength, 5 * PAGE);
  });

  test(`more than a memory${shared ? " that is shared" : ""} can have is E_OOM in megabytes`, () => {
    refusedNow(() => createMemory(MEMORY_LIMIT + 1, shared), "E_OOM", /^allocating memory: the host refused 4295 MB/);
    const memory = createMemory(PAGE, shared);
    const error = refusedNow(() => ensureMemory(memory, MEMORY_LIMIT + 1), "E_OOM", /the host refused 4295 MB/);
    assert.ok(error.cause instanceof RangeError);
    assert.is(memory.buffer.byteLength, PAGE, "it stays as it was");
  });
}

test("a memory of somebody's with a maximum that is too small is E_OOM when it must grow", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
  ensureMemory(memory, 2 * PAGE);
  refusedNow(() => ensureMemory(memory, 2 * PAGE + 1), "E_OOM", /free memory or use a smaller model$/);
});

test("views see the same bytes", () => {
  const memory = createMemory(PAGE, false);
  const at = 128 as Pointer;
  i32(memory, at, 1)[0] = 0x3fc00000;
  assert.equal([...f32(memory, at, 1)], [1.5]);
  assert.equal([...u8(memory, at, 4)], [0, 0, 0xc0, 0x3f]);
});

test.run();
