// What a messenger does with a picture before it encrypts it:
//
//     node sample.mjs PICTURE...
//
// Exits 1 if any is not simply sent.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { Scanner } from "presend-node";

const root = process.env.PRESEND_ROOT ?? path.resolve(import.meta.dirname, "../..");
const scanner = await Scanner.open({
  lists: [path.join(root, "hashlists/demo/demo.presend")],
  models: [path.join(root, "models/nsfwjs-mid-1")],
});

for (const name of process.argv.slice(2)) {
  const picture = await readFile(name);
  const { verdict, reason, clearance, timings } = await scanner.scan(picture, { deadlineMs: 10_000 });
  const why = reason ? `${reason.text} (rule ${reason.rule})` : "nothing against it";
  console.log(`${verdict}: ${why}, in ${timings.total.toFixed(0)} ms`);
  if (verdict === "allow") {
    clearance.check(picture);
    // Encrypt `picture` here.
  } else {
    // warn: tell the person; ask: send on a yes; block: show why, and do not send.
    process.exitCode = 1;
  }
}
