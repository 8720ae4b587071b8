// presend in a page. The scan runs in a module Worker, so that the page goes on;
// it takes one picture at a time, and the others wait here. A Worker that scans
// hears nothing, so what has to stop it ends it: an abort, a deadline long past,
// or a trap. Another one takes its place, from files that the page has kept.

import { Engine, GRACE, copy, copyFrame, pixelsOf, size } from "./engine-worker.js";
import { Report } from "./report.js";
import { Session } from "./session.js";

export { Session } from "./session.js";
export { Clearance, Finding, NotScannedError, Report } from "./report.js";

export class Scanner {
  #files;
  #limits;
  #waitingLimit;
  #makeWorker;
  #worker = null;
  #opened = null;
  #queue = [];
  #running = null;
  #closing = new AbortController();

  /** Use `Scanner.open`. */
  constructor(files, { limits = {}, waiting = 64, worker }) {
    this.#files = files;
    this.#limits = { inputBytes: 64 * 1024 * 1024, ...limits };
    this.#waitingLimit = waiting;
    this.#makeWorker =
      worker ?? (() => new Worker(new URL("./worker.js", import.meta.url), { type: "module" }));
  }

  static async open({ lists = [], models = [], policy, wasm, ...options } = {}) {
    const [module, ...opened] = await Promise.all([
      compile(wasm ?? new URL("./engine_bg.wasm", import.meta.url)),
      Promise.all(lists.map(blob)),
      Promise.all(models.map(model)),
    ]);
    const scanner = new Scanner({ module, lists: opened[0], models: opened[1], policy }, options);
    await scanner.#start();
    return scanner;
  }

  get lists() {
    return this.#opened.lists;
  }

  get models() {
    return this.#opened.models;
  }

  async scan(picture, options) {
    return this.#scan(picture, null, options);
  }

  async scanFrame(frame, picture, options) {
    pixelsOf(frame);
    return this.#scan(picture, frame, options);
  }

  async #scan(picture, frame, { deadlineMs, signal } = {}) {
    if (this.#closed) throw new Error("the scanner is closed");
    valid({ deadlineMs, signal });
    const due = performance.now() + (deadlineMs ?? Infinity);
    if (size(picture) > this.#limits.inputBytes) return this.#notScanned("too-many-bytes");
    const bytes = size(picture) + (frame?.data.byteLength ?? 0);
    const wait = this.#queue.reduce((sum, waits) => sum + (waits.bytes ?? 0), 0);
    const full = this.#queue.length >= this.#waitingLimit || (wait > 0 && wait + bytes > WAITING_BYTES);
    if (this.#running && full) return this.#notScanned("busy");
    const job = { ask: "scan", due, bytes, copied: copy(picture), frame: frame && copyFrame(frame) };
    const answer = await this.#enqueue(job, signal);
    return answer.missed ? this.#notScanned(answer.missed) : this.#report(answer);
  }

  async session({ everyMs = 1000, passedOver = 120, deadlineMs, signal, limits } = {}) {
    if (this.#closed) throw new Error("the scanner is closed");
    valid({ deadlineMs, signal });
    const due = performance.now() + (deadlineMs ?? Infinity);
    const settings = { limits: { ...this.#limits, ...limits }, everyMs, passedOver };
    const engine = new Engine(this.#makeWorker(), this.#files);
    const signals = signal ? [signal, this.#closing.signal] : [this.#closing.signal];
    const makeReport = (answer) => this.#report(answer);
    return new Session(engine, settings, due, signals, this.#opened, makeReport);
  }

  async reload(list) {
    if (this.#closed) throw new Error("the scanner is closed");
    const file = await blob(list);
    const answer = await this.#enqueue({ ask: "reload", due: Infinity, copied: copy(file) });
    if (answer.missed) throw new Error("no Worker has taken the list");
    if (answer.refused) throw new Error(answer.refused);
    // For the Workers to come.
    this.#files = { ...this.#files, lists: this.#files.lists.with(answer.place, file) };
    this.#opened.lists = answer.lists;
  }

  async hash(picture, { deadlineMs, signal } = {}) {
    valid({ deadlineMs, signal });
    size(picture);
    const due = performance.now() + (deadlineMs ?? Infinity);
    const answer = await this.#enqueue({ ask: "hash", due, copied: copy(picture) }, signal);
    return answer?.missed ? null : answer;
  }

  close() {
    this.#closing.abort();
    for (const job of [this.#running, ...this.#queue]) job?.settle({ missed: "cancelled" });
    this.#queue = [];
    this.#discard();
  }

  get #closed() {
    return this.#closing.signal.aborted;
  }

  #report(answer) {
    return new Report(answer, (...given) => this.#check(...given));
  }

  #notScanned(reason) {
    return this.#report(this.#opened.notScanned[reason]);
  }

  async #check(bytes, digest, { deadlineMs, signal } = {}) {
    valid({ deadlineMs, signal });
    size(bytes);
    const due = performance.now() + (deadlineMs ?? Infinity);
    const answer = await this.#enqueue({ ask: "check", due, copied: copy(bytes), digest }, signal);
    return answer?.missed ? null : answer;
  }

  /** Resolves to the Worker's answer, or to `{ missed }`: why there is none. */
  #enqueue(job, signal) {
    // Of a job that is given up nobody reads the copies.
    job.copied.catch(() => {});
    job.frame?.catch(() => {});
    return new Promise((resolve) => {
      const abort = () => this.#give(job, "cancelled");
      let timer;
      job.settle = (answer) => {
        signal?.removeEventListener("abort", abort);
        clearTimeout(timer);
        if (this.#running === job) this.#running = null;
        resolve(answer);
        this.#next();
      };
      if (signal?.aborted || this.#closed) return job.settle({ missed: "cancelled" });
      signal?.addEventListener("abort", abort);
      if (job.due < Infinity) {
        const wait = () => {
          // The Worker sees to the deadline itself, unless it hangs.
          if (this.#running === job && performance.now() < job.due + GRACE) {
            timer = setTimeout(wait, GRACE);
          } else {
            this.#give(job, "deadline-passed");
          }
        };
        timer = setTimeout(wait, Math.min(job.due - performance.now(), 2 ** 31 - 1));
      }
      // Whoever checks is about to send; scans can wait for that.
      if (job.ask === "check") this.#queue.unshift(job);
      else this.#queue.push(job);
      this.#next();
    });
  }

  /** Ends a job before its answer has come. */
  #give(job, reason) {
    if (this.#running === job) this.#discard();
    else this.#queue = this.#queue.filter((other) => other !== job);
    job.settle({ missed: reason });
  }

  async #next() {
    if (this.#running || this.#closed || this.#queue.length === 0) return;
    const job = (this.#running = this.#queue.shift());
    const { ask, copied, digest, due } = job;
    let worker;
    try {
      const [picture, frame] = [await copied, await job.frame];
      if (this.#running !== job) return;
      worker = await this.#start();
      if (this.#running !== job) return;
      const limits = { ...this.#limits };
      if (due < Infinity) limits.deadlineMs = Math.max(0, due - performance.now());
      const buffers = [picture, frame?.pixels].flatMap((bytes) => bytes?.buffer ?? []);
      const answer = await worker.ask({ ask, picture, frame, limits, digest }, buffers);
      if (this.#running === job) job.settle(answer);
    } catch {
      // A file that cannot be read, a Worker that cannot start, or a trap.
      if (this.#running !== job) return;
      if (worker) this.#discard();
      job.settle({ missed: "internal" });
    }
  }

  /** The Worker, with its files open. */
  async #start() {
    this.#worker ??= new Engine(this.#makeWorker(), this.#files);
    const worker = this.#worker;
    try {
      this.#opened = await worker.opened;
      return worker;
    } catch (error) {
      if (this.#worker === worker) this.#end();
      throw error;
    }
  }

  /** Ends the Worker and starts the next, which opens its files meanwhile. */
  #discard() {
    this.#end();
    // Should that fail, the next job hears of it when it starts one more.
    if (!this.#closed) this.#start().catch(() => {});
  }

  #end() {
    this.#worker?.end();
    this.#worker = null;
  }
}

/** What may wait in all; one scan alone may hold more. */
const WAITING_BYTES = 256 * 1024 * 1024;

/** Before anything is begun that would have to be taken back. */
function valid({ deadlineMs, signal }) {
  if (!(deadlineMs === undefined || (typeof deadlineMs === "number" && deadlineMs >= 0))) {
    throw new TypeError("deadlineMs is a number of milliseconds");
  }
  if (!(signal == null || signal instanceof AbortSignal)) throw new TypeError("signal is an AbortSignal");
}

async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source === "string" || source instanceof URL) source = await fetched(source);
  if (source instanceof Response) source = await source.arrayBuffer();
  return WebAssembly.compile(source);
}

async function fetched(source) {
  const response = await fetch(source);
  if (!response.ok) throw new Error(`${source} cannot be fetched: status ${response.status}`);
  return response;
}

/** Kept as a Blob, which the browser can hold outside of the page's memory. */
async function blob(source) {
  if (typeof source === "string" || source instanceof URL) source = await fetched(source);
  if (source instanceof Response) return source.blob();
  // A Blob may be a file, or part of one, which others change or take away.
  return new Blob([source instanceof Blob ? await source.arrayBuffer() : source]);
}

async function model({ description, onnx, golden }) {
  const [text, ...files] = await Promise.all([description, onnx, golden].map(blob));
  return { description: await text.text(), onnx: files[0], golden: files[1] };
}
