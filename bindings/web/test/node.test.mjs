// The facts in Node, whose threads stand in for Workers.

import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdtempSync, openAsBlob, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
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

test("a list's file that has changed since is not read again", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "presend-"));
  const list = path.join(folder, "demo.presend");
  const open = opener(full, "full");
  for (const load of [(file) => open({ lists: [file] }), reloaded]) {
    writeFileSync(list, files.second);
    const scanner = await load(await openAsBlob(list));
    writeFileSync(list, "another file");
    const session = await scanner.session();
    assert.equal(await session.pushFrame(files.testFrame, 0), "block");
    assert.equal((await session.finish()).reason.listVersion, 2);
    scanner.close();
  }
  rmSync(folder, { recursive: true });

  async function reloaded(file) {
    const scanner = await open();
    await scanner.reload(file);
    return scanner;
  }
});

test("a stack that overflows while a list is read is no refusal, and another Worker starts", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "presend-"));
  cpSync(new URL("./node_modules/presend-web/full/", import.meta.url), folder, { recursive: true });
  writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
  appendFileSync(path.join(folder, "engine.js"), `
    Scanner.prototype.reload = () => { throw new RangeError("Maximum call stack size exceeded"); };
  `);
  let started = 0;
  const worker = () => {
    started++;
    return new Worker(pathToFileURL(path.join(folder, "worker.js")), { type: "module" });
  };
  const scanner = await opener(full, "full")({ worker });
  await assert.rejects(scanner.reload(files.second), /no Worker has taken the list/);
  assert.equal((await scanner.scan(files.testPicture)).reason.listVersion, 1);
  assert.equal(started, 2);
  scanner.close();
  rmSync(folder, { recursive: true });
});

test("what cannot be copied for a session that has ended is nobody's rejection", async () => {
  const scanner = await opener(full, "full")();
  const session = await scanner.session();
  await session.finish();
  const unreadable = { byteLength: 4, get length() { throw new RangeError("no memory"); } };
  // The test runner hears of a rejection that nobody handles.
  for (const push of [() => session.pushFrame({ data: unreadable, width: 1, height: 1 }, 0), () => session.pushBytes(unreadable)]) {
    await assert.rejects(push(), /finished/);
  }
  await new Promise((resolve) => setTimeout(resolve, 10));
  scanner.close();
});
