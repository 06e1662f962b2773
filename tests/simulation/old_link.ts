/**
 * One link of a replica of an older version to its master, from its connecting to its end: see old_replica.ts, which
 * keeps what outlives a link.
 */

import { toLatin1 } from "../../src/base/bytes.ts";
import { LinkSocket } from "../../src/replication/link_socket.ts";
import { type Payload, payloadOf } from "../../src/replication/sync_receiver.ts";
import { encode } from "../support/resp_client.ts";
import type { OldReplica } from "./old_replica.ts";
import { PORT } from "./simulated_server.ts";
import { nextCommand } from "./stream_text.ts";

/** How long it goes on without a word of its master, in ms. */
const TIMEOUT_MS = 10_000;
/** Of a server that has just been started: what it asks for is of no history that a master knows. */
const OWN_HISTORY = "0123456789".repeat(4);

/** Why a link has ended, for the log. */
export class LinkEnd extends Error {}

/** One link, from its connecting to its end. */
export class OldLink {
  isOver = false;
  /** Whether the stream is applied. */
  isUp = false;
  /** Whether it is to bring all anew. */
  isFull = false;
  /** Bytes of the stream that have come, and that have been applied, as offsets of the master. */
  read = 0;
  applied = 0;
  readonly master: string;
  #isSync = false;
  #socket: LinkSocket | null = null;
  #cancel: () => void = () => {};
  readonly #buffer = new Uint8Array(16_384);
  #from = 0;
  #to = 0;
  readonly #outgoing: Uint8Array[] = [];
  #lastReadMs: number;
  #isFrozen = false;

  constructor(readonly replica: OldReplica, readonly number: number) {
    this.master = replica.follows;
    this.#lastReadMs = replica.server.server!.core.clock.monotonic();
  }

  /** What it tells its master, and goes on from. */
  get offset(): number {
    return this.replica.version.hasPsync2 ? this.applied : this.read;
  }

  get acknowledges(): boolean {
    return this.isUp && !this.#isSync;
  }

  async run(): Promise<void> {
    try {
      const { runtime } = this.replica.server.server!;
      const attempt = LinkSocket.connect(runtime.network, this.master, PORT, null, "");
      this.#cancel = () => attempt.cancel();
      this.#socket = await attempt.socket;
      await this.#shakeHands();
      const isPartial = await this.#ask();
      if (!isPartial) await this.#sync();
      await this.#follow();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // What the link itself does wrong is a fault of the test.
      if (error instanceof TypeError || error instanceof RangeError) throw error;
      this.end(error.message);
    }
  }

  end(why: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#cancel();
    this.#socket?.close();
    this.replica.ended(this, why);
    this.isUp = false;
  }

  /** Once a second. */
  tick(steadyMs: number): void {
    if (steadyMs - this.#lastReadMs > TIMEOUT_MS && !this.#isFrozen) return this.end("timeout");
    if (this.acknowledges) this.#acknowledge();
  }

  #acknowledge(): void {
    this.#send("REPLCONF", "ACK", String(this.offset));
  }

  // -- handshake ---------------------------------------------------------------------------------

  async #shakeHands(): Promise<void> {
    const { capabilities } = this.replica.version.manners;
    this.#send("PING");
    const pong = await this.#line();
    if (!pong.startsWith("+")) throw new LinkEnd(`PING: ${pong}`);
    this.#send("REPLCONF", "listening-port", String(PORT));
    await this.#line();
    if (capabilities === null) return;
    this.#send("REPLCONF", ...capabilities.flatMap((capability) => ["capa", capability]));
    await this.#line();
  }

  /** Whether the stream goes on where it was. */
  async #ask(): Promise<boolean> {
    const { replica } = this;
    const { version, history } = replica;
    if (version.manners.capabilities === null) return this.#askForSync();
    const own = version.hasPsync2 && replica.upCount === 0 && replica.refusedCount === 0;
    if (history !== null) this.#send("PSYNC", history.id, String(history.offset + 1));
    else if (own) this.#send("PSYNC", OWN_HISTORY, "1");
    else this.#send("PSYNC", "?", "-1");
    let answer = "";
    while (answer === "") answer = await this.#line();
    replica.lastAnswer = answer;
    const full = /^\+FULLRESYNC ([0-9a-f]{40}) (\d+)$/.exec(answer);
    if (full !== null) {
      this.isFull = true;
      replica.history = { id: full[1], offset: Number(full[2]) };
      return false;
    }
    if (answer.startsWith("+CONTINUE")) {
      if (history === null) throw replica.fault(answer, ["nothing was asked for"]);
      const id = /^\+CONTINUE ([0-9a-f]{40})$/.exec(answer)?.[1];
      if ((id !== undefined) !== version.hasPsync2) replica.fault("an answer to PSYNC", [answer]);
      if (id !== undefined) history.id = id;
      this.read = this.applied = history.offset;
      replica.partialCount++;
      return true;
    }
    // Since 4.0 it is known that these errors pass.
    if (version.hasPsync2 && /^-(NOMASTERLINK|LOADING)/.test(answer)) throw new LinkEnd(answer);
    replica.history = null;
    return this.#askForSync();
  }

  #askForSync(): boolean {
    this.#isSync = this.isFull = true;
    this.#send("SYNC");
    return false;
  }

  // -- sync --------------------------------------------------------------------------------------

  async #sync(): Promise<void> {
    const { replica } = this;
    const { version, server } = replica;
    const bytes = await this.#snapshot();
    const refusal = version.snapshotRefusal(bytes);
    if (refusal !== null) {
      // That it is too new is how a master learns from 4.0 on what can be sent.
      const isLearnt = refusal.startsWith("Can't handle") && version.hasPsync2;
      if (!isLearnt) replica.fault(refusal, []);
      replica.refusedCount++;
      throw new LinkEnd(refusal);
    }
    const core = server.server!.core;
    const load = core.persistence.beginReplicaLoad({ totalBytes: null, mode: "stream" });
    load.push(bytes, 0, bytes.length);
    try {
      await load.finish();
    } catch (error) {
      throw replica.fault(`a snapshot that cannot be loaded: ${error}`, []);
    }
    if (this.isOver) return load.abandon();
    load.swap();
    replica.loaded(load.replicationDatabase);
    this.read = this.applied = replica.history?.offset ?? 0;
  }

  /** The bytes of the snapshot that comes. */
  async #snapshot(): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    let line = "";
    while (line === "") line = await this.#line();
    const payload: Payload | null = payloadOf(
      line,
      (bytes, offset, length) => parts.push(bytes.slice(offset, offset + length)),
    );
    if (payload === null) {
      this.replica.lastAnswer = line;
      throw new LinkEnd(`no snapshot: ${line}`);
    }
    while (!payload.isComplete) {
      if (this.#from === this.#to) await this.#read();
      this.#from = payload.take(this.#buffer, this.#from, this.#to);
    }
    const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  // -- the stream --------------------------------------------------------------------------------

  async #follow(): Promise<void> {
    const { replica } = this;
    const { core } = replica.server.server!;
    this.isUp = true;
    replica.upCount++;
    this.#lastReadMs = core.clock.monotonic();
    for (;;) {
      if (this.#from === this.#to) await this.#read();
      if (this.isOver) return;
      const { length } = replica.text;
      replica.text += toLatin1(this.#buffer, this.#from, this.#to - this.#from);
      this.read += replica.text.length - length;
      this.#from = this.#to;
      await this.#applyAll();
      if (this.isOver) return;
    }
  }

  async #applyAll(): Promise<void> {
    const { replica } = this;
    for (;;) {
      let found;
      try {
        found = nextCommand(replica.text);
      } catch (error) {
        throw replica.fault(`Protocol error: ${error}`, [replica.text.slice(0, 100)]);
      }
      if (found === null) return;
      // Whom it asks for it has not counted this one yet.
      this.#apply(found.words);
      replica.text = replica.text.slice(found.size);
      await this.#whileParked();
      if (this.isOver) return;
      if (replica.queue === null) this.applied = this.read - replica.text.length;
    }
  }

  /** A command that takes long goes on in slices. */
  async #whileParked(): Promise<void> {
    const { client, server } = this.replica;
    const { timers } = server.server!.runtime;
    this.#isFrozen = true;
    while (client!.park !== null) await new Promise<void>((resolve) => timers.after(1, resolve));
    this.#isFrozen = false;
  }

  #apply(words: string[]): void {
    const { replica } = this;
    const { version } = replica;
    const name = words[0].toLowerCase();
    const refusal = version.refusal(words);
    if (refusal !== null) {
      replica.fault(refusal, words);
      replica.isQueueBad = replica.queue !== null;
      return;
    }
    if (name === "multi") replica.queue = [];
    else if (name === "exec") {
      const queue = replica.queue;
      if (queue === null) throw replica.fault("EXEC without MULTI", words);
      replica.queue = null;
      if (!replica.isQueueBad) { for (const each of queue) this.#carryOut(each); }
      replica.isQueueBad = false;
    } else if (replica.queue !== null) replica.queue.push(words);
    else this.#carryOut(words);
  }

  #carryOut(words: string[]): void {
    const { replica } = this;
    if (words[0].toLowerCase() === "replconf" && words[1]?.toLowerCase() === "getack") {
      if (this.acknowledges) this.#acknowledge();
      return;
    }
    const { core } = replica.server.server!;
    const client = replica.client!;
    const { divergence } = core.replication.replica;
    const before = divergence.errors;
    const bytes = encode([words]);
    for (let at = 0; at < bytes.length;) {
      const space = client.parser!.space();
      const count = Math.min(space.length, bytes.length - at);
      space.set(bytes.subarray(at, at + count));
      client.parser!.filled(count);
      at += count;
    }
    core.processMasterInput(client);
    replica.commandCount++;
    if (divergence.errors > before) replica.fault(`it has failed: ${divergence.lastError}`, words);
  }

  // -- bytes -------------------------------------------------------------------------------------

  #send(...words: string[]): void {
    this.#outgoing.push(encode([words]));
    if (this.#outgoing.length === 1) this.#write();
  }

  async #write(): Promise<void> {
    try {
      for (; this.#outgoing.length > 0; this.#outgoing.shift()) {
        await this.#socket!.write(this.#outgoing[0]);
        if (this.isOver) return;
      }
    } catch (error) {
      this.end(`writing: ${error}`);
    }
  }

  async #line(): Promise<string> {
    let line = "";
    for (;;) {
      if (this.#from === this.#to) await this.#read();
      const end = this.#buffer.subarray(0, this.#to).indexOf(10, this.#from);
      const to = end < 0 ? this.#to : end;
      line += toLatin1(this.#buffer, this.#from, to - this.#from);
      this.#from = end < 0 ? to : to + 1;
      if (end >= 0) return line.replace(/\r$/, "");
    }
  }

  async #read(): Promise<void> {
    const count = await this.#socket!.read(this.#buffer);
    if (this.isOver) throw new LinkEnd("over");
    if (count === 0) throw new LinkEnd("the master has closed");
    this.#lastReadMs = this.replica.server.server!.core.clock.monotonic();
    this.#from = 0;
    this.#to = count;
  }
}
