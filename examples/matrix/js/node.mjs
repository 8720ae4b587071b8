// The host under Node, with presend-node: `node node.mjs PLAN`.

import { copyFile, readFile, writeFile } from "node:fs/promises";
import { Scanner } from "presend-node";

// Standard output is the runner's.
console.log = console.info = console.debug = console.warn = console.error = () => {};
const { play } = await import("./play.mjs");

const plan = JSON.parse(await readFile(process.argv[2], "utf8"));
const scanner = await Scanner.open({
  lists: plan.lists,
  models: [plan.model],
  policy: await readFile(plan.policy, "utf8"),
});
const files = { read: (path) => readFile(path), replace: (path, other) => copyFile(other, path) };

/** The most memory that this process has held (Linux). */
async function peak() {
  const status = await readFile("/proc/self/status", "utf8");
  return Number(status.match(/^VmHWM:\s*(\d+) kB$/m)[1]) * 1024;
}
let before;
const memory = {
  async reset() {
    await writeFile("/proc/self/clear_refs", "5");
    before = await peak();
  },
  grown: async () => Math.max(0, (await peak()) - before),
};

const tell = (told) => new Promise((resolve) => process.stdout.write(`${JSON.stringify(told)}\n`, resolve));
await play(plan, { scanner, files, memory, tell });
process.exit(0);
