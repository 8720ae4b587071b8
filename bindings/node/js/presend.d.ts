// The types of presend.js. Times are milliseconds, sizes bytes or pixels.

/** What to do with the picture, mildest first. */
export type Verdict = "allow" | "warn" | "ask" | "block";

/** A picture's file, exactly as it would be sent. A Buffer is a view. */
export type Picture = ArrayBufferLike | ArrayBufferView;

/** What one scan may spend; whatever is over it is `incomplete`. */
export interface Limits {
  /** Largest input. Default 64 MiB. */
  inputBytes?: number;
  /** Pixels decoded in one scan, all frames together. Default 100 million. */
  pixels?: number;
  /** Frames looked at in one scan. Default 64. */
  frames?: number;
  /** Memory held for decoding at one time. Default 512 MiB. */
  memoryBytes?: number;
}

export interface OpenOptions {
  /** `.presend` files: their paths, or their bytes. */
  lists?: (string | Picture)[];
  /** Models' folders. */
  models?: string[];
  /** `default`, `teen`, `off`, or the text of a policy file. Default `default`. */
  policy?: string;
  limits?: Limits;
  /** Threads that scan. Default one for each processor, 4 at most. */
  threads?: number;
  /**
   * Calls of `scan` and `scanFrame` that may wait beside those that run; one more is `incomplete.busy`,
   * and so is one whose bytes make more than 256 MiB wait, those of every frame that runs included. Default 64.
   */
  waiting?: number;
}

export interface ScanOptions {
  /** From the call, the wait included. A single inference is not interrupted. */
  deadlineMs?: number;
  /** Ends a scan that waits or runs; the answer is `incomplete.cancelled`. */
  signal?: AbortSignal;
}

/** Scans on threads of its own, in the order of the calls. */
export class Scanner {
  private constructor();

  /** Rejects when a file cannot be read or used; the message says why. */
  static open(options?: OpenOptions): Promise<Scanner>;

  /**
   * Copies the bytes before it returns, and scans the copy. Rejects only where it
   * is misused. Whatever keeps a picture from being looked at is a finding with a
   * verdict.
   */
  scan(picture: Picture, options?: ScanOptions): Promise<Report>;

  /**
   * Scans pixels that the host decoded from the picture's file, for media that presend
   * does not decode itself (HEIC). The report clears the file's bytes.
   */
  scanFrame(frame: Frame, picture: Picture, options?: ScanOptions): Promise<Report>;

  /**
   * Compares with this edition of a list from now on, in the place of the one with its
   * id. Scans and sessions that run end with the editions that they began with. Rejects
   * what is no list, replaces none, or is older; then all stays as it was.
   */
  reload(list: string | Picture): Promise<void>;

  /** Begins a film or a live picture. Its frames share the threads with the scans. */
  session(options?: SessionOptions): Session;
}

export interface SessionOptions {
  /** From one frame that is looked at to the next; 0 looks at every one. Default 1000. */
  everyMs?: number;
  /** Frames that are passed over in a row at most, whatever their times say. Default 120. */
  passedOver?: number;
  /** For the whole session, from its start. Default none. */
  deadlineMs?: number;
  /** Ends the session; its report is `incomplete.cancelled`. */
  signal?: AbortSignal;
  /** For the whole session: those of the scanner where they are not given. */
  limits?: Limits;
}

/** Decoded pixels, rows top to bottom without padding. An ImageData is one. */
export interface Frame {
  /** Four bytes a pixel (RGBA, not premultiplied), three (RGB) or one (luma). */
  data: ArrayBufferView;
  width: number;
  height: number;
}

/**
 * A film or a live picture, frame by frame from the host's own decoder.
 * Await each call before the next: what waits holds its pixels.
 */
export class Session {
  private constructor();
  /** So far; it never becomes milder. */
  readonly verdict: Verdict;
  /** Whether a frame of this time would be looked at. Pushing only those, and the last, saves the others. */
  isDue(atMs: number): Promise<boolean>;
  /**
   * Takes the next frame, shown so long after the start; resolves to the verdict so far.
   * Rejects what is no frame. Nobody has seen that one, so the session is
   * `incomplete.internal` from then on.
   */
  pushFrame(frame: Frame, atMs: number): Promise<Verdict>;
  /**
   * Reads the next bytes of the film's file, as it would be sent, so that the report
   * clears them. Rejects as `pushFrame` does, and then the report clears none.
   */
  pushBytes(piece: Picture): Promise<Verdict>;
  /** Looks at the last frame, and ends. Without bytes the report clears none. */
  finish(): Promise<Report>;
}

/** The answer to one scan. Safe to log. */
export class Report {
  private constructor();
  /** The gravest verdict of all findings. */
  readonly verdict: Verdict;
  /** Everything found, gravest first. */
  readonly findings: readonly Finding[];
  /** The finding that decided; null when all is well. */
  readonly reason: Finding | null;
  readonly clearance: Clearance;
  readonly media: Media | null;
  /** Displayed frames that were looked at. */
  readonly frames: number;
  /** Inferences of all models together. */
  readonly inferences: number;
  readonly timings: Timings;
}

export class Finding {
  private constructor();
  /** Stable, such as `list.near` or `incomplete.truncated`. */
  readonly code: string;
  /** A sentence for people. */
  readonly text: string;
  /** What follows from this finding alone. */
  readonly verdict: Verdict;
  /** The rule of the policy that says so, such as `list.default.near`. */
  readonly rule: string;
  /** Of `list.exact` and `list.near`. */
  readonly list?: string;
  readonly listVersion?: number;
  /** Of `list.exact`: the digest that met. */
  readonly algorithm?: string;
  /** Of `list.near`: what was done to the original, and the frame, from 0. */
  readonly view?: string;
  readonly frame?: number;
  /** Of `label.*`. */
  readonly model?: string;
  readonly modelVersion?: string;
  readonly label?: string;
  /** 0 to 1. Not shown where a finding is logged or made JSON. */
  readonly score: number | undefined;
}

/** Ties a report to the scanned bytes. */
export class Clearance {
  private constructor();
  /**
   * Call it just before encrypting. Throws NotScannedError for any other bytes, and
   * TypeError for shared memory, which may change after the check.
   */
  check(bytes: ArrayBuffer | ArrayBufferView): void;
}

/** The bytes are not the ones that were scanned. */
export class NotScannedError extends Error {
  name: "NotScannedError";
}

export interface Media {
  format: "jpeg" | "png" | "gif" | "webp" | "bmp";
  /** Pixels of the first frame, upright. */
  width: number;
  height: number;
  /** Rows and columns that one decoded pixel stood for: 1, 2, 4 or 8. */
  scale: number;
}

export interface Timings {
  digest: number;
  sniff: number;
  decode: number;
  hash: number;
  views: number;
  lookup: number;
  classify: number;
  policy: number;
  /** From start to end. */
  total: number;
}
