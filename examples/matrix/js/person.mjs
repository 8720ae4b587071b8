// A person with a client: logs in, keeps in step with the server, and takes in what
// others send.

import { Attachment, EncryptedAttachment } from "@matrix-org/matrix-sdk-crypto-wasm";
import * as matrix from "matrix-js-sdk";

/** Keeps its keys on the device or in memory alone: IndexedDB has room for one person. */
export async function logIn(baseUrl, { user, password }, useIndexedDB) {
  const { access_token: accessToken, device_id: deviceId } = await matrix
    .createClient({ baseUrl })
    .loginRequest({ type: "m.login.password", identifier: { type: "m.id.user", user }, password });
  const client = matrix.createClient({ baseUrl, accessToken, deviceId, userId: user });
  await client.initRustCrypto({ useIndexedDB });
  const ready = until(client, matrix.ClientEvent.Sync, (state) => state === "PREPARED");
  await client.startClient();
  await ready;
  return client;
}

/** The id of an encrypted room with both in it. */
export async function room(alice, bob) {
  const encryption = { algorithm: "m.megolm.v1.aes-sha2" };
  const { room_id: id } = await alice.createRoom({
    preset: "private_chat",
    invite: [bob.getUserId()],
    initial_state: [{ type: "m.room.encryption", state_key: "", content: encryption }],
  });
  await bob.joinRoom(id);
  const joined = () => alice.getRoom(id)?.getJoinedMemberCount() === 2;
  while (!joined()) await until(alice, matrix.RoomStateEvent.Members, () => true, 1000);
  // What is sent to a room that is not encrypted goes out in the clear.
  while (!(await alice.getCrypto().isEncryptionEnabledInRoom(id))) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return id;
}

/** What arrives from now on, fetched from the server and decrypted, in its order. */
export class Inbox {
  #arrived = [];
  #waiting = null;

  constructor(client, roomId) {
    client.on(matrix.MatrixEventEvent.Decrypted, (event) => {
      if (event.getRoomId() !== roomId || event.getSender() === client.getUserId()) return;
      this.#arrived.push(receive(client, event));
      this.#waiting?.();
    });
  }

  get length() {
    return this.#arrived.length;
  }

  async next() {
    if (!this.#arrived.length) {
      await new Promise((resolve, reject) => {
        this.#waiting = resolve;
        setTimeout(() => reject(new Error("nothing arrives")), 60_000).unref?.();
      });
      this.#waiting = null;
    }
    return await this.#arrived.shift();
  }
}

async function receive(client, event) {
  const { msgtype, file, info } = event.getContent();
  if (msgtype !== "m.image" || !file) throw new Error("something other than an encrypted picture arrived");
  const files = [];
  for (const part of [file, info.thumbnail_file]) {
    if (part) files.push({ uri: part.url, plaintext: await sha256(await fetchFile(client, part)) });
  }
  return { event: event.getId(), files };
}

async function fetchFile(client, file) {
  const url = client.mxcUrlToHttp(file.url, undefined, undefined, undefined, undefined, true, true);
  const headers = { Authorization: `Bearer ${client.getAccessToken()}` };
  const response = await fetch(url, { headers, cache: "no-store" });
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  const ciphertext = new Uint8Array(await response.arrayBuffer());
  return Attachment.decrypt(new EncryptedAttachment(ciphertext, JSON.stringify(file)));
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Resolves when the event comes and is the one, or when time is up. */
function until(emitter, name, isTheOne, timeout) {
  return new Promise((resolve) => {
    const done = () => {
      emitter.off(name, listen);
      resolve();
    };
    const listen = (...event) => isTheOne(...event) && done();
    emitter.on(name, listen);
    if (timeout) setTimeout(done, timeout);
  });
}
