/** What the README shows is what the newest results in the repository give. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readHistory, recordsOf } from "../../../bench/report/history.js";
import { renderPlot } from "../../../bench/report/plot.js";
import { PLOT, README, withReport } from "../../../bench/report/readme.js";
import { newestResults, RESULTS, type Results, samples } from "../../../bench/report/results.js";

const test = suite("readme");
const results = newestResults(RESULTS);

if (results) {
  test("the README's tables and plot are those of the newest results, a complete run", () => {
    assert.ok(results.complete, "bench/results holds complete runs alone");
    const page = readFileSync(README, "utf8");
    assert.is(withReport(page, results), page, "npm run bench -- --report writes them");
    assert.is(renderPlot(results), readFileSync(PLOT, "utf8"));
  });

  test("the history ends with the same run's ratios", () => {
    const records = recordsOf(results);
    assert.ok(records.length > 0);
    assert.equal(readHistory().slice(-records.length), records);
  });
} else {
  test("without a recorded run the README shows no figures, and there is no history", () => {
    assert.match(readFileSync(README, "utf8"), /<!-- bench:begin[^\n]*-->\n<!-- bench:end -->/);
    assert.equal(readHistory(), []);
  });
}

test("a page without markers is refused", () => {
  assert.throws(() => withReport("# a page", results as Results), /bench:begin/);
});

test("samples: the least, and the middle one or the mean of the middle two", () => {
  assert.equal(samples([3, 1, 2]), { min: 1, median: 2, count: 3 });
  assert.equal(samples([4, 1, 2, 3]), { min: 1, median: 2.5, count: 4 });
});

test.run();
