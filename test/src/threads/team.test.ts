import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CONTROL_BYTES, resetControl, STOP, WORD } from "#dist/threads/control.js";
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

/** Runs `each` on every team, one inside a task of another: as if the later ones came while the first was at work. */
function nested(teams: readonly Team[], total: number, seen: number[]): void {
  const [team, ...others] = teams;
  if (!team) return;
  let entered = false;
  team.each(total, (index) => {
    seen.push(index);
    if (entered) return;
    entered = true;
    nested(others, total, seen);
  });
  if (!entered) nested(others, total, seen);
}

test("every task is run once, by whoever is free, call after call", () => {
  for (const count of [1, 2, 3, 7]) {
    const words = control();
    const teams = Array.from({ length: count }, (_, index) => new Team(index, count, words, () => 0));
    for (const total of [20, 0, 1, 5, 5, 100]) {
      const seen: number[] = [];
      nested(total % 2 === 0 ? teams : [...teams].reverse(), total, seen);
      const all = Array.from({ length: total }, (_, index) => index);
      assert.equal(
        seen.sort((a, b) => a - b),
        all,
        `${total} tasks, ${count} workers`,
      );
    }
  }
});

test("tasks begin at 0 in the next program, also after one that was left in the middle", () => {
  const words = control();
  const teams = [0, 1].map((index) => new Team(index, 2, words, () => 0));
  assert.throws(() =>
    teams[0]!.each(5, (index) => {
      if (index === 3) throw new Stopped();
    }),
  );
  resetControl(words);
  for (const team of teams) team.begin();
  const seen: number[] = [];
  nested(teams, 4, seen);
  assert.equal(seen, [0, 1, 2, 3]);
});

test("a worker alone sets the counter back itself; one of several leaves it to the caller", () => {
  const words = control();
  const alone = new Team(0, 1, words, () => 0);
  for (let program = 0; program < 3; program++) {
    alone.begin();
    const seen: number[] = [];
    for (const total of [3, 0, 2]) alone.each(total, (index) => seen.push(index));
    assert.equal(seen, [0, 1, 2, 0, 1]);
  }
  words[WORD.claimed] = 5;
  new Team(1, 2, words, () => 0).begin();
  assert.is(words[WORD.claimed], 5, "another may be at work already");
});

test.run();
