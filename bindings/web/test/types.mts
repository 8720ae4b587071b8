// Compiled, never run: what the types allow, and what they refuse.

import { NotScannedError, Scanner, type Finding, type Report, type Verdict } from "presend-web";
import { Scanner as Small } from "presend-web/lists";

const scanner = await Scanner.open({
  lists: ["demo.presend", new URL("https://app.example/other.presend"), new Uint8Array(3)],
  models: [{ description: "model.toml", onnx: await fetch("model.onnx"), golden: new Blob() }],
  policy: "teen",
  limits: { pixels: 1e7 },
  worker: () => new Worker("worker.js", { type: "module" }),
});
const picture = new File([], "picture.jpg");
const report: Report = await scanner.scan(picture, { deadlineMs: 300, signal: AbortSignal.timeout(1000) });
const verdict: Verdict = report.verdict;
const reason: Finding | null = report.reason;
console.log(verdict, reason?.code, reason?.score?.toFixed(3), report.timings.total);
try {
  const cleared: Uint8Array<ArrayBuffer> = await report.clearance.check(picture);
  await crypto.subtle.digest("SHA-256", cleared);
} catch (error) {
  if (error instanceof NotScannedError) console.log(error.message);
}
scanner.close();
await Small.open();

// @ts-expect-error: a path is no picture
await scanner.scan("picture.jpg");
// @ts-expect-error: there is no such verdict
if (report.verdict === "maybe") console.log();
// @ts-expect-error: only `open` makes one
new Scanner();
// @ts-expect-error: a report is not changed
report.verdict = "allow";
