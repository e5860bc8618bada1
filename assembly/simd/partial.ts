/**
 * Vectors of which only the first `count` f32 lanes exist in memory: nothing beyond them is read or written. A count of four or more is
 * a whole vector, zero touches nothing.
 */
export function loadPartial(source: usize, count: usize): v128 {
  if (count >= 4) return v128.load(source);
  if (count === 3) return f32x4.replace_lane(v128.load64_zero(source), 2, load<f32>(source, 8));
  if (count === 2) return v128.load64_zero(source);
  if (count === 1) return v128.load32_zero(source);
  return f32x4.splat(0);
}

export function storePartial(target: usize, value: v128, count: usize): void {
  if (count >= 4) {
    v128.store(target, value);
    return;
  }
  if (count & 2) v128.store_lane<i64>(target, value, 0);
  if (count === 3) v128.store_lane<f32>(target, value, 2, 8);
  if (count === 1) v128.store_lane<f32>(target, value, 0);
}

/** All bits set in the first `count` f32 lanes, none in the others. */
export function maskPartial(count: usize): v128 {
  return i32x4.lt_u(i32x4(0, 1, 2, 3), i32x4.splat(count as i32));
}

/** The four lanes added up, in the one order that every sum of a row ends with. */
export function addLanes(lanes: v128): f32 {
  return (
    f32x4.extract_lane(lanes, 0) +
    f32x4.extract_lane(lanes, 1) +
    (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3))
  );
}

/** The largest of the four lanes. */
export function largestLane(lanes: v128): f32 {
  const pairs = f32x4.pmax(lanes, i8x16.shuffle(lanes, lanes, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(
    f32x4.pmax(pairs, i8x16.shuffle(pairs, pairs, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)),
    0,
  );
}
