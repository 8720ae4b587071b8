// The files that the facts need, from the repository.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { inflateSync } from "node:zlib";

export const root = process.env.PRESEND_ROOT;
const read = (name) => new Uint8Array(readFileSync(path.join(root, name)));

/** The pixels of an 8-bit palette PNG, as the page's own decoder would give them. */
function pixels(png) {
  const view = Buffer.from(png);
  const chunks = {};
  for (let at = 8; at < view.length; ) {
    const length = view.readUInt32BE(at);
    const name = view.toString("latin1", at + 4, at + 8);
    chunks[name] = Buffer.concat([chunks[name] ?? Buffer.alloc(0), view.subarray(at + 8, at + 8 + length)]);
    at += 12 + length;
  }
  const [width, height] = [chunks.IHDR.readUInt32BE(0), chunks.IHDR.readUInt32BE(4)];
  const rows = inflateSync(chunks.IDAT);
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  let above = new Uint8Array(width);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (width + 1)];
    const row = Uint8Array.from(rows.subarray(y * (width + 1) + 1, (y + 1) * (width + 1)));
    for (let x = 0; x < width; x++) {
      const [left, up, corner] = [row[x - 1] ?? 0, above[x], above[x - 1] ?? 0];
      const near = [left, up, corner].map((value) => Math.abs(left + up - corner - value));
      const paeth = near[0] <= near[1] && near[0] <= near[2] ? left : near[1] <= near[2] ? up : corner;
      row[x] += [0, left, up, (left + up) >> 1, paeth][filter];
      data.set(chunks.PLTE.subarray(row[x] * 3, row[x] * 3 + 3), (y * width + x) * 4);
    }
    above = row;
  }
  return { data, width, height };
}

/** The module, but its memory can grow by no more than 12 MiB. */
function narrow(module) {
  const number = (at) => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = module[at++];
      value |= (byte & 127) << shift;
      shift += 7;
      if (byte < 128) return { value, at };
    }
  };
  const bytes = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...bytes(value >> 7)]);
  for (let at = 8; at < module.length; ) {
    const size = number(at + 1);
    if (module[at] === 5) {
      // One memory, with a least size and no most.
      const least = number(size.at + 2);
      const memory = [1, 1, ...bytes(least.value), ...bytes(least.value + 192)];
      return new Uint8Array(
        Buffer.concat([module.subarray(0, at), Buffer.from([5, ...bytes(memory.length), ...memory]), module.subarray(least.at)]),
      );
    }
    at = size.at + size.value;
  }
  throw new Error("the module has no memory");
}

const testPicture = read("tests/data/media/test-picture.png");

export const files = {
  demo: read("hashlists/demo/demo.presend"),
  /** Its second edition. */
  second: read("tests/data/tuf/release-2/targets/4500c0bce93e1dbab1cfc0e38be9275c6258b707869b2e1bfaab7246164686e9.demo.presend"),
  warned: read("examples/matrix/warned/warned.presend"),
  testPicture,
  testFrame: pixels(testPicture),
  waves: read("tests/data/media/waves.jpg"),
  onnx: read("models/nsfwjs-mid-1/model.onnx"),
  golden: read("models/nsfwjs-mid-1/golden/0-trees.png"),
  description: readFileSync(path.join(root, "models/nsfwjs-mid-1/model.toml")),
  narrow: narrow(readFileSync(new URL("./node_modules/presend-web/full/engine_bg.wasm", import.meta.url))),
  /** As the command says it: 64 digits, bit 255 first, and the quality. */
  wavesHash: execFileSync(process.env.PRESEND, ["hash", path.join(root, "tests/data/media/waves.jpg"), "--fidelity", "fast"], { encoding: "utf8" })
    .split(" ").slice(0, 2).join(" "),
};
