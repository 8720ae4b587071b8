// A Worker and the files that it has opened: one question, one answer. It is of no
// use after the first failure, so whoever hears of one ends it.

export class Engine {
  #worker;
  #asked = new Map();
  #count = 0;
  /** Why it answers no more, or null. */
  #failure = null;

  constructor(worker, files) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data: { id, answer, failure } }) => {
      const { resolve, reject } = this.#asked.get(id) ?? {};
      this.#asked.delete(id);
      if (failure === undefined) resolve?.(answer);
      else reject?.(new Error(failure));
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault?.();
      this.#fail("the Worker cannot run");
    });
    worker.addEventListener("messageerror", () => this.#fail("the Worker cannot be understood"));
    /** What the files are. */
    this.opened = this.ask({ ask: "open", ...files });
    this.opened.catch(() => {});
  }

  ask(question, transfer = []) {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      if (this.#failure) throw this.#failure;
      this.#asked.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...question }, transfer);
    });
  }

  /** Whatever it does. */
  end() {
    this.#worker.terminate();
    this.#fail("the Worker was ended");
  }

  #fail(message) {
    this.#failure ??= new Error(message);
    for (const { reject } of this.#asked.values()) reject(this.#failure);
    this.#asked.clear();
  }
}

/** Milliseconds after a deadline in which the Worker may still answer by itself. */
export const GRACE = 1000;

export function size(picture) {
  const size = picture instanceof Blob ? picture.size : picture?.byteLength;
  if (typeof size !== "number") throw new TypeError("bytes are a Blob, an ArrayBuffer or a view");
  return size;
}

/** A copy for the Worker, made before anybody else can change the bytes. */
export async function copy(picture) {
  size(picture);
  if (picture instanceof Blob) return new Uint8Array(await picture.arrayBuffer());
  const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(picture)
    ? picture
    : { buffer: picture, byteOffset: 0, byteLength: picture.byteLength };
  // Out of shared memory too, where a slice of the buffer would still be shared.
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/** The same of a frame. */
export async function copyFrame(frame) {
  return { width: frame.width, height: frame.height, pixels: await copy(pixelsOf(frame)) };
}

export function pixelsOf({ data, width, height }) {
  if ([1, 3, 4].includes(data?.byteLength / (width * height))) return data;
  throw new TypeError("a frame has one, three or four bytes a pixel");
}
