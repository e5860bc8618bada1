import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CONTROL_BYTES, STOP, WORD } from "#dist/threads/control.js";
import { Stopped, Team } from "#dist/threads/team.js";

const test = suite("threads/team");

function control(): Int32Array {
  return new Int32Array(CONTROL_BYTES / 4);
}

function shares(total: number, grain: number, count: number): { begin: number; end: number }[] {
  return Array.from({ length: count }, (_, index) => new Team(index, count, control(), () => 0).share(total, grain));
}

test("shares cover every total once, in order, at multiples of the grain", () => {
  for (const grain of [1, 8]) {
    for (let count = 1; count <= 7; count++) {
      for (let total = 0; total <= 50; total++) {
        let at = 0;
        for (const { begin, end } of shares(total, grain, count)) {
          const what = `${total} by ${grain} among ${count}`;
          assert.is(begin, at, what);
          assert.ok(end >= begin, what);
          assert.ok(end % grain === 0 || end === total, what);
          at = end;
        }
        assert.is(at, total);
      }
    }
  }
});

test("no share is more than one grain larger than another", () => {
  for (const grain of [1, 8]) {
    for (let count = 1; count <= 7; count++) {
      const sizes = shares(48 * grain, grain, count).map(({ begin, end }) => (end - begin) / grain);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${sizes}`);
    }
  }
});

test("the grain is 1 unless it is given", () => {
  assert.equal(new Team(1, 3, control(), () => 0).share(8), { begin: 2, end: 5 });
});

test("the first worker leads", () => {
  assert.equal(
    [0, 1, 2].map((index) => new Team(index, 3, control(), () => 0).leads),
    [true, false, false],
  );
});

test("a barrier that returns a stop word, and a stop word that came just after, leave the program", () => {
  const words = control();
  assert.not.throws(() => new Team(0, 1, words, () => STOP.run).barrier());
  assert.throws(
    () => new Team(0, 1, words, () => STOP.cancelled).barrier(),
    (error: unknown) => error instanceof Stopped,
  );
  const late = new Team(0, 1, words, () => {
    words[WORD.stop] = STOP.failed;
    return STOP.run;
  });
  assert.throws(
    () => late.barrier(),
    (error: unknown) => error instanceof Stopped,
  );
});

test("a poll leaves the program for any reason, and only then", () => {
  for (const why of Object.values(STOP)) {
    const words = control();
    words[WORD.stop] = why;
    const team = new Team(0, 1, words, () => 0);
    if (why === STOP.run) assert.not.throws(() => team.poll());
    else
      assert.throws(
        () => team.poll(),
        (error: unknown) => error instanceof Stopped,
      );
  }
});

test("every item is claimed once, by whoever asks next", () => {
  for (const count of [1, 2, 3]) {
    const words = control();
    const claims = Array.from({ length: count }, (_, index) => new Team(index, count, words, () => 0).claims(20));
    const seen: number[] = [];
    // The first asks three times as often as the others.
    for (let turn = 0, left = count; left > 0; turn++) {
      const asking = claims[turn % 4 < 3 ? 0 : 1 + (turn % Math.max(1, count - 1))] ?? claims[0]!;
      const { value, done } = asking.next();
      if (!done) seen.push(value);
      else if (claims.every((claim) => claim.next().done)) left = 0;
    }
    assert.equal(
      seen,
      Array.from({ length: 20 }, (_, item) => item),
    );
  }
});

test("who is alone claims everything, in every program", () => {
  const team = new Team(0, 1, control(), () => 0);
  for (const total of [0, 1, 5, 5]) assert.is([...team.claims(total)].length, total);
});

test.run();
