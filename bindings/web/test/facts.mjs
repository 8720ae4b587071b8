// What a host relies on: facts that hold in a browser and in Node alike. Each gets
// `open`, which opens a scanner with the demonstration list, the bytes of files, and
// `started`, the number of Workers so far; `note` says something about the run.

export const facts = {
  async "the test picture is blocked by the demonstration list"({ open, files }) {
    const scanner = await open({ model: true });
    same(scanner.lists.map(({ id, version }) => [id, version]), [["demo", 1]]);
    same(scanner.models.map(({ name }) => name), ["nsfwjs-mid"]);
    const report = await scanner.scan(files.testPicture);
    same(report.verdict, "block");
    same([report.reason.list, report.reason.rule], ["demo", "list.default.exact"]);
    same(report.media, { format: "png", width: 512, height: 512, scale: 1 });
    holds(codes(report).includes("list.near") && codes(report).includes("label.sexual"));
    holds(report.timings.total > 0 && report.timings.classify > 0, "the clock goes");
    scanner.close();
  },

  async "another picture is allowed, and its bytes are cleared"({ open, files, NotScannedError }) {
    const scanner = await open({ model: true });
    const report = await scanner.scan(new Blob([files.waves]));
    same([report.verdict, report.reason], ["allow", null]);
    holds(report.inferences > 0);
    const cleared = await report.clearance.check(files.waves);
    same([cleared.length, cleared.every((byte, at) => byte === files.waves[at])], [files.waves.length, true]);
    holds(cleared.buffer !== files.waves.buffer, "the cleared bytes are a copy");
    same(await refusal(report.clearance.check(files.testPicture)), NotScannedError);
    scanner.close();
  },

  async "what the caller does to its bytes afterwards changes nothing"({ open, files, NotScannedError }) {
    const scanner = await open();
    const swapped = files.testPicture.slice();
    const scan = scanner.scan(swapped);
    swapped.set(files.waves.subarray(0, swapped.length));
    const report = await scan;
    same(report.verdict, "block");
    await report.clearance.check(files.testPicture);
    same(await refusal(report.clearance.check(swapped)), NotScannedError);
    scanner.close();
  },

  async "the page goes on while a picture is scanned"({ open, note }) {
    const scanner = await open({ model: true });
    const picture = large(3000);
    /** Ticks of a timer until it is done. */
    const ticks = async (work) => {
      let count = 0;
      const timer = setInterval(() => count++, 0);
      const done = await work();
      clearInterval(timer);
      return [count, done];
    };
    const [beside, report] = await ticks(() => scanner.scan(picture));
    same(report.media.width, 3000);
    // The same time spent in the page itself.
    const [instead] = await ticks(async () => {
      const end = performance.now() + report.timings.total;
      while (performance.now() < end);
    });
    note(`${beside} ticks of a timer during a scan of ${Math.round(report.timings.total)} ms, ${instead} where it blocks`);
    holds(beside > 10 + 10 * instead);
    scanner.close();
  },

  async "an abort ends a scan that runs, and the next one is answered"({ open, files }) {
    const scanner = await open();
    const abort = new AbortController();
    const running = scanner.scan(large(4000), { signal: abort.signal });
    const waiting = scanner.scan(files.testPicture);
    await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort();
    same(incomplete(await running), ["incomplete.cancelled"]);
    same((await running).verdict, "ask");
    same((await waiting).verdict, "block");
    scanner.close();
  },

  async "an abort takes a scan out of the queue"({ open, files, NotScannedError }) {
    const scanner = await open();
    const first = scanner.scan(files.waves);
    const abort = new AbortController();
    const second = scanner.scan(files.testPicture, { signal: abort.signal });
    abort.abort();
    same(incomplete(await second), ["incomplete.cancelled"]);
    const third = await scanner.scan(files.waves, { signal: AbortSignal.abort() });
    same(incomplete(third), ["incomplete.cancelled"]);
    same(await refusal(third.clearance.check(files.waves)), NotScannedError);
    same((await first).verdict, "allow");
    scanner.close();
  },

  async "a deadline that has passed asks"({ open, files }) {
    const scanner = await open();
    const [runs, waits] = await Promise.all([
      scanner.scan(files.testPicture, { deadlineMs: 0 }),
      scanner.scan(files.testPicture, { deadlineMs: 0 }),
    ]);
    for (const report of [runs, waits]) {
      same(report.verdict, "ask");
      holds(codes(report).includes("incomplete.deadline-passed"));
    }
    scanner.close();
  },

  async "a trap is incomplete, and the next scan has another Worker"({ open, files, started, NotScannedError }) {
    // The module can have a few megabytes, and a scan of a large picture traps.
    const scanner = await open({ wasm: files.narrow });
    const picture = large(2500);
    const before = started();
    const trapped = await scanner.scan(picture);
    same(incomplete(trapped), ["incomplete.internal"]);
    same(trapped.verdict, "ask");
    same(await refusal(trapped.clearance.check(picture)), NotScannedError);
    same((await scanner.scan(files.testPicture)).verdict, "block");
    same(started(), before + 1);
    const session = await scanner.session();
    same(await session.pushFrame(files.testFrame, 0), "block");
    await session.pushBytes(picture);
    const report = await session.finish();
    // What it was is lost; that it was blocked is not.
    same([report.verdict, incomplete(report)], ["block", ["incomplete.internal"]]);
    scanner.close();
  },

  async "a film is blocked at the frame that is listed, and its file is cleared"({ open, files, NotScannedError }) {
    const scanner = await open();
    const session = await scanner.session({ everyMs: 1000 });
    const grey = { data: new Uint8ClampedArray(64 * 64 * 4).fill(128), width: 64, height: 64 };
    same(await session.pushFrame(grey, 0), "allow");
    same([await session.isDue(500), await session.isDue(1000)], [false, true]);
    same(await session.pushFrame(files.testFrame, 500), "allow");
    same(await session.pushFrame(files.testFrame, 1000), "block");
    same(await session.pushFrame(grey, 2000), "block");
    await session.pushBytes(files.waves.subarray(0, 9000));
    await session.pushBytes(files.waves.subarray(9000));
    const report = await session.finish();
    same([report.verdict, report.frames, report.reason.rule], ["block", 3, "list.default.near"]);
    await report.clearance.check(files.waves);
    same(await refusal(report.clearance.check(files.testPicture)), NotScannedError);
    same(await refusal(session.finish()), Error);
    same(await refusal((await scanner.session()).pushFrame({ data: new Uint8Array(5), width: 2, height: 2 }, 0)), TypeError);
    scanner.close();
  },

  async "a frame is judged with the file that it comes from"({ open, files }) {
    const scanner = await open();
    const { data, width, height } = files.testFrame;
    const rgb = data.filter((_, at) => at % 4 < 3);
    for (const pixels of [data, rgb]) {
      const report = await scanner.scanFrame({ data: pixels, width, height }, files.waves);
      same([report.verdict, report.frames, report.reason.rule], ["block", 1, "list.default.near"]);
      await report.clearance.check(files.waves);
    }
    same(await refusal(scanner.scanFrame({ data: new Uint8Array(8), width: 2, height: 2 }, files.waves)), TypeError);
    scanner.close();
    const small = await open({ limits: { inputBytes: 1000 } });
    same(incomplete(await small.scanFrame(files.testFrame, files.waves)), ["incomplete.too-many-bytes"]);
    small.close();
  },

  async "an edition of a list takes the place of the one before"({ open, files, started }) {
    const scanner = await open();
    const version = async () => (await scanner.scan(files.testPicture)).reason.listVersion;
    same(await version(), 1);
    const before = started();
    await scanner.reload(files.second);
    same([await version(), scanner.lists[0].version, started()], [2, 2, before]);
    for (const refused of [files.demo, files.warned, files.waves]) same(await refusal(scanner.reload(refused)), Error);
    same([await version(), started()], [2, before]);
    // The Workers to come open it, too.
    const abort = new AbortController();
    const scan = scanner.scan(large(4000), { signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    same(incomplete(await scan), ["incomplete.cancelled"]);
    same([await version(), started()], [2, before + 1]);
    scanner.close();
  },

  async "a session that is aborted, late or empty asks, and no bytes are cleared"({ open, files, NotScannedError }) {
    const scanner = await open();
    const abort = new AbortController();
    const aborted = await scanner.session({ signal: abort.signal });
    same(await aborted.pushFrame(files.testFrame, 0), "block");
    abort.abort();
    const report = await aborted.finish();
    same([report.verdict, incomplete(report)], ["block", ["incomplete.cancelled"]]);
    same(await refusal(report.clearance.check(new Uint8Array(0))), NotScannedError);
    const late = await (await scanner.session({ deadlineMs: 0 })).finish();
    holds(late.verdict === "ask" && codes(late).includes("incomplete.deadline-passed"));
    const empty = await (await scanner.session()).finish();
    same([empty.verdict, incomplete(empty)], ["ask", ["incomplete.malformed"]]);
    const left = await scanner.session();
    scanner.close();
    same(incomplete(await left.finish()), ["incomplete.cancelled"]);
  },

  async "a Worker that never answers is given up at the deadline"({ open, files, NotScannedError }) {
    let silent = false;
    const worker = (start) => {
      const started = start();
      // Hears nothing from then on, as one in an endless loop.
      const { postMessage } = started;
      started.postMessage = (...given) => silent || postMessage.apply(started, given);
      return started;
    };
    const scanner = await open({ wrap: worker });
    const report = await scanner.scan(files.waves);
    silent = true;
    const session = await scanner.session({ deadlineMs: 10 });
    same([session.verdict, await session.pushFrame(files.testFrame, 0)], ["allow", "ask"]);
    same(incomplete(await session.finish()), ["incomplete.deadline-passed"]);
    same(await scanner.hash(files.waves, { deadlineMs: 10 }), null);
    same(await refusal(report.clearance.check(files.waves, { deadlineMs: 10 })), NotScannedError);
    scanner.close();
  },

  async "a session begins with the verdict of the engine, and asks once it is aborted"({ open }) {
    const unlisted = await open({ lists: [] });
    same((await unlisted.session()).verdict, "ask");
    unlisted.close();
    const scanner = await open();
    const abort = new AbortController();
    const session = await scanner.session({ signal: abort.signal });
    same(session.verdict, "allow");
    abort.abort();
    same(session.verdict, "ask");
    scanner.close();
  },

  async "twenty at once are all answered, each for itself"({ open, files }) {
    const scanner = await open({ model: true });
    const pictures = Array.from({ length: 20 }, (_, n) => (n % 2 ? files.testPicture : files.waves));
    const reports = await Promise.all(pictures.map((picture) => scanner.scan(picture)));
    same(reports.map(({ verdict }) => verdict), pictures.map((p) => (p === files.waves ? "allow" : "block")));
    await Promise.all(reports.map((report, n) => report.clearance.check(pictures[n])));
    scanner.close();
  },

  async "one more than may wait is busy, and too large is too large"({ open, files }) {
    const scanner = await open({ waiting: 1, limits: { inputBytes: files.waves.length } });
    const reports = await Promise.all([1, 2, 3].map(() => scanner.scan(files.waves)));
    same(reports.map(({ verdict }) => verdict), ["allow", "allow", "ask"]);
    same(incomplete(reports[2]), ["incomplete.busy"]);
    const report = await scanner.scan(large(200));
    same([report.verdict, incomplete(report)], ["ask", ["incomplete.too-many-bytes"]]);
    scanner.close();
  },

  async "frames wait with the scans, and one more than may is not copied"({ open, files, started }) {
    const scanner = await open({ waiting: 1 });
    const before = started();
    const { testFrame, waves } = files;
    let read = false;
    const unread = { width: 1, height: 1, data: { byteLength: 1, get length() { return (read = true); } } };
    for (const first of [() => scanner.scan(waves), () => scanner.scanFrame(testFrame, waves)]) {
      const waiting = [first(), scanner.scanFrame(testFrame, waves)];
      for (const busy of [scanner.scanFrame(unread, waves), scanner.scan(waves)]) {
        same(incomplete(await busy), ["incomplete.busy"]);
      }
      same((await waiting[1]).verdict, "block");
      await waiting[0];
    }
    same([started(), read], [before, false]);
    scanner.close();
  },

  async "no more than 256 MiB wait"({ open, files }) {
    const scanner = await open();
    const first = scanner.scan(files.waves);
    const wait = [1, 2, 3, 4].map(() => scanner.scan(new Uint8Array(64 * 1024 * 1024)));
    same(incomplete(await scanner.scan(files.waves)), ["incomplete.busy"]);
    same((await first).verdict, "allow");
    for (const report of await Promise.all(wait)) {
      same([report.verdict, incomplete(report).includes("incomplete.busy")], ["ask", false]);
    }
    same((await scanner.scan(files.waves)).verdict, "allow");
    scanner.close();
  },

  async "none may wait, and one runs all the same"({ open, files }) {
    const scanner = await open({ waiting: 0 });
    const reports = await Promise.all([scanner.scan(files.waves), scanner.scan(files.waves)]);
    same(reports.map(({ verdict }) => verdict), ["allow", "ask"]);
    scanner.close();
  },

  async "a session that hangs in its end is ended by a cancel"({ open, files }) {
    const scanner = await open();
    const session = await scanner.session();
    await session.pushFrame(files.testFrame, 0);
    const report = session.finish();
    session.cancel();
    same([(await report).verdict, incomplete(await report)], ["block", ["incomplete.cancelled"]]);
    session.cancel();
    same(session.verdict, "block");
    scanner.close();
  },

  async "a frame that is refused was not seen, and neither were bytes"({ open, files, NotScannedError }) {
    const scanner = await open();
    const grey = { data: new Uint8Array(64 * 64).fill(128), width: 64, height: 64 };
    for (const [refuse, error, cleared] of [
      [(session) => session.pushFrame({ data: new Uint8Array(5), width: 2, height: 2 }, 500), TypeError, null],
      [(session) => session.pushFrame(undefined, 500), TypeError, null],
      // By the Worker alone.
      [(session) => session.pushFrame({ data: new Uint8Array(1), width: 0.5, height: 2 }, 500), null, null],
      [(session) => session.pushBytes("bytes"), TypeError, NotScannedError],
    ]) {
      const session = await scanner.session();
      same(await session.pushFrame(grey, 0), "allow");
      await session.pushBytes(files.waves);
      same(await refusal(refuse(session)), error);
      same(session.verdict, "ask");
      // It goes on, and what comes then is found.
      same(await session.pushFrame(files.testFrame, 1000), "block");
      const refused = refusal(refuse(session));
      const report = await session.finish();
      same(await refused, error);
      same([report.verdict, report.frames, report.reason.rule], ["block", 2, "list.default.near"]);
      same(incomplete(report), ["incomplete.internal"]);
      same(await refusal(report.clearance.check(files.waves)), cleared);
    }
    scanner.close();
  },

  async "what is no picture asks, and what is no byte is refused"({ open, files }) {
    const scanner = await open();
    same((await scanner.scan(new TextEncoder().encode("no picture"))).verdict, "ask");
    const cut = await scanner.scan(files.waves.subarray(0, 12_000));
    holds(cut.verdict === "ask" && codes(cut).includes("incomplete.truncated"));
    same(await refusal(scanner.scan("a path")), TypeError);
    for (const misused of [{ deadlineMs: "10000" }, { deadlineMs: -1 }, { signal: {} }]) {
      same(await refusal(scanner.scan(files.waves, misused)), TypeError);
      same(await refusal(scanner.session(misused)), TypeError);
    }
    const scan = scanner.scan(large(3000));
    scanner.close();
    same(incomplete(await scan), ["incomplete.cancelled"]);
    same(await refusal(scanner.scan(files.waves)), Error);
  },

  async "files that cannot be used are refused with a reason"({ open, files }) {
    for (const [options, reason] of [
      [{ lists: [files.waves] }, /not a presend hash list/],
      [{ lists: [files.demo, files.demo] }, /two lists have the id `demo`/],
      [{ policy: "nonsense = 1" }, /policy line 1/],
      [{ models: [{ description: new Blob(["name = 1"]), onnx: files.demo, golden: files.demo }] }, /model.toml: line 1/],
    ]) {
      const message = await open(options).then(() => "", (error) => error.message);
      holds(reason.test(message), message);
    }
  },

  async "the hash is that of the command"({ open, files }) {
    const scanner = await open();
    const { bits, quality } = await scanner.hash(files.waves);
    const hex = [...bits].reverse().map((byte) => byte.toString(16).padStart(2, "0")).join("");
    same(`${hex} ${quality}`, files.wavesHash);
    same(await scanner.hash(new Uint8Array(3)), null);
    scanner.close();
  },

  async "a report that is made JSON shows codes alone"({ open, files }) {
    const scanner = await open({ model: true });
    const report = await scanner.scan(files.testPicture);
    const label = report.findings.find(({ code }) => code === "label.sexual");
    holds(label.score >= 0 && label.score <= 1);
    const json = JSON.stringify(report);
    holds(json.includes("list.exact") && !/score|blake3/.test(json), json);
    scanner.close();
  },
};

/** A bitmap of noise, of `side` x `side` pixels. */
export function large(side) {
  const bytes = new Uint8Array(54 + side * side * 3);
  const header = new DataView(bytes.buffer);
  header.setUint16(0, 0x424d);
  header.setUint32(2, bytes.length, true);
  header.setUint32(10, 54, true);
  header.setUint32(14, 40, true);
  header.setInt32(18, side, true);
  header.setInt32(22, side, true);
  header.setUint16(26, 1, true);
  header.setUint16(28, 24, true);
  let state = 1;
  for (let at = 54; at < bytes.length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const codes = (report) => report.findings.map(({ code }) => code);

const incomplete = (report) => codes(report).filter((code) => code.startsWith("incomplete."));

const refusal = (promise) => promise.then(() => null, (error) => error.constructor);

function same(actual, expected) {
  const [a, e] = [actual, expected].map((value) => (typeof value === "function" ? value : JSON.stringify(value)));
  if (a !== e) throw new Error(`${a?.name ?? a}\nwhere this is due:\n${e?.name ?? e}`);
}

function holds(condition, what = "what must hold does not") {
  if (!condition) throw new Error(what);
}
