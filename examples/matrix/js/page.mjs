// The host in a page, with presend-web. `chromium.mjs` serves the page and the files.

import { Scanner } from "presend-web";
import { play } from "./play.mjs";

const bytes = async (path) => {
  const response = await fetch(`/file?${encodeURIComponent(path)}`, { cache: "no-store" });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
};

globalThis.run = async (plan) => {
  const model = async (file) => bytes(`${plan.model}/${file}`);
  const scanner = await Scanner.open({
    lists: await Promise.all(plan.lists.map(bytes)),
    models: [{ description: await model("model.toml"), onnx: await model("model.onnx"), golden: await model(plan.golden) }],
    policy: new TextDecoder().decode(await bytes(plan.policy)),
    wasm: "/presend-web/engine_bg.wasm",
    worker: () => new Worker("/presend-web/worker.js", { type: "module" }),
  });
  const files = { read: bytes, replace: globalThis.replaceFile };
  const memory = { reset: globalThis.resetMemory, grown: globalThis.grownMemory };
  await play(plan, { scanner, files, memory, tell: globalThis.tell });
  scanner.close();
};
