// Times nsfwjs on tfjs's WebAssembly backend: node nsfwjs.mjs REPEAT FILE...
// The model is the one that presend's default was converted from. A browser would decode JPEG with libjpeg-turbo; here
// sharp does, which is built on it too.

import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import sharp from "sharp";
import * as tf from "@tensorflow/tfjs";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { load } from "nsfwjs/core";
import { MobileNetV2MidModel } from "nsfwjs/models/mobilenet_v2_mid";

async function pixels(bytes, side) {
  let picture = sharp(bytes).removeAlpha();
  if (side) picture = picture.resize(side, side, { fit: "fill" });
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  return tf.tensor3d(new Uint8Array(data), [info.height, info.width, 3], "int32");
}

async function scores(model, image) {
  const answer = await model.classify(image);
  image.dispose();
  return answer;
}

// nsfwjs announces its model on the standard output, which is for the times.
console.info = console.error = () => {};
sharp.concurrency(1);
sharp.cache(false);
const backend = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json");
setWasmPaths(path.join(path.dirname(backend), "dist") + path.sep);
setThreadsCount(1);
await tf.setBackend("wasm");
const model = await load(MobileNetV2MidModel.name, { modelDefinitions: [MobileNetV2MidModel] });

const [repeat, ...files] = process.argv.slice(2);
const times = {};
async function time(what, file, work) {
  const start = performance.now();
  await work();
  ((times[what] ??= {})[file] ??= []).push(performance.now() - start);
}
for (const file of files) {
  const bytes = fs.readFileSync(file);
  // The first round is not kept, unless it is the only one: then this is a cold start.
  for (let round = 0; round <= repeat; round++) {
    await time("whole", file, async () => scores(model, await pixels(bytes)));
    if (repeat === "0") break;
    const small = await pixels(bytes, 224);
    await time("model", file, () => scores(model, small));
    if (round === 0) for (const by of Object.values(times)) delete by[file];
  }
}
console.log(JSON.stringify({ backend: tf.getBackend(), times }));
process.exit(0);
