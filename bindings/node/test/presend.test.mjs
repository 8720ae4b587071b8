// What a host relies on, with the official test picture.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { getEventListeners } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { NotScannedError, Scanner } from "presend-node";

const root = process.env.PRESEND_ROOT;
const file = (name) => path.join(root, name);
const testPicture = readFileSync(file("tests/data/media/test-picture.png"));
const waves = readFileSync(file("tests/data/media/waves.jpg"));
const lists = [file("hashlists/demo/demo.presend")];
/** The second edition of that list. */
const second = file("tests/data/tuf/release-2/targets/4500c0bce93e1dbab1cfc0e38be9275c6258b707869b2e1bfaab7246164686e9.demo.presend");
const models = [file("models/nsfwjs-mid-1")];

const open = (options) => Scanner.open({ lists, ...options });
const codes = (report) => report.findings.map(({ code }) => code);
const incomplete = (report) => codes(report).filter((code) => code.startsWith("incomplete."));

/** A picture that takes a while: a bitmap of noise, of `side` x `side` pixels. */
function large(side) {
  const bytes = Buffer.alloc(54 + side * side * 3);
  bytes.write("BM");
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(side, 18);
  bytes.writeInt32LE(side, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  let state = 1;
  for (let at = 54; at < bytes.length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

test("the test picture is blocked by the demonstration list", async () => {
  const scanner = await open({ models });
  const report = await scanner.scan(testPicture);
  assert.equal(report.verdict, "block");
  assert.equal(report.reason.list, "demo");
  assert.equal(report.reason.rule, "list.default.exact");
  assert.deepEqual(report.media, { format: "png", width: 512, height: 512, scale: 1 });
  assert.ok(codes(report).includes("list.near"));
  assert.ok(codes(report).includes("label.sexual"));
});

test("another picture is allowed, and its bytes are cleared", async () => {
  const scanner = await open({ models });
  const report = await scanner.scan(waves);
  assert.equal(report.verdict, "allow");
  assert.equal(report.reason, null);
  assert.ok(report.inferences > 0);
  report.clearance.check(waves);
  assert.throws(() => report.clearance.check(testPicture), NotScannedError);
});

test("what the caller does to its buffer afterwards changes nothing", async () => {
  const scanner = await open({ threads: 1 });
  const swapped = Buffer.from(testPicture);
  // The second of the two waits for the thread, and is copied by another hand.
  const reports = [scanner.scan(swapped), scanner.scan(swapped)];
  waves.copy(swapped);
  for (const report of await Promise.all(reports)) {
    assert.equal(report.verdict, "block");
    report.clearance.check(testPicture);
    assert.throws(() => report.clearance.check(swapped), NotScannedError);
  }
});

test("the event loop goes on while a picture is scanned", async (t) => {
  const scanner = await open({ models });
  const picture = large(2500);
  /** Turns of the loop until it is done. */
  const turns = async (work) => {
    let [count, running] = [0, true];
    const tick = () => {
      count++;
      if (running) setImmediate(tick);
    };
    setImmediate(tick);
    const done = await work();
    running = false;
    return [count, done];
  };
  const [beside, report] = await turns(() => scanner.scan(picture));
  assert.equal(report.media.width, 2500);
  // The same time spent on the loop itself.
  const [instead] = await turns(async () => {
    const end = performance.now() + report.timings.total;
    while (performance.now() < end);
  });
  t.diagnostic(`${beside} turns of the loop during a scan of ${Math.round(report.timings.total)} ms, ${instead} where it blocks`);
  assert.ok(beside > 20 + 10 * instead);
});

test("an abort stops a scan that runs", async () => {
  const scanner = await open();
  const picture = large(4000);
  const whole = await scanner.scan(picture);
  assert.deepEqual(incomplete(whole), []);
  const abort = new AbortController();
  const scan = scanner.scan(picture, { signal: abort.signal });
  // The thread has begun by then: the scan takes many turns of the loop.
  await new Promise((resolve) => setImmediate(resolve));
  abort.abort();
  const report = await scan;
  assert.deepEqual(incomplete(report), ["incomplete.cancelled"]);
  assert.equal(report.verdict, "ask");
});

test("an abort takes a scan out of the queue", async () => {
  const scanner = await open({ threads: 1 });
  const first = scanner.scan(large(3000));
  let firstIsDone = false;
  first.then(() => (firstIsDone = true));
  const abort = new AbortController();
  const second = scanner.scan(waves, { signal: abort.signal });
  abort.abort();
  assert.deepEqual(incomplete(await second), ["incomplete.cancelled"]);
  assert.equal(firstIsDone, false);
  const aborted = await scanner.scan(waves, { signal: AbortSignal.abort() });
  assert.deepEqual(incomplete(aborted), ["incomplete.cancelled"]);
  assert.throws(() => aborted.clearance.check(waves), NotScannedError);
  await first;
});

test("a deadline that has passed asks", async () => {
  const scanner = await open({ threads: 1 });
  const report = await scanner.scan(testPicture, { deadlineMs: 0 });
  assert.equal(report.verdict, "ask");
  assert.deepEqual(incomplete(report), ["incomplete.deadline-passed"]);
  // The same for one that waits.
  const first = scanner.scan(large(3000));
  const waiting = await scanner.scan(testPicture, { deadlineMs: 0 });
  assert.deepEqual(incomplete(waiting), ["incomplete.deadline-passed"]);
  await first;
});

test("twenty at once are all answered, each for itself", async () => {
  const scanner = await open({ models });
  const pictures = Array.from({ length: 20 }, (_, n) => (n % 2 ? testPicture : waves));
  const reports = await Promise.all(pictures.map((picture) => scanner.scan(picture)));
  assert.deepEqual(reports.map(({ verdict }) => verdict), pictures.map((p) => (p === waves ? "allow" : "block")));
  reports.forEach((report, n) => report.clearance.check(pictures[n]));
});

test("one more than may wait is busy, which asks", async () => {
  const scanner = await open({ threads: 1, waiting: 1 });
  const reports = await Promise.all([waves, waves, waves].map((picture) => scanner.scan(picture)));
  assert.deepEqual(reports.map(({ verdict }) => verdict), ["allow", "allow", "ask"]);
  assert.deepEqual(incomplete(reports[2]), ["incomplete.busy"]);
});

test("frames that wait are counted with the scans, and one more is not copied", async () => {
  const scanner = await open({ threads: 1, waiting: 1 });
  const frame = { data: new Uint8Array(64 * 64).fill(128), width: 64, height: 64 };
  let read = 0;
  // Once for its length, and once more to copy it.
  const unread = { ...frame, get data() { return read++ ? assert.fail("it was copied") : frame.data; } };
  // Once more: those that are done no longer count.
  for (const scan of ["scan", "scanFrame", "scanFrame"]) {
    const waiting = [scan === "scan" ? scanner.scan(waves) : scanner.scanFrame(frame, waves), scanner.scanFrame(frame, waves)];
    read = 0;
    for (const busy of [scanner.scanFrame(unread, waves), scanner.scan(waves)]) {
      assert.deepEqual(incomplete(await busy), ["incomplete.busy"]);
    }
    assert.deepEqual((await Promise.all(waiting)).map(({ verdict }) => verdict), ["allow", "allow"]);
  }
});

test("files that wait behind a frame are scanned when it is done, and hear of an abort before", async () => {
  const scanner = await open({ threads: 1 });
  const frame = { data: new Uint8Array(2000 * 2000).fill(128), width: 2000, height: 2000 };
  const first = scanner.scanFrame(frame, waves);
  const abort = new AbortController();
  const order = [];
  const wait = [scanner.scan(testPicture), scanner.scan(waves, { signal: abort.signal }), scanner.scan(waves)];
  wait.forEach((report, n) => report.then(() => order.push(n)));
  first.then(() => order.push("frame"));
  abort.abort();
  assert.deepEqual(incomplete(await wait[1]), ["incomplete.cancelled"]);
  assert.equal((await first).verdict, "allow");
  assert.deepEqual((await Promise.all(wait)).map(({ verdict }) => verdict), ["block", "ask", "allow"]);
  assert.deepEqual(order, [1, "frame", 0, 2]);
});

test("no more than 256 MiB wait", async () => {
  const scanner = await open({ threads: 1 });
  const large = Buffer.alloc(64 * 1024 * 1024);
  const frame = { data: new Uint8Array(large.length - waves.length), width: large.length - waves.length, height: 1 };
  const first = scanner.scan(waves);
  // Too many pixels for a scan, so that it is soon done.
  const wait = [1, 2, 3].map(() => scanner.scan(large)).concat(scanner.scanFrame(frame, waves));
  for (const busy of [scanner.scan(waves), scanner.scanFrame(frame, waves)]) {
    assert.deepEqual(incomplete(await busy), ["incomplete.busy"]);
  }
  assert.equal((await first).verdict, "allow");
  for (const { verdict, findings } of await Promise.all(wait)) {
    assert.equal(verdict, "ask");
    assert.notEqual(findings[0].code, "incomplete.busy");
  }
  assert.equal((await scanner.scan(waves)).verdict, "allow");
});

test("what is no picture, or too much of one, asks", async () => {
  const scanner = await open({ limits: { pixels: 100 } });
  assert.equal((await scanner.scan(Buffer.from("no picture"))).verdict, "ask");
  assert.deepEqual(incomplete(await scanner.scan(waves)), ["incomplete.too-many-pixels"]);
  const cut = await (await open()).scan(waves.subarray(0, 12_000));
  assert.equal(cut.verdict, "ask");
  assert.deepEqual(incomplete(cut), ["incomplete.truncated"]);
});

test("a call that is misused takes no thread's place", async () => {
  const alone = await open({ threads: 1 });
  for (const misused of [{ signal: {} }, { deadlineMs: "10000" }, { deadlineMs: -1 }]) {
    await assert.rejects(alone.scan(testPicture, misused), TypeError);
    assert.throws(() => alone.session(misused), TypeError);
  }
  assert.equal((await alone.scan(testPicture)).verdict, "block");
});

test("what is too large is not copied", () => {
  // In a process of its own, which never had much memory before.
  const script = `
    import { Scanner } from "presend-node";
    const scanner = await Scanner.open({ lists: ${JSON.stringify(lists)}, limits: { inputBytes: 10 } });
    const before = process.resourceUsage().maxRSS;
    // Of memory that nobody has touched, only a copy takes any.
    const picture = new ArrayBuffer(600_000_000);
    const frame = { data: new Uint8Array(1), width: 1, height: 1 };
    const reports = await Promise.all([scanner.scan(picture), scanner.scanFrame(frame, picture)]);
    const told = reports.map(({ verdict, findings }) => [verdict, findings[0].code]);
    console.log(JSON.stringify([told, (process.resourceUsage().maxRSS - before) / 1000]));
  `;
  const printed = execFileSync(process.execPath, ["--input-type=module", "--eval", script]);
  const [told, more] = JSON.parse(printed);
  assert.deepEqual(told, Array(2).fill(["ask", "incomplete.too-many-bytes"]));
  assert.ok(more < 200, `${more} MB`);
});

test("views, array buffers and shared memory are all pictures", async () => {
  const scanner = await open();
  const { buffer, byteOffset, byteLength } = testPicture;
  const whole = buffer.slice(byteOffset, byteOffset + byteLength);
  const shared = new Uint8Array(new SharedArrayBuffer(byteLength));
  shared.set(testPicture);
  for (const picture of [whole, new DataView(whole), shared, shared.buffer]) {
    const report = await scanner.scan(picture);
    assert.equal(report.verdict, "block");
    report.clearance.check(testPicture);
  }
  const { clearance } = await scanner.scan(testPicture);
  for (const bytes of [shared, shared.buffer]) assert.throws(() => clearance.check(bytes), TypeError);
  await assert.rejects(scanner.scan("a path"), TypeError);
  await assert.rejects(scanner.scan(waves, { deadlineMs: "soon" }), TypeError);
});

test("a film is judged frame by frame, and its file is cleared", async () => {
  const scanner = await open();
  const session = scanner.session({ everyMs: 1000 });
  const grey = { data: new Uint8ClampedArray(64 * 64 * 4).fill(128), width: 64, height: 64 };
  assert.equal(await session.pushFrame(grey, 0), "allow");
  assert.deepEqual([await session.isDue(500), await session.isDue(1000)], [false, true]);
  const noise = { data: large(64).subarray(54, 54 + 64 * 64), width: 64, height: 64 };
  assert.equal(await session.pushFrame(noise, 500), "allow");
  assert.equal(await session.pushFrame(noise, 1000), "allow");
  const bytes = Buffer.from(testPicture);
  const pushed = session.pushBytes(bytes.subarray(0, 5000));
  const rest = session.pushBytes(bytes.subarray(5000));
  bytes.fill(0);
  await Promise.all([pushed, rest]);
  const report = await session.finish();
  assert.deepEqual([report.verdict, report.frames, report.reason.rule], ["block", 2, "list.default.exact"]);
  report.clearance.check(testPicture);
  assert.throws(() => report.clearance.check(bytes), NotScannedError);
  await assert.rejects(session.finish(), /finished/);
  const wrong = { data: new Uint8Array(5), width: 2, height: 2 };
  await assert.rejects(scanner.session().pushFrame(wrong, 0), TypeError);
});

test("a frame that is refused was not seen, and neither were bytes", async () => {
  const scanner = await open();
  const grey = { data: new Uint8Array(64 * 64).fill(128), width: 64, height: 64 };
  for (const [refuse, error, cleared] of [
    [(session) => session.pushFrame({ data: new Uint8Array(5), width: 2, height: 2 }, 500), TypeError, true],
    [(session) => session.pushFrame(undefined, 500), TypeError, true],
    // By the native side.
    [(session) => session.pushFrame({ data: new Uint8Array(1), width: 0.5, height: 2 }, 500), Error, true],
    [(session) => session.pushBytes("bytes"), TypeError, false],
  ]) {
    const session = scanner.session();
    assert.equal(await session.pushFrame(grey, 0), "allow");
    await session.pushBytes(waves);
    const refused = assert.rejects(refuse(session), error);
    // In its turn, before what was asked for after it.
    const report = session.finish();
    await refused;
    assert.equal(session.verdict, "ask");
    assert.deepEqual([(await report).verdict, incomplete(await report)], ["ask", ["incomplete.internal"]]);
    const check = async () => (await report).clearance.check(waves);
    if (cleared) await check();
    else await assert.rejects(check(), NotScannedError);
  }
});

test("what fails in the native side was not seen, and what was found stays", async (t) => {
  const { Film } = createRequire(import.meta.url)(`presend-node/presend.${process.platform}-${process.arch}.node`);
  const grey = { data: new Uint8Array(64 * 64).fill(128), width: 64, height: 64 };
  for (const [method, push, verdict] of [
    ["pushFrame", (session) => session.pushFrame(grey, 1000), "block"],
    // The file is not the listed one without its last piece.
    ["pushBytes", (session) => session.pushBytes(waves), "ask"],
  ]) {
    const session = (await open()).session();
    await session.pushFrame(grey, 0);
    await session.pushBytes(testPicture);
    const fails = t.mock.method(Film.prototype, method, () => Promise.reject(new Error("it fails")));
    const pushed = assert.rejects(push(session), /it fails/);
    const finished = session.finish();
    await pushed;
    fails.mock.restore();
    assert.equal(session.verdict, "ask");
    const report = await finished;
    assert.deepEqual([report.verdict, report.frames, incomplete(report)], [verdict, 1, ["incomplete.internal"]]);
  }
});

test("a frame is judged with the file that it comes from", async () => {
  const scanner = await open();
  for (const channels of [1, 3, 4]) {
    const data = new Uint8Array(large(64).subarray(54, 54 + 64 * 64 * channels));
    const picture = Buffer.from(testPicture);
    const scan = scanner.scanFrame({ data, width: 64, height: 64 }, picture, { deadlineMs: 60_000 });
    picture.fill(0);
    const report = await scan;
    assert.deepEqual([report.verdict, report.frames, report.reason.rule], ["block", 1, "list.default.exact"]);
    report.clearance.check(testPicture);
  }
  const wrong = { data: new Uint8Array(2 * 2 * 2), width: 2, height: 2 };
  await assert.rejects(scanner.scanFrame(wrong, waves), TypeError);
  const small = await open({ limits: { inputBytes: 1000 } });
  const grey = { data: new Uint8Array(64 * 64).fill(128), width: 64, height: 64 };
  assert.deepEqual(incomplete(await small.scanFrame(grey, waves)), ["incomplete.too-many-bytes"]);
});

test("an edition of a list takes the place of the one before", async () => {
  const scanner = await open();
  const version = async () => (await scanner.scan(testPicture)).reason.listVersion;
  const session = scanner.session();
  assert.equal(await version(), 1);
  for (const list of [second, readFileSync(second)]) {
    await scanner.reload(list);
    assert.equal(await version(), 2);
  }
  await session.pushBytes(testPicture);
  assert.equal((await session.finish()).reason.listVersion, 1);
  await assert.rejects(scanner.reload(lists[0]), /version/);
  await assert.rejects(scanner.reload(file("examples/matrix/warned/warned.presend")), /no list with the id/);
  await assert.rejects(scanner.reload(waves), Error);
  assert.equal(await version(), 2);
});

test("a session that is aborted, late or empty asks, and no bytes are cleared", async () => {
  const scanner = await open();
  const abort = new AbortController();
  const aborted = scanner.session({ signal: abort.signal });
  abort.abort();
  const late = scanner.session({ deadlineMs: 0 });
  for (const [session, reason] of [[aborted, "cancelled"], [late, "deadline-passed"], [scanner.session(), "malformed"]]) {
    const report = await session.finish();
    assert.equal(report.verdict, "ask");
    assert.ok(incomplete(report).includes(`incomplete.${reason}`));
    assert.throws(() => report.clearance.check(Buffer.alloc(0)), NotScannedError);
  }
});

test("a session begins with the verdict of the engine, and asks once it is aborted", async () => {
  const unlisted = await Scanner.open();
  assert.equal(unlisted.session().verdict, "ask");
  const abort = new AbortController();
  const session = (await open()).session({ signal: abort.signal });
  assert.equal(session.verdict, "allow");
  // Aborted after the native side has judged, and before that is heard.
  const pushed = session.pushBytes(waves);
  await Promise.resolve();
  abort.abort();
  assert.equal(session.verdict, "ask");
  assert.equal(await pushed, "ask");
  assert.equal(session.verdict, "ask");
  const { signal } = new AbortController();
  const finished = (await open()).session({ signal });
  assert.equal(getEventListeners(signal, "abort").length, 1);
  await finished.finish();
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("without a list the answer is to ask", async () => {
  const scanner = await Scanner.open();
  const report = await scanner.scan(waves);
  assert.equal(report.verdict, "ask");
  assert.equal(report.reason.code, "no-data.list");
});

test("a policy is a preset or a text", async () => {
  const scanner = await open({ policy: "off" });
  assert.equal((await scanner.scan(testPicture)).verdict, "allow");
  await assert.rejects(open({ policy: "nonsense = 1" }), /policy line 1/);
});

test("files that cannot be used are refused with a reason", async () => {
  await assert.rejects(Scanner.open({ lists: [waves] }), /not a presend hash list/);
  await assert.rejects(Scanner.open({ lists: [...lists, ...lists] }), /two lists have the id `demo`/);
  const folder = mkdtempSync(path.join(tmpdir(), "presend-"));
  writeFileSync(path.join(folder, "model.toml"), "name = 1");
  await assert.rejects(Scanner.open({ models: [folder] }), /model.toml: line 1/);
  rmSync(folder, { recursive: true });
});

test("a report that is logged shows codes alone", async () => {
  const scanner = await open({ models });
  const report = await scanner.scan(testPicture);
  const label = report.findings.find(({ code }) => code === "label.sexual");
  assert.ok(label.score >= 0 && label.score <= 1);
  const logged = inspect(report, { depth: 10 }) + JSON.stringify(report);
  assert.ok(logged.includes("list.exact"));
  assert.doesNotMatch(logged, /score|blake3|digest: (?!\d)/);
});
