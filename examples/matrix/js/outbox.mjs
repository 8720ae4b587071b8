// Where presend sits in a matrix-js-sdk client: before `Attachment.encrypt`, in
// Node and in a browser alike. A thumbnail goes out as a picture of its own and is
// scanned as one.
//
// While the person makes up their mind no bytes are held: the files are read again
// before they are encrypted, and the clearance refuses any but those scanned.

import { Attachment } from "@matrix-org/matrix-sdk-crypto-wasm";

export class NotSent extends Error {
  constructor(outcome) {
    super(outcome);
    this.outcome = outcome;
  }
}

export class Outbox {
  #scanner;
  #client;
  #room;

  constructor(scanner, client, room) {
    this.#scanner = scanner;
    this.#client = client;
    this.#room = room;
  }

  /** The file's report, then the thumbnail's. Nothing has been given to the SDK. */
  async scan(picture) {
    const reports = [];
    for (const file of files(picture)) {
      reports.push(await this.#scanner.scan(await file.read(), { deadlineMs: 10_000 }));
    }
    return reports;
  }

  /** Encrypts, uploads and sends what `decide` let go; resolves to the event's id. */
  async send(picture, mayGo) {
    const reports = MayGo.reports(mayGo);
    // All of them, before the first is encrypted.
    const cleared = [];
    for (const [index, file] of files(picture).entries()) {
      cleared.push(await clear(reports[index], await file.read()));
    }
    const [file, thumbnail] = await this.#upload(cleared);
    const info = { mimetype: picture.contentType, size: cleared[0].length };
    if (thumbnail) {
      info.thumbnail_file = thumbnail;
      info.thumbnail_info = { mimetype: "image/jpeg", size: cleared[1].length };
    }
    const content = { msgtype: "m.image", body: picture.name, file, info };
    return (await this.#client.sendMessage(this.#room, content)).event_id;
  }

  async #upload(cleared) {
    const uploaded = [];
    for (const bytes of cleared) {
      const encrypted = Attachment.encrypt(bytes);
      const { mediaEncryptionInfo, encryptedData } = encrypted;
      encrypted.free();
      const blob = new Blob([encryptedData], { type: "application/octet-stream" });
      const { content_uri: url } = await this.#client.uploadContent(blob, { includeFilename: false });
      uploaded.push({ ...JSON.parse(mediaEncryptionInfo), url });
    }
    return uploaded;
  }
}

/** A picture that may go on: only `decide` makes one. */
class MayGo {
  #reports;

  constructor(reports) {
    this.#reports = reports;
  }

  static reports(mayGo) {
    return mayGo.#reports;
  }
}

/** Throws unless the picture may go on. `ask` shows the person why it might not. */
export async function decide(reports, ask) {
  const report = gravest(reports);
  if (report.verdict === "block") throw new NotSent("blocked");
  if (report.verdict !== "allow" && !(await ask(report))) throw new NotSent("declined");
  return new MayGo(reports);
}

const VERDICTS = ["allow", "warn", "ask", "block"];

/** The report that decides. */
export function gravest(reports) {
  return reports.reduce((a, b) => (VERDICTS.indexOf(b.verdict) > VERDICTS.indexOf(a.verdict) ? b : a));
}

function files({ file, thumbnail }) {
  return thumbnail ? [file, thumbnail] : [file];
}

/** The bytes that may be encrypted: in a browser a copy that nobody else holds. */
async function clear(report, bytes) {
  try {
    return (await report.clearance.check(bytes)) ?? bytes;
  } catch (error) {
    if (error.name === "NotScannedError") throw new NotSent("refused");
    throw error;
  }
}
