// presend in Node and Electron. Native threads scan; files that wait for one wait
// here, where an abort or a deadline reaches them at once. Bytes are copied before
// `scan` returns, so nobody changes them between the scan and its answer.

"use strict";

const { availableParallelism } = require("node:os");
const native = require(`../presend.${process.platform}-${process.arch}.node`);

const GRAVITY = ["allow", "warn", "ask", "block"];

class Scanner {
  #native;
  #limits;
  #threads;
  #waitingLimit;
  #running = 0;
  #queue = [];
  /** Bytes that each call of `scanFrame` holds, which waits or runs. */
  #frames = new Set();

  /** Use `Scanner.open`. */
  constructor(opened, threads, { limits = {}, waiting = 64 }) {
    this.#native = opened;
    this.#limits = limits;
    this.#threads = threads;
    this.#waitingLimit = waiting;
  }

  static async open({ lists = [], models = [], policy, threads, ...options } = {}) {
    threads = Math.min(threads ?? Math.min(availableParallelism(), 4), 64);
    lists = lists.map((list) => (typeof list === "string" ? list : view(list)));
    return new Scanner(await native.open({ lists, models, policy, threads }), threads, options);
  }

  async scan(picture, { deadlineMs, signal } = {}) {
    check({ deadlineMs, signal });
    const due = performance.now() + (deadlineMs ?? Infinity);
    if (signal?.aborted) return this.#notScanned("cancelled");
    // Before anything is copied.
    if (size(picture) > (this.#limits.inputBytes ?? INPUT_BYTES)) return this.#notScanned("too-many-bytes");
    if (!this.#hasRoom(picture.byteLength)) return this.#notScanned("busy");
    const job = { picture: view(picture), bytes: picture.byteLength, due, cancel: new native.Cancel() };
    if (this.#hasThread) {
      this.#running++;
      return this.#run(job, signal);
    }
    job.picture = new Uint8Array(job.picture);
    const missed = await this.#turn(job, signal);
    return missed ? this.#notScanned(missed) : this.#run(job, signal);
  }

  async scanFrame(frame, picture, { deadlineMs, signal } = {}) {
    if (size(picture) > (this.#limits.inputBytes ?? INPUT_BYTES)) return this.#notScanned("too-many-bytes");
    const held = { bytes: size(frame.data) + picture.byteLength };
    if (!this.#hasRoom(held.bytes)) return this.#notScanned("busy");
    const session = this.session({ deadlineMs, signal });
    this.#frames.add(held);
    // Both are copied before anything is waited for; the session ends whatever they are.
    const pushed = Promise.all([session.pushFrame(frame, 0), session.pushBytes(picture)]);
    const finished = session.finish().finally(() => {
      this.#frames.delete(held);
      if (this.#queue.length > 0 && this.#hasThread) {
        this.#running++;
        this.#queue[0].settle();
      }
    });
    const [report] = await Promise.all([finished, pushed]);
    return report;
  }

  async reload(list) {
    await this.#native.reload(typeof list === "string" ? list : view(list));
  }

  session({ everyMs = 1000, passedOver = 120, deadlineMs, signal, limits } = {}) {
    check({ deadlineMs, signal });
    const cancel = new native.Cancel();
    const settings = { ...this.#limits, ...limits };
    if (deadlineMs !== undefined) settings.deadlineMs = deadlineMs;
    const film = this.#native.session(settings, cancel, everyMs, passedOver);
    const cancelled = this.#native.notScanned("cancelled").verdict;
    return new Session(film, () => cancel.cancel(), cancelled, signal);
  }

  get #hasThread() {
    return this.#running + this.#frames.size < this.#threads;
  }

  /** Whether one more call, of so many bytes, may wait or has a thread. */
  #hasRoom(bytes) {
    if (this.#hasThread) return true;
    const taken = this.#running + this.#queue.length + this.#frames.size;
    const wait = [...this.#frames, ...this.#queue].reduce((sum, waits) => sum + waits.bytes, 0);
    return taken < this.#threads + this.#waitingLimit && (wait === 0 || wait + bytes <= WAITING_BYTES);
  }

  /**
   * Scans on one of the threads, and hands it on. The native side copies the bytes
   * before this returns its promise.
   */
  async #run({ picture, due, cancel }, signal) {
    const abort = () => cancel.cancel();
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    try {
      const settings = { ...this.#limits };
      if (due < Infinity) settings.deadlineMs = Math.max(0, due - performance.now());
      const scan = this.#native.scan(picture, settings, cancel);
      return await scan.then((report) => new Report(report), () => this.#notScanned("internal"));
    } finally {
      signal?.removeEventListener("abort", abort);
      if (this.#queue.length > 0) this.#queue[0].settle();
      else this.#running--;
    }
  }

  /** Waits for a thread; resolves to the reason if it never comes. */
  #turn(job, signal) {
    return new Promise((resolve) => {
      const abort = () => job.settle("cancelled");
      let timer;
      job.settle = (missed) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#queue = this.#queue.filter((other) => other !== job);
        resolve(missed);
      };
      signal?.addEventListener("abort", abort);
      if (job.due < Infinity) {
        const left = Math.min(job.due - performance.now(), 2 ** 31 - 1);
        timer = setTimeout(() => job.settle("deadline-passed"), left);
      }
      this.#queue.push(job);
    });
  }

  #notScanned(reason) {
    return new Report(this.#native.notScanned(reason));
  }
}

class Session {
  #film;
  #verdict;
  #finished = false;
  /** No longer listens to the signal. */
  #release;
  /** Resolves when everything before is done. */
  #last = Promise.resolve();

  /** Use `scanner.session`. */
  constructor(film, cancel, cancelled, signal) {
    this.#film = film;
    this.#verdict = film.verdict();
    const abort = () => {
      cancel();
      this.#verdict = graver(this.#verdict, cancelled);
    };
    this.#release = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
  }

  get verdict() {
    return this.#verdict;
  }

  isDue(atMs) {
    return this.#ask(() => this.#film.isDue(atMs));
  }

  async pushFrame(frame, atMs) {
    const push = ({ pixels, width, height }) => this.#film.pushFrame(pixels, width, height, atMs);
    return this.#push(copyFrame(frame), push, () => this.#film.leaveOutFrame());
  }

  async pushBytes(piece) {
    return this.#push(copy(piece), (copied) => this.#film.pushBytes(copied), () => this.#film.leaveOutBytes());
  }

  async finish() {
    const report = this.#ask(() => this.#film.finish());
    this.#finished = true;
    // Should the native side lose what it had found, what followed from it stays.
    const { verdict, ...rest } = await report.finally(this.#release);
    return new Report({ ...rest, verdict: graver(this.#verdict, verdict) });
  }

  /** What is refused was not seen: the caller hears why, and the session says so from that turn on. */
  async #push(copied, push, leaveOut) {
    let refused;
    // Told below, in its turn.
    copied.catch(() => {});
    const verdict = await this.#ask(() =>
      copied.then(push).catch((error) => {
        refused = error;
        return leaveOut();
      }),
    );
    // Read now: it may have become graver meanwhile.
    this.#verdict = graver(this.#verdict, verdict);
    if (refused) throw refused;
    return this.#verdict;
  }

  async #ask(ask) {
    if (this.#finished) throw new Error("the session is finished");
    const answer = this.#last.then(ask);
    this.#last = answer.catch(() => {});
    return answer;
  }
}

function graver(a, b) {
  return GRAVITY.indexOf(a) < GRAVITY.indexOf(b) ? b : a;
}

// Logged or turned into JSON, a report shows codes alone: scores and the digest are
// behind getters and methods, which neither follows.

class Report {
  constructor({ verdict, findings, clearance, media, frames, inferences, timings }) {
    this.verdict = verdict;
    this.findings = findings.map((finding) => new Finding(finding));
    this.clearance = new Clearance(clearance);
    this.media = media ?? null;
    this.frames = frames;
    this.inferences = inferences;
    this.timings = timings;
  }

  get reason() {
    const [first] = this.findings;
    return first && GRAVITY.indexOf(first.verdict) > 0 ? first : null;
  }
}

class Finding {
  #score;

  constructor({ score, ...shown }) {
    Object.assign(this, shown);
    this.#score = score;
  }

  get score() {
    return this.#score;
  }
}

class Clearance {
  #clearance;

  constructor(clearance) {
    this.#clearance = clearance;
  }

  check(bytes) {
    if ((bytes?.buffer ?? bytes) instanceof SharedArrayBuffer) {
      throw new TypeError("others may change shared memory after the check; copy the bytes out of it first");
    }
    if (!this.#clearance.holds(view(bytes))) throw new NotScannedError();
  }
}

class NotScannedError extends Error {
  name = "NotScannedError";

  constructor() {
    super("these bytes were not scanned; scan them before sending");
  }
}

/** Before anything is begun that would have to be taken back. */
function check({ deadlineMs, signal }) {
  if (!(deadlineMs === undefined || (typeof deadlineMs === "number" && deadlineMs >= 0))) {
    throw new TypeError("deadlineMs is a number of milliseconds");
  }
  if (!(signal == null || signal instanceof AbortSignal)) throw new TypeError("signal is an AbortSignal");
}

/** The engine's own limit, where the host gives none. */
const INPUT_BYTES = 64 * 1024 * 1024;

/** What may wait in all; one call alone may hold more. */
const WAITING_BYTES = 256 * 1024 * 1024;

function size(bytes) {
  if (!(bytes instanceof ArrayBuffer || bytes instanceof SharedArrayBuffer || ArrayBuffer.isView(bytes))) {
    throw new TypeError("a picture is a Buffer, an ArrayBuffer or a view");
  }
  return bytes.byteLength;
}

/** Copied before it returns; it rejects what is refused. */
async function copy(bytes) {
  return new Uint8Array(view(bytes));
}

/** The same of a frame. */
async function copyFrame({ data, width, height }) {
  if (![1, 3, 4].includes(size(data) / (width * height))) {
    throw new TypeError("a frame has one, three or four bytes a pixel");
  }
  return { pixels: await copy(data), width, height };
}

/** The bytes, not copied unless others may write to them at any time. */
function view(bytes) {
  size(bytes);
  if (!ArrayBuffer.isView(bytes)) bytes = new Uint8Array(bytes);
  const { buffer, byteOffset, byteLength } = bytes;
  const seen = new Uint8Array(buffer, byteOffset, byteLength);
  return buffer instanceof SharedArrayBuffer ? new Uint8Array(seen) : seen;
}

module.exports = { Clearance, Finding, NotScannedError, Report, Scanner, Session };
