/**
 * A master without sockets: a test server whose replicas are clients that the test reads and whose
 * snapshots the test makes, byte by byte.
 */

import type { Client } from "../../src/dispatch/client.ts";
import type { SnapshotListener, SnapshotMaker } from "../../src/rdb/persistence.ts";
import type { Relay, RelayEvents } from "../../src/rdb/relayed_snapshot.ts";
import type { Replication } from "../../src/replication/replication.ts";
import { Words } from "../../src/resp/words.ts";
import { TestServer } from "./test_server.ts";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";

/** Makes the snapshots that the test says. */
export class FakeSnapshots implements SnapshotMaker {
  isSaving = false;
  isLoading = false;
  #path = "";
  readonly #listeners: SnapshotListener[] = [];
  /** Snapshots to disk that were begun and given up. */
  begunToDisk = 0;
  givenUp = 0;
  /** The snapshot to sockets under way. */
  relay: RelayEvents | null = null;
  /** Chunks that came back. */
  released: string[] = [];

  startBackground(): void {
    this.isSaving = true;
    this.begunToDisk++;
  }

  abortBackground(): void {
    if (!this.isSaving || this.relay !== null) return;
    this.givenUp++;
    this.#end("file", "given up");
  }

  onSnapshotEnded(listener: SnapshotListener): void {
    this.#listeners.push(listener);
  }

  startRelay(events: RelayEvents): Relay {
    this.isSaving = true;
    this.relay = events;
    return {
      snapshot: { keysTotal: 4, keysDone: 1 },
      release: (chunk) => this.released.push(toLatin1(chunk)),
      resume() {},
      abort: () => {
        this.givenUp++;
        this.#end("relay", "given up");
      },
    };
  }

  /** Bytes of the snapshot have been made. */
  make(text: string): void {
    this.relay!.onBytes(latin1(text), text.length);
  }

  /** The snapshot to sockets is complete, or has failed. */
  endRelay(failure: string | null = null): void {
    this.relay!.onEnd(failure);
    this.#end("relay", failure);
  }

  /** The snapshot to disk is complete (its content is `text`), or has failed. */
  endDisk(path: string, text: string | null): void {
    this.#path = path;
    if (text !== null) Deno.writeTextFileSync(path, text);
    this.#end("file", text === null ? "no space left" : null);
  }

  /** Tells of the end of a snapshot. */
  ended: SnapshotListener = (kind, failure, path) => {
    for (const listener of this.#listeners) listener(kind, failure, path);
  };

  #end(kind: "file" | "relay", failure: string | null): void {
    this.isSaving = false;
    this.relay = null;
    this.ended(kind, failure, this.#path);
  }
}

export class MasterRig extends TestServer {
  readonly snapshots: FakeSnapshots;
  readonly replication: Replication;

  constructor(directives: Record<string, string> = {}) {
    const snapshots = new FakeSnapshots();
    super({ snapshots, directives: { "repl-diskless-sync-delay": "0", ...directives } });
    this.snapshots = snapshots;
    this.replication = this.core.replication;
  }

  /** A connection that has said these things with REPLCONF. */
  peer(...replconf: string[]): Peer {
    const peer = new Peer(this, this.connect().client);
    if (replconf.length > 0) peer.send("REPLCONF", ...replconf);
    peer.read();
    return peer;
  }

  /** A replica that is online, has been given the dataset and has acknowledged that. */
  onlineReplica(port = 7001): Peer {
    const peer = this.peer("listening-port", String(port), "capa", "eof", "capa", "psync2");
    peer.send("PSYNC", "?", "-1");
    this.snapshots.make("RDB");
    this.snapshots.endRelay();
    peer.read();
    peer.send("REPLCONF", "ACK", String(this.replication.offset));
    return peer;
  }

  /** Lets time pass, with a turn of the timer every 100 ms. */
  pass(ms: number): void {
    for (const end = this.clock.nowMs + ms; this.clock.nowMs < end;) {
      this.clock.nowMs += 100;
      this.keyspace.refreshTime();
      this.replication.tick(this.clock.nowMs);
    }
  }

  /** The fields of INFO about replicas. */
  info(): string[] {
    return this.replication.master.infoFields(this.clock.nowMs).map(([name, value]) =>
      `${name}:${value}`
    );
  }

  /** Whether a line of the log ends with this. */
  hasLogged(text: string): boolean {
    return this.logLines.some((line) => line.trimEnd().endsWith(text));
  }
}

/** The other end of a connection, perhaps a replica. */
export class Peer {
  isClosed = false;

  constructor(readonly rig: MasterRig, readonly client: Client) {
    client.transport = {
      address: `127.0.0.1:${40_000 + client.id}`,
      localAddress: "127.0.0.1:6379",
      descriptor: 8,
      isWriting: false,
      wake() {},
      resume() {},
      close: () => {
        if (this.isClosed) return;
        this.isClosed = true;
        client.isClosed = true;
        client.park?.unblock(false);
        if (client.isReplica) rig.replication.master.closed(client);
      },
    };
  }

  /** Sends a request; nothing is read. */
  send(...words: string[]): void {
    this.rig.keyspace.refreshTime();
    this.rig.dispatcher.execute(this.client, Words.of(...words));
  }

  /** The connection ends. */
  hangUp(): void {
    this.client.transport.close(false);
  }

  /** Whether it is taking bytes too slowly: the system has taken none of what was written. */
  set isStuck(value: boolean) {
    Object.assign(this.client.transport, { isWriting: value });
  }

  /** Reads what there is, at most about `bytesMax`, as a connection sends it: replies, then the feed. */
  read(bytesMax = Infinity): string {
    let text = "";
    for (;;) {
      const chunk = this.client.reply.takeChunk();
      if (chunk === null) break;
      text += toLatin1(chunk, 0, this.client.reply.chunkLength);
    }
    while (!this.isClosed && text.length < bytesMax) {
      const bytes = this.client.feed?.next() ?? null;
      if (bytes === null) break;
      const count = Math.min(bytes.length, bytesMax - text.length);
      text += toLatin1(bytes, 0, count);
      this.client.feed!.sent(count);
    }
    return text;
  }
}

/** A text with ids, which are drawn, replaced by a word. */
export function withoutIds(text: string): string {
  return text.replace(/[0-9a-f]{40}/g, "<id>");
}
