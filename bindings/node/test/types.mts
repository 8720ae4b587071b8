// Compiled, never run: what the types allow, and what they refuse.

import { readFileSync } from "node:fs";
import { NotScannedError, Scanner, type Finding, type Report, type Verdict } from "presend-node";

const scanner = await Scanner.open({
  lists: ["demo.presend", readFileSync("other.presend")],
  models: ["nsfwjs-mid-1"],
  policy: "teen",
  limits: { pixels: 1e7 },
  threads: 2,
});
const picture: Buffer = readFileSync("picture.jpg");
const report: Report = await scanner.scan(picture, {
  deadlineMs: 300,
  signal: AbortSignal.timeout(1000),
});
const verdict: Verdict = report.verdict;
const reason: Finding | null = report.reason;
console.log(verdict, reason?.code, reason?.score?.toFixed(3), report.timings.total);
try {
  report.clearance.check(picture);
} catch (error) {
  if (error instanceof NotScannedError) console.log(error.message);
}

// @ts-expect-error: a path is no picture
await scanner.scan("picture.jpg");
// @ts-expect-error: there is no such verdict
if (report.verdict === "maybe") console.log();
// @ts-expect-error: only `open` makes one
new Scanner();
// @ts-expect-error: a report is not changed
report.verdict = "allow";
