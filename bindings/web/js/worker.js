// What runs in the Worker: one request after the other, by the module that the
// page has compiled. Whatever goes wrong after the start is told to the page, which
// then ends this Worker: after a trap the module's memory is in no known state.

import { Builder, Settings, blake3, hash, initSync } from "./engine.js";

let scanner;
let session;

const answers = {
  async open({ module, lists, models, policy }) {
    initSync({ module });
    const builder = new Builder();
    if (policy !== undefined) builder.policy(policy);
    for (const list of lists) builder.list(await bytes(list));
    for (const { description, onnx, golden } of models) {
      builder.model(description, await bytes(onnx), [await bytes(golden)]);
    }
    scanner = builder.build();
    sever();
    // No bytes change nothing, and tell what a session begins with.
    const begins = scanner.session(new Settings(), 0, 0).push_bytes(new Uint8Array(0));
    return { lists: scanner.lists(), models: scanner.models(), notScanned: scanner.not_scanned(), begins };
  },
  scan({ picture, frame, limits }) {
    if (!frame) return scanner.scan(picture, settings(limits));
    const session = scanner.session(settings(limits), 0, 0);
    session.push_frame(frame.pixels, frame.width, frame.height, 0);
    session.push_bytes(picture);
    return session.finish();
  },
  begin({ limits, everyMs, passedOver }) {
    session = scanner.session(settings(limits), everyMs, passedOver);
  },
  isDue: ({ atMs }) => session.is_due(atMs),
  frame: ({ pixels, width, height, atMs }) => session.push_frame(pixels, width, height, atMs),
  bytes: ({ piece }) => session.push_bytes(piece),
  finish: () => session.finish(),
  // A list that is refused is no defect, and this Worker goes on. That is an Error and
  // nothing more: a trap and a stack that overflows are kinds of it.
  reload({ picture }) {
    try {
      return { place: scanner.reload(picture), lists: scanner.lists() };
    } catch (error) {
      if (error?.constructor !== Error) throw error;
      return { refused: error.message };
    }
  },
  hash: ({ picture, limits }) => hash(picture, settings(limits)),
  // The bytes go back: nobody has changed this copy since it was checked.
  check({ picture, digest }) {
    const own = blake3(picture);
    return own.every((byte, at) => byte === digest[at]) ? picture : null;
  },
};

self.onmessage = async ({ data: { id, ask, ...request } }) => {
  try {
    const answer = await answers[ask](request);
    self.postMessage({ id, answer }, answer instanceof Uint8Array ? [answer.buffer] : []);
  } catch (error) {
    self.postMessage({ id, failure: error instanceof Error ? error.message : "unknown" });
  }
};

/**
 * Before the first picture: nothing that runs here needs the network again, and what
 * tries finds no way to it. `import()` is syntax and stays; only a policy stops it.
 */
function sever() {
  for (const name of NETWORK) {
    for (let owner = self; owner; owner = Object.getPrototypeOf(owner)) delete owner[name];
  }
}

/** Whatever fetches, or starts something that can. */
const NETWORK = [
  "fetch", "fetchLater", "XMLHttpRequest", "EventSource", "WebSocket", "WebSocketStream", "WebTransport",
  "RTCPeerConnection", "importScripts", "Worker", "SharedWorker", "caches", "Cache", "CacheStorage",
  "fonts", "FontFace", "FontFaceSet", "Notification",
];

function settings(limits) {
  const settings = new Settings();
  for (const [name, value] of Object.entries(limits)) settings.set(name, value);
  return settings;
}

async function bytes(blob) {
  return new Uint8Array(await blob.arrayBuffer());
}
