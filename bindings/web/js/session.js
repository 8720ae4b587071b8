// A film or a live picture, frame by frame. It has a Worker of its own: whatever ends
// another scan does not end this one.

import { copy } from "./engine-worker.js";
import { GRAVITY } from "./report.js";

export class Session {
  #engine;
  #notScanned;
  #makeReport;
  #verdict = "allow";
  /** Why there is no more Worker, or null. */
  #missed = null;
  #finished = false;
  /** No longer listens to the signals. */
  #release;
  /** Resolves when everything before is done. */
  #last;

  /** Use `scanner.session`. */
  constructor(engine, settings, signals, notScanned, makeReport) {
    const cancel = () => this.cancel();
    this.#release = () => signals.forEach((signal) => signal.removeEventListener("abort", cancel));
    signals.forEach((signal) => signal.addEventListener("abort", cancel));
    this.#engine = engine;
    this.#notScanned = notScanned;
    this.#makeReport = makeReport;
    this.#last = engine.opened.then(() => engine.ask({ ask: "begin", ...settings }));
    this.#last.catch(() => this.#end("internal"));
    if (signals.some(({ aborted }) => aborted)) cancel();
  }

  get verdict() {
    return this.#verdict;
  }

  async isDue(atMs) {
    return (await this.#ask(() => ({ ask: "isDue", atMs }))) ?? false;
  }

  async pushFrame({ data, width, height }, atMs) {
    if (![width * height, width * height * 4].includes(data?.byteLength) || !(width > 0 && height > 0)) {
      throw new TypeError("a frame has one or four bytes a pixel");
    }
    const copied = copy(data);
    return this.#judge(async () => ({ ask: "frame", pixels: await copied, width, height, atMs }));
  }

  async pushBytes(piece) {
    const copied = copy(piece);
    // Told below, in its turn.
    copied.catch(() => {});
    return this.#judge(async () => ({ ask: "bytes", piece: await copied }));
  }

  async finish() {
    const asked = this.#ask(() => ({ ask: "finish" }));
    this.#finished = true;
    const answer = await asked;
    this.#release();
    this.#engine.end();
    if (answer) return this.#makeReport(answer);
    // What was found before is lost, but not what followed from it.
    return this.#makeReport({ ...this.#notScanned[this.#missed], verdict: this.#verdict });
  }

  cancel() {
    if (!this.#finished) this.#end("cancelled");
  }

  async #judge(question) {
    const verdict = (await this.#ask(question)) ?? "allow";
    // Read now: it may have become graver meanwhile.
    this.#verdict = graver(this.#verdict, verdict);
    return this.#verdict;
  }

  /** The answer, after those to all that was asked before; null once there is none. */
  async #ask(question) {
    if (this.#finished) throw new Error("the session is finished");
    const answer = this.#last.then(async () => {
      const asked = await question();
      const bytes = asked.pixels ?? asked.piece;
      return this.#engine.ask(asked, bytes ? [bytes.buffer] : []);
    });
    this.#last = answer;
    try {
      return await answer;
    } catch {
      this.#end("internal");
      return null;
    }
  }

  #end(reason) {
    if (this.#missed) return;
    this.#missed = reason;
    this.#release();
    this.#verdict = graver(this.#verdict, this.#notScanned[reason].verdict);
    this.#engine.end();
  }
}

function graver(a, b) {
  return GRAVITY.indexOf(a) < GRAVITY.indexOf(b) ? b : a;
}
