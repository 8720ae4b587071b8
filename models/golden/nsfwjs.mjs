// Prints the scores nsfwjs gives PNG files, on TF.js's plain JavaScript backend: node nsfwjs.mjs FILE...
// A picture that is not 224 x 224 is resized as nsfwjs does it.

import fs from "node:fs";
import path from "node:path";
import * as tf from "@tensorflow/tfjs";
import { load } from "nsfwjs/core";
import { MobileNetV2Model } from "nsfwjs/models/mobilenet_v2";
import { MobileNetV2MidModel } from "nsfwjs/models/mobilenet_v2_mid";
import { PNG } from "pngjs";

const MODELS = { "nsfwjs-mid": MobileNetV2MidModel, "nsfwjs-tiny": MobileNetV2Model };

function pixels(file) {
  const { width, height, data } = PNG.sync.read(fs.readFileSync(file));
  const rgb = data.filter((_, index) => index % 4 < 3);
  return tf.tensor3d(Int32Array.from(rgb), [height, width, 3], "int32");
}

async function scores(model, file) {
  const image = pixels(file);
  const answer = await model.classify(image);
  image.dispose();
  return Object.fromEntries(answer.map(({ className, probability }) => [className, probability]).sort());
}

// nsfwjs announces its model on the standard output, which is for the scores.
console.info = console.error;
await tf.setBackend("cpu");

const report = {};
for (const [name, definition] of Object.entries(MODELS)) {
  const model = await load(definition.name, { modelDefinitions: [definition] });
  report[name] = {};
  for (const file of process.argv.slice(2)) {
    report[name][path.basename(file)] = await scores(model, file);
  }
}
console.log(JSON.stringify(report, null, 1));
