/** Numbers, of which the least is taken first: a binary heap in one array, of a size that is known before. */
export class NumberHeap {
  readonly #numbers: Float64Array;
  #count = 0;

  constructor(capacity: number) {
    this.#numbers = new Float64Array(capacity);
  }

  push(number: number): void {
    const numbers = this.#numbers;
    let at = this.#count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (numbers[parent]! <= number) break;
      numbers[at] = numbers[parent]!;
      at = parent;
    }
    numbers[at] = number;
  }

  /** Undefined when there is none. */
  pop(): number | undefined {
    if (this.#count === 0) return undefined;
    const numbers = this.#numbers;
    const least = numbers[0]!;
    const moved = numbers[--this.#count]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#count) break;
      if (child + 1 < this.#count && numbers[child + 1]! < numbers[child]!) child++;
      if (numbers[child]! >= moved) break;
      numbers[at] = numbers[child]!;
      at = child;
    }
    numbers[at] = moved;
    return least;
  }
}
