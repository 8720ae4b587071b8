// A report as the page sees it. Logged or turned into JSON it shows codes alone:
// scores and the digest are behind getters, which neither follows.

/** Verdicts, mildest first. */
export const GRAVITY = ["allow", "warn", "ask", "block"];

export class Report {
  constructor({ verdict, findings, blake3, media, frames, inferences, timings }, check) {
    this.verdict = verdict;
    this.findings = findings.map((finding) => new Finding(finding));
    this.clearance = new Clearance(blake3, check);
    this.media = media;
    this.frames = frames;
    this.inferences = inferences;
    this.timings = timings;
  }

  /** The finding that decided; null when all is well. */
  get reason() {
    const [first] = this.findings;
    return first && GRAVITY.indexOf(first.verdict) > 0 ? first : null;
  }
}

export class Finding {
  #score;

  constructor({ score, ...shown }) {
    Object.assign(this, shown);
    this.#score = score;
  }

  get score() {
    return this.#score;
  }
}

export class Clearance {
  #digest;
  #check;

  constructor(digest, check) {
    this.#digest = digest;
    this.#check = check;
  }

  async check(bytes, options) {
    const checked = this.#digest && (await this.#check(bytes, this.#digest, options));
    if (!checked) throw new NotScannedError();
    return checked;
  }
}

export class NotScannedError extends Error {
  name = "NotScannedError";

  constructor() {
    super("these bytes were not scanned; scan them before sending");
  }
}
