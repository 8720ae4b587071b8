// Writes model.json and weights.bin of a model bundled with nsfwjs: node extract.js MODEL OUT
// MODEL is a folder such as package/dist/models/mobilenet_v2_mid.

const fs = require("node:fs");
const path = require("node:path");

const [model, out] = process.argv.slice(2).map((folder) => path.resolve(folder));

const description = require(path.join(model, "model.min.js"));
const shards = description.weightsManifest.flatMap((group) => group.paths);
const weights = shards.map((shard) => Buffer.from(require(path.join(model, `${shard}.min.js`)), "base64"));

fs.mkdirSync(out, { recursive: true });
fs.writeFileSync(path.join(out, "model.json"), JSON.stringify(description));
fs.writeFileSync(path.join(out, "weights.bin"), Buffer.concat(weights));
