/**
 * Constants of a loop. V8 does not keep a vector constant in a register: it makes it anew at every use, two to four instructions each, half of what exp
 * and GELU were (14.3 ns a vector of GELU on Node 24, 8.0 without). A sum that no optimiser can see through is computed once before the loop and
 * kept, in a register or on the stack.
 */

/** Zero, unknown to an optimiser: a memory has at most 65536 = 2^16 pages. */
export function nothing(): i32 {
  return memory.size() >>> 17;
}

/** `value` in every lane; `zero` from `nothing()`, taken outside of the loop. */
export function kept(value: f32, zero: i32): v128 {
  return i32x4.splat(reinterpret<i32>(value) + zero);
}
