// The page in headless Chromium, as a person uses it. Screenshots are left in the
// folder SCREENSHOTS for eyes to look at.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { launch, serve } from "./chromium.mjs";
import { root } from "./files.mjs";

const media = (name) => path.join(root, "tests/data/media", name);
const screenshots = process.env.SCREENSHOTS;

let browser, server, address;

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  const served = await serve({ demo: process.env.DEMO }, {}, null);
  server = served.server;
  address = `${served.origin}/demo/index.html`;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** The page after loading, and everything that it asks of the network from then on. */
async function load(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const asked = [];
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(address);
  await page.waitForSelector("html[data-loaded]");
  // Of the page and its Worker alike.
  context.on("request", (request) => request.url().startsWith("blob:") || asked.push(request.url()));
  const state = (text) => page.waitForFunction((text) => document.querySelector("#state").textContent === text, text);
  return { context, page, asked, complaints, state };
}

const shown = (page, id) => page.locator(`#${id}`).textContent();

test("the keyboard is enough: the test picture is blocked, and the page says why", async () => {
  const { context, page, asked, complaints, state } = await load({ viewport: { width: 1200, height: 900 } });
  await page.screenshot({ path: path.join(screenshots, "light-empty.png") });
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "file");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "test-picture");
  await page.keyboard.press("Enter");
  await state("The test picture: block.");
  assert.equal(await shown(page, "verdict-word"), "block");
  assert.match(await shown(page, "meaning"), /would not send it/);
  assert.match(await shown(page, "facts"), /list\.default\.exact.*demo, version 1.*PNG, 512 × 512/);
  assert.match(await shown(page, "findings"), /near copy is in list demo/);
  assert.match(await shown(page, "scores"), /^sexual[01]\.\d{3}The policy warns from 0\.7 on\.$/);
  assert.equal(await page.locator("#all-scores .score").count(), 5);
  assert.match(await shown(page, "model-note"), /nsfwjs-mid 1/);
  assert.match(await shown(page, "total"), /\d\sms in all/);
  assert.equal(await page.locator("#legend li").count(), 7);
  const set = await page.evaluate(() => {
    const { data } = document.querySelector("#hash").getContext("2d").getImageData(0, 0, 16, 16);
    return data.filter((alpha, at) => at % 4 === 3 && alpha === 255).length;
  });
  assert.equal(set, 128, "half of a PDQ hash's bits are set");
  await page.screenshot({ path: path.join(screenshots, "light-block.png"), fullPage: true });
  assert.deepEqual(asked, []);
  assert.equal(await shown(page, "requests"), "0");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a picture that is dropped or chosen is allowed; a recompressed copy is not", async () => {
  const { context, page, asked, complaints, state } = await load({ viewport: { width: 1200, height: 900 }, colorScheme: "dark" });
  await page.locator("#file").setInputFiles(media("mountains.jpg"));
  await state("mountains.jpg: allow.");
  assert.match(await shown(page, "findings"), /^No list has it/);
  await page.screenshot({ path: path.join(screenshots, "dark-allow.png"), fullPage: true });
  await page.locator("#file").setInputFiles(media("test-picture-halved-q50.jpg"));
  await state("test-picture-halved-q50.jpg: block.");
  assert.match(await shown(page, "facts"), /list\.default\.near/);
  await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 300, height: 200 });
    canvas.getContext("2d").fillRect(20, 20, 100, 100);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], "dropped.png"));
    document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  });
  await page.waitForFunction(() => document.querySelector("#state").textContent.startsWith("dropped.png: "));
  assert.deepEqual(asked, []);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("what cannot be read is asked about", async () => {
  const { context, page, state } = await load();
  await page.locator("#file").setInputFiles({ name: "broken.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no picture") });
  await state("broken.jpg: ask.");
  assert.match(await shown(page, "hash-note"), /nothing to hash/);
  await page.screenshot({ path: path.join(screenshots, "light-ask.png"), fullPage: true });
  await context.close();
});

test("a phone in the dark shows all of it, without scrolling sideways", async () => {
  const { context, page, state } = await load({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, colorScheme: "dark", hasTouch: true });
  await page.locator("#test-picture").tap();
  await state("The test picture: block.");
  const { scrollWidth, innerWidth } = await page.evaluate(() => ({ scrollWidth: document.documentElement.scrollWidth, innerWidth }));
  assert.ok(scrollWidth <= innerWidth, `${scrollWidth} pixels in ${innerWidth}`);
  await page.screenshot({ path: path.join(screenshots, "phone-dark-block.png"), fullPage: true });
  await context.close();
});

test("the page goes on while a photo of 12 megapixels is scanned", async (t) => {
  const { context, page, asked, complaints, state } = await load({ viewport: { width: 1200, height: 900 } });
  await page.evaluate(async () => {
    // A photo's worth of detail: a render, enlarged, under noise.
    const canvas = Object.assign(document.createElement("canvas"), { width: 4000, height: 3000 });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    for (let n = 0; n < 60; n++) {
      context.fillStyle = `hsl(${(n * 47) % 360} 50% ${30 + ((n * 13) % 50)}%)`;
      context.fillRect((n * 631) % 4000, (n * 397) % 3000, 900, 700);
    }
    const pixels = context.getImageData(0, 0, 4000, 3000);
    for (let at = 0; at < pixels.data.length; at++) if (at % 4 < 3) pixels.data[at] += (Math.imul(at, 2654435761) >>> 28);
    context.putImageData(pixels, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], "photo.jpg"));
    window.ticks = 0;
    window.longest = 0;
    let last = performance.now();
    const tick = (now) => {
      window.ticks++;
      window.longest = Math.max(window.longest, now - last);
      last = now;
      if (!document.querySelector("#state").textContent.startsWith("photo.jpg: ")) requestAnimationFrame(tick);
    };
    document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    requestAnimationFrame(tick);
  });
  await state("photo.jpg: allow.");
  const { ticks, longest } = await page.evaluate(() => ({ ticks: window.ticks, longest: window.longest }));
  const total = await shown(page, "total");
  t.diagnostic(`${ticks} animation frames during a scan of ${total}, ${Math.round(longest)} ms apart at most`);
  assert.match(await shown(page, "facts"), /JPEG, 4000 × 3000/);
  // A page that scanned itself would draw nothing for all that time.
  assert.ok(ticks > 1 && longest < parseFloat(total) / 2, `${longest} ms`);
  await page.evaluate(() => document.querySelector("#picture").decode());
  await page.screenshot({ path: path.join(screenshots, "light-photo.png"), fullPage: true });
  assert.deepEqual(asked, []);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the counter counts", async () => {
  const { context, page } = await load();
  await page.evaluate(() => fetch("icon.svg"));
  await page.waitForFunction(() => document.querySelector("#requests").value === "1");
  await page.evaluate(() => fetch("https://elsewhere.example/").catch(() => {}));
  await page.waitForFunction(() => document.querySelector("#requests").value >= "2");
  await context.close();
});

test("from a plain file server, what runs in the Worker reaches no other place, and its tries are counted", async () => {
  const reached = [];
  const elsewhere = createServer(({ url }, response) => {
    reached.push(url);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Content-Type", "text/javascript").end();
  });
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  const other = `http://127.0.0.1:${elsewhere.address().port}`;
  const { context, page } = await load();
  const [worker] = page.workers();
  const left = await worker.evaluate(() => ["fetch", "XMLHttpRequest", "EventSource", "WebSocket", "WebTransport",
    "importScripts", "Worker", "caches", "FontFace"].filter((name) => name in self));
  assert.deepEqual(left, []);
  await assert.rejects(worker.evaluate((other) => fetch(`${other}/fetched`, { method: "POST", body: "a picture" }), other), /fetch is not defined/);
  assert.equal(await shown(page, "requests"), "0");
  // What cannot be deleted, the policy stops.
  await assert.rejects(worker.evaluate((other) => import(`${other}/imported`), other));
  await page.waitForFunction(() => document.querySelector("#requests").value >= "1");
  const before = Number(await shown(page, "requests"));
  await worker.evaluate((own) => import(own).catch(() => {}), new URL("icon.svg", address).href);
  await page.waitForFunction((before) => document.querySelector("#requests").value > before, before);
  assert.deepEqual(reached, []);
  await context.close();
  elsewhere.close();
});
