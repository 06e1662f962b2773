/**
 * One client's socket: bytes in to its parser, its output out. The top of the path, and the only
 * place that awaits: everything between a read and the write that answers it is synchronous.
 *
 * Reading does not wait for writing, as in Redis: a client may send a long pipeline before it reads
 * the first reply. What it does not read is bounded by `client-output-buffer-limit`, which is
 * looked at after each large reply, when output is sent, and by the server's timer (limits.ts).
 */

import type { Client, Transport } from "../dispatch/client.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import { recycleChunk } from "../resp/reply_writer.ts";
import type { Statistics } from "../observe/statistics.ts";

/** What the connections of a server share. */
export interface ConnectionOwner {
  readonly dispatcher: Dispatcher;
  readonly statistics: Statistics;
  /** True when the client has to go because of its unread output or its unanswered input. */
  isOverLimit(client: Client): boolean;
  /** The connection has ended: the client is to be forgotten. */
  closed(client: Client): void;
}

/** Bytes of output or input below which no limit is looked at before the timer does. */
const LOOK_AT_LIMITS = 64 * 1024;

export class Connection implements Transport {
  isWriting = false;
  /** Close when the output has been sent. */
  #closesAfterReply = false;
  #isClosed = false;
  #wakes = false;

  constructor(
    readonly client: Client,
    readonly socket: Deno.Conn,
    readonly owner: ConnectionOwner,
    readonly address: string,
    readonly localAddress: string,
    readonly descriptor: number,
  ) {}

  /** Serves the connection until either side ends it. */
  async run(): Promise<void> {
    const { client, socket, owner } = this;
    const parser = client.parser!;
    const { statistics } = owner;
    try {
      for (;;) {
        const count = await socket.read(parser.space());
        if (count === null || this.#isClosed) break;
        parser.filled(count);
        client.bytesIn += count;
        statistics.netInputBytes += count;
        statistics.readsProcessed++;
        if (parser.pendingBytes > LOOK_AT_LIMITS && owner.isOverLimit(client)) {
          this.close(false);
          return;
        }
        this.#turn();
        if (this.#closesAfterReply) return; // the writer closes
      }
    } catch (error) {
      // The peer is gone, or the socket was closed under the read.
      if (!this.#isClosed) owner.dispatcher.server.log.verbose(`Reading from client: ${error}`);
    }
    // A peer that has shut down its sending side still gets the replies it is owed.
    if (client.outputBytes > 0 && !this.#isClosed) {
      this.#closesAfterReply = true;
      this.#flush();
    } else this.close(false);
  }

  /** Runs what has arrived and sends what it answers. A fault of ours ends this connection only. */
  #turn(): void {
    const { client } = this;
    try {
      this.owner.dispatcher.processInput(client);
    } catch (error) {
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      this.owner.dispatcher.server.log.warning(`Cannot serve client id=${client.id}: ${text}`);
      this.close(false);
    }
    if (client.isClosing) this.#closesAfterReply = true;
    if (client.reply.length > 0 || client.reply.isCut || this.#closesAfterReply) this.#flush();
  }

  /** Transport: output was written outside of the client's turn. Sent once the turn is over. */
  wake(): void {
    if (this.#wakes || this.#isClosed) return;
    this.#wakes = true;
    queueMicrotask(() => {
      this.#wakes = false;
      this.#flush();
    });
  }

  /** Transport: goes on with the input that was left when the client was parked. */
  resume(): void {
    if (this.#isClosed) return;
    queueMicrotask(() => {
      if (this.#isClosed || this.client.park !== null) return;
      this.#turn();
    });
  }

  /** Transport. */
  setNoDelay(isOn: boolean): void {
    if (!this.client.isUnixSocket) (this.socket as Deno.TcpConn).setNoDelay(isOn);
  }

  close(afterReply: boolean): void {
    if (this.#isClosed) return;
    if (afterReply) {
      this.#closesAfterReply = true;
      this.client.isClosing = true;
      this.wake();
      return;
    }
    this.#isClosed = true;
    this.client.isClosed = true;
    this.client.isClosing = true;
    try {
      // The runtime closes only once it has called off the read under way. A replica is to hear of
      // the end before anybody reads the answer to what has ended its link.
      if (this.client.isReplica) this.socket.closeWrite().catch(() => {});
      this.socket.close();
    } catch {
      // Closed already by the runtime.
    }
    this.owner.closed(this.client);
  }

  #flush(): void {
    if (this.#isClosed) return;
    const { reply, outputBytes } = this.client;
    if ((outputBytes > LOOK_AT_LIMITS || reply.isCut) && this.owner.isOverLimit(this.client)) {
      this.close(false);
      return;
    }
    if (this.isWriting) return;
    const chunk = reply.takeChunk();
    if (chunk !== null) {
      this.isWriting = true;
      this.#write(chunk, reply.chunkLength);
    } else if (this.#closesAfterReply) this.close(false);
    else if (this.client.feed !== null) {
      this.isWriting = true;
      this.#write(null, 0);
    }
  }

  async #write(first: Uint8Array | null, firstLength: number): Promise<void> {
    const { client, socket, owner } = this;
    let chunk: Uint8Array | null = first;
    let length = firstLength;
    try {
      for (;;) {
        if (chunk === null) {
          // Replies are out: the feed of a replica has its turn, unless the end is due.
          const { feed } = client;
          const bytes = feed === null || this.#closesAfterReply ? null : feed.next();
          if (bytes === null) break;
          const count = await socket.write(bytes);
          feed!.sent(count);
          client.bytesOut += count;
          owner.statistics.netOutputBytes += count;
          owner.statistics.netReplicationOutputBytes += count;
          owner.statistics.writesProcessed++;
          chunk = client.reply.takeChunk();
          length = client.reply.chunkLength;
          continue;
        }
        client.inFlightBytes = length;
        let at = 0;
        while (at < length) {
          at += await socket.write(chunk.subarray(at, length));
          client.inFlightBytes = length - at;
        }
        client.bytesOut += length;
        owner.statistics.netOutputBytes += length;
        owner.statistics.writesProcessed++;
        recycleChunk(chunk);
        chunk = client.reply.takeChunk();
        length = client.reply.chunkLength;
      }
    } catch {
      this.close(false);
      return;
    }
    this.isWriting = false;
    if (this.#closesAfterReply) this.close(false);
  }
}
