// A headless Chromium and a server on the loopback for it, which sends the strictest
// Content-Security-Policy that the package works under, or as a plain one none.

import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { chromium } from "playwright-core";

const TYPES = {
  ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript",
  ".png": "image/png", ".svg": "image/svg+xml", ".wasm": "application/wasm",
};

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; " +
  "connect-src 'self'; img-src 'self' blob:; style-src 'self'";

/** Serves folders by the first part of the path, and `bytes` by name below `/files/`. */
export function serve(folders, bytes = {}, policy = POLICY) {
  const server = createServer(({ url }, response) => {
    const [first, ...rest] = new URL(url, "http://localhost").pathname.slice(1).split("/");
    if (policy) response.setHeader("Content-Security-Policy", policy);
    if (first === "files" && bytes[rest[0]]) {
      if (rest[0] === "page") response.setHeader("Content-Type", "text/html");
      return response.end(bytes[rest[0]]);
    }
    const file = folders[first] && path.join(folders[first], ...rest.filter((part) => part !== ".."));
    if (!file || !existsSync(file)) return response.writeHead(404).end();
    response.setHeader("Content-Type", TYPES[path.extname(file)] ?? "application/octet-stream");
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ server, origin: `http://127.0.0.1:${server.address().port}` }));
  });
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
}
