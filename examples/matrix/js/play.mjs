// Plays a plan (see ../play.py) with whatever scans and reads files here.

import { logger } from "matrix-js-sdk/lib/logger.js";
import { NotSent, Outbox, decide, gravest } from "./outbox.mjs";
import { Inbox, logIn, room } from "./person.mjs";

/**
 * `files.read(path)` and `files.replace(path, other)` reach the files of the plan,
 * `memory.reset()` and `memory.grown()` tell the most that was held, in bytes.
 */
export async function play(plan, { scanner, files, memory, tell }) {
  logger.setLevel("silent");
  const alice = await logIn(plan.homeserver, plan.alice, "indexedDB" in globalThis);
  const bob = await logIn(plan.homeserver, plan.bob, false);
  const id = await room(alice, bob);
  const outbox = new Outbox(scanner, alice, id);
  const inbox = new Inbox(bob, id);
  const picture = ({ file, thumbnail, content_type: contentType }) => ({
    name: file.split("/").pop(),
    contentType,
    file: { read: () => files.read(file) },
    thumbnail: thumbnail && { read: () => files.read(thumbnail) },
  });
  for (const step of plan.steps) await tell(await playStep(step, picture(step)));
  await tell(await playAlbum(plan.album.map(picture)));
  // Whatever else was sent would be here by now, or come before the album.
  await tell({ done: true, unexpected: inbox.length });
  alice.stopClient();
  bob.stopClient();

  async function playStep(step, outgoing) {
    let asked = false;
    const ask = async () => {
      asked = true;
      if (step.swap) await files.replace(step.file, step.swap);
      return step.answer;
    };
    const reports = await outbox.scan(outgoing);
    const { verdict, reason } = gravest(reports);
    const told = { step: step.name, verdict, code: reason?.code ?? null, rule: reason?.rule ?? null };
    try {
      const mayGo = await decide(reports, ask);
      const event = await outbox.send(outgoing, mayGo);
      const received = await inbox.next();
      if (received.event !== event) throw new Error("another picture arrived");
      return { ...told, asked, outcome: "sent", files: received.files };
    } catch (error) {
      if (!(error instanceof NotSent)) throw error;
      return { ...told, asked, outcome: error.outcome, files: [] };
    }
  }

  // All are scanned before the first is sent; what is kept of each meanwhile is its
  // report alone.
  async function playAlbum(album) {
    await memory.reset();
    const decided = [];
    for (const outgoing of album) {
      const reports = await outbox.scan(outgoing);
      decided.push([outgoing, await decide(reports, () => false)]);
    }
    const toScan = await memory.grown();
    for (const [outgoing, mayGo] of decided) await outbox.send(outgoing, mayGo);
    const arrived = [];
    while (arrived.length < album.length) arrived.push(await inbox.next());
    return {
      step: "an album",
      outcome: "sent",
      files: arrived.flatMap(({ files }) => files),
      memory: [toScan, await memory.grown()],
    };
  }
}
