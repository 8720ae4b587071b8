// The facts in Node, whose threads stand in for Workers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import Worker from "web-worker";
import * as full from "presend-web";
import * as lists from "presend-web/lists";
import { facts } from "./facts.mjs";
import { files } from "./files.mjs";

const model = { description: files.description, onnx: files.onnx, golden: files.golden };

let workers = 0;

function opener({ Scanner }, variant) {
  const at = (name) => new URL(`./node_modules/presend-web/${variant}/${name}`, import.meta.url);
  return ({ model: wanted, wrap = (start) => start(), ...options } = {}) =>
    Scanner.open({
      lists: [files.demo],
      models: wanted ? [model] : [],
      wasm: readFileSync(at("engine_bg.wasm")),
      worker: () => {
        workers++;
        return wrap(() => new Worker(at("worker.js"), { type: "module" }));
      },
      ...options,
    });
}

for (const [name, fact] of Object.entries(facts)) {
  const { NotScannedError } = full;
  const host = { open: opener(full, "full"), files, NotScannedError, started: () => workers };
  test(name, (t) => fact({ ...host, note: (said) => t.diagnostic(said) }));
}

test("the small module compares with lists and runs no model", async () => {
  const open = opener(lists, "lists");
  const scanner = await open();
  assert.equal((await scanner.scan(files.testPicture)).verdict, "block");
  scanner.close();
  await assert.rejects(open({ model: true }), /built without|no .* runtime/);
});
