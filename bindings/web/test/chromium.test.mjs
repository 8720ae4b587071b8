// The facts in headless Chromium.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { launch, serve } from "./chromium.mjs";
import { facts } from "./facts.mjs";
import { files, root } from "./files.mjs";

let browser, origin, page, server;

before(async () => {
  const folder = (name) => path.join(import.meta.dirname, name);
  const { wavesHash, testFrame, ...bytes } = files;
  const folders = {
    package: folder("node_modules/presend-web"),
    test: folder("."),
    hashlists: path.join(root, "hashlists"),
    tests: path.join(root, "tests"),
  };
  const served = await serve(folders, { ...bytes, page: '<!doctype html><base href="/">' });
  ({ origin, server } = served);
  browser = await launch();
  page = await browser.newPage();
  await page.goto(`${origin}/files/page`);
  await page.evaluate(async ({ names, wavesHash, width, height }) => {
    const { NotScannedError, Scanner } = await import("/package/full/presend.js");
    const { facts } = await import("/test/facts.mjs");
    const files = { wavesHash };
    for (const name of names) {
      files[name] = new Uint8Array(await (await fetch(`/files/${name}`)).arrayBuffer());
    }
    // By the browser's own decoder.
    const canvas = new OffscreenCanvas(width, height).getContext("2d");
    canvas.drawImage(await createImageBitmap(new Blob([files.testPicture])), 0, 0);
    files.testFrame = canvas.getImageData(0, 0, width, height);
    const model = { description: "/files/description", onnx: "/files/onnx", golden: "/files/golden" };
    let workers = 0;
    window.Worker = class extends Worker {
      constructor(...given) {
        super(...given);
        workers++;
      }
    };
    const open = ({ model: wanted, wrap, ...options } = {}) => {
      const worker = wrap && (() => wrap(() => new Worker("/package/full/worker.js", { type: "module" })));
      return Scanner.open({ lists: ["/files/demo"], models: wanted ? [model] : [], worker, ...options });
    };
    window.run = async (name) => {
      const notes = [];
      await facts[name]({ open, files, NotScannedError, started: () => workers, note: (said) => notes.push(said) });
      return notes;
    };
  }, { names: Object.keys(bytes), wavesHash, width: testFrame.width, height: testFrame.height });
});

after(async () => {
  await browser?.close();
  server?.close();
});

for (const name of Object.keys(facts)) {
  test(name, async (t) => {
    for (const note of await page.evaluate((name) => window.run(name), name)) t.diagnostic(note);
  });
}

test("the snippet of the guide blocks the test picture", async () => {
  // An import map stands in for a bundler; it is inline, which the policy forbids.
  const context = await browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  await page.goto(`${origin}/files/page`);
  const printed = page.waitForEvent("console");
  const imports = JSON.stringify({ imports: { "presend-web": "/package/full/presend.js" } });
  await page.addScriptTag({ type: "importmap", content: imports });
  await page.addScriptTag({ type: "module", content: readFileSync("snippet.mjs", "utf8") });
  assert.match((await printed).text(), /^block list\.default\.exact/);
  await context.close();
});
