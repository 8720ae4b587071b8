// A film or a live picture, frame by frame. It has a Worker of its own: whatever ends
// another scan does not end this one.

import { GRACE, copy, copyFrame } from "./engine-worker.js";
import { GRAVITY } from "./report.js";

export class Session {
  #engine;
  #notScanned;
  #makeReport;
  #verdict;
  /** Why there is no more Worker, or null. */
  #missed = null;
  #finished = false;
  #answered = false;
  /** No longer listens to the signals and the clock. */
  #release;
  /** Resolves when everything before is done. */
  #last;

  /** Use `scanner.session`. */
  constructor(engine, settings, due, signals, { begins, notScanned }, makeReport) {
    const cancel = () => this.#end("cancelled");
    let timer;
    this.#release = () => {
      clearTimeout(timer);
      signals.forEach((signal) => signal.removeEventListener("abort", cancel));
    };
    this.#verdict = begins;
    signals.forEach((signal) => signal.addEventListener("abort", cancel));
    this.#engine = engine;
    this.#notScanned = notScanned;
    this.#makeReport = makeReport;
    const left = () => Math.max(0, due - performance.now());
    if (due < Infinity) {
      // The Worker sees to the deadline itself, unless it hangs or never starts.
      const wait = () => {
        if (left() === 0) this.#end("deadline-passed");
        else timer = setTimeout(wait, Math.min(left() + GRACE, 2 ** 31 - 1));
      };
      timer = setTimeout(wait, Math.min(left() + GRACE, 2 ** 31 - 1));
    }
    this.#last = engine.opened.then(() => {
      const limits = { ...settings.limits };
      if (due < Infinity) limits.deadlineMs = left();
      return engine.ask({ ask: "begin", ...settings, limits });
    });
    this.#last.catch(() => this.#end("internal"));
    if (signals.some(({ aborted }) => aborted)) cancel();
  }

  get verdict() {
    return this.#verdict;
  }

  async isDue(atMs) {
    return (await this.#ask(() => ({ ask: "isDue", atMs }))) ?? false;
  }

  async pushFrame(frame, atMs) {
    return this.#push("frame", copyFrame(frame).then((copied) => ({ ...copied, atMs })));
  }

  async pushBytes(piece) {
    return this.#push("bytes", copy(piece).then((piece) => ({ piece })));
  }

  async finish() {
    const asked = this.#ask(() => ({ ask: "finish" }));
    this.#finished = true;
    const answer = await asked;
    this.#answered = true;
    this.#release();
    this.#engine.end();
    if (answer) return this.#makeReport(answer);
    // What was found before is lost, but not what followed from it.
    return this.#makeReport({ ...this.#notScanned[this.#missed], verdict: this.#verdict });
  }

  cancel() {
    if (!this.#answered) this.#end("cancelled");
  }

  /** What cannot be copied was not seen. The Worker hears that in its turn, and who misuses it hears why. */
  async #push(ask, copied) {
    let refused;
    const given = copied.catch((error) => {
      refused = error;
    });
    const answer = (await this.#ask(async () => ({ ask, ...(await given) }))) ?? "allow";
    // Only now: what ended the session meanwhile has made it graver.
    this.#verdict = graver(this.#verdict, answer);
    if (refused instanceof TypeError) throw refused;
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
