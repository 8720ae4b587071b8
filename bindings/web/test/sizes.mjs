// What each module and its scripts weigh, as a server would send them. Fails above
// what a page can be asked to load.

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const MOST = { full: 1_500_000, lists: 500_000 };

for (const [folder, most] of Object.entries(MOST)) {
  const files = readdirSync(path.join(process.argv[2], folder)).filter((name) => /\.(js|wasm)$/.test(name));
  const bytes = files.map((name) => readFileSync(path.join(process.argv[2], folder, name)));
  const sum = (of) => bytes.map((file) => of(file).length).reduce((a, b) => a + b);
  const gzip = sum((file) => gzipSync(file, { level: 9 }));
  console.log(`${folder}: ${sum((file) => file)} bytes, ${gzip} by gzip, ${sum((file) => brotliCompressSync(file))} by brotli`);
  if (gzip > most) throw new Error(`more than ${most}`);
}
