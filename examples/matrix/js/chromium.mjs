// The host in Chromium, with presend-web: `node chromium.mjs PLAN`. Serves the page
// on the loopback, starts the browser on an empty profile, and passes on what the
// page tells.

import { copyFile, mkdir, readFile, readdir } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const here = import.meta.dirname;
const plan = JSON.parse(await readFile(process.argv[2], "utf8"));
plan.golden = (await readFile(path.join(plan.model, "model.toml"), "utf8")).match(/"(golden\/[^"]+)"/)[1];

await build({
  entryPoints: [path.join(here, "page.mjs")],
  bundle: true,
  format: "esm",
  outdir: path.join(here, "page"),
  logLevel: "error",
});

// What the page may have: itself, the engine, the SDK's WebAssembly, the plan's files.
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };
const packages = path.join(here, "node_modules");
const folders = {
  "/page.js": path.join(here, "page"),
  "/presend-web/": path.join(packages, "presend-web/full"),
  "/pkg/": path.join(packages, "@matrix-org/matrix-sdk-crypto-wasm/pkg"),
};
const mine = path.dirname(process.argv[2]);
const allowed = [mine, plan.model, ...plan.lists];

async function answer(url) {
  if (url === "/") return ["text/html", `<!doctype html><script type="module" src="/page.js"></script>`];
  if (url.startsWith("/file?")) {
    const file = path.resolve(decodeURIComponent(url.slice("/file?".length)));
    if (!allowed.some((one) => file === one || file.startsWith(one + path.sep))) return null;
    return ["application/octet-stream", await readFile(file)];
  }
  const prefix = Object.keys(folders).find((prefix) => url.startsWith(prefix));
  if (!prefix) return null;
  return [TYPES[path.extname(url)], await readFile(path.join(folders[prefix], path.basename(url)))];
}

const server = createServer(async (request, response) => {
  const answered = await answer(request.url).catch(() => null);
  // The browser must keep none of it: the runner looks for what it has kept.
  const headers = { "Cache-Control": "no-store", "Content-Type": answered?.[0] ?? "text/plain" };
  response.writeHead(answered ? 200 : 404, headers).end(answered?.[1]);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

await mkdir(plan.state, { recursive: true });
const context = await chromium.launchPersistentContext(plan.state, {
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync",
    "--no-first-run", "--disable-background-networking", "--disable-component-update"],
});
const page = await context.newPage();
page.on("pageerror", (error) => console.error(String(error)));

/** The resident memory of the browser and all its processes, in bytes (Linux). */
async function resident() {
  let sum = 0;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (!command.includes(plan.state)) continue;
    const pages = Number((await readFile(`/proc/${pid}/statm`, "utf8").catch(() => "0 0")).split(" ")[1]);
    sum += pages * 4096;
  }
  return sum;
}
let before, most, timer;
await page.exposeFunction("resetMemory", async () => {
  before = most = await resident();
  timer = setInterval(async () => (most = Math.max(most, await resident())), 50);
});
await page.exposeFunction("grownMemory", () => most - before);
await page.exposeFunction("replaceFile", (file, other) => copyFile(other, file));
await page.exposeFunction("tell", (told) => process.stdout.write(`${JSON.stringify(told)}\n`));

await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.waitForFunction(() => globalThis.run);
await page.evaluate((plan) => globalThis.run(plan), plan);
clearInterval(timer);
await context.close();
server.close();
