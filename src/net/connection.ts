/**
 * One client's socket: bytes in to its parser, its output out. The top of the path: everything between
 * the bytes that come and the offer of the answer to the socket is synchronous.
 *
 * Reading does not wait for writing, as in Redis: a client may send a long pipeline before it reads
 * the first reply. What it does not read is bounded by `client-output-buffer-limit`, which is
 * looked at after each large reply, when output is sent, and by the server's timer (limits.ts).
 */

import { blocks } from "../base/blocks.ts";
import type { Client, Transport } from "../dispatch/client.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import { type Statistics, TIMED_TURN_IN } from "../observe/statistics.ts";
import { recycleChunk } from "../resp/reply_writer.ts";
import type { Runtime, Socket, SocketHandler } from "../runtime/runtime.ts";
import type { Turn, TurnOutput } from "./turn.ts";

/** What the connections of a server share. */
export interface ConnectionOwner {
  readonly runtime: Runtime;
  readonly dispatcher: Dispatcher;
  readonly statistics: Statistics;
  readonly turn: Turn;
  /** True when the client has to go because of its unread output or its unanswered input. */
  isOverLimit(client: Client): boolean;
  /** Whether there is a limit for what all clients together take. */
  readonly limitsClientMemory: boolean;
  /** Counts what the client takes now, and holds all clients to the limit. */
  countMemory(client: Client): void;
  /** The connection has ended: the client is to be forgotten. */
  closed(client: Client): void;
}

/** Bytes of input, or of all that the client takes, below which no limit is looked at before the timer does. */
const LOOK_AT_LIMITS = 64 * 1024;
/** Room for the input of a connection that has none: it is closed. */
const NO_ROOM = new Uint8Array(1);

export class Connection implements SocketHandler, Transport, TurnOutput {
  isWriting = false;
  /** Output that the socket has been offered; null when there is none. */
  #bytes: Uint8Array | null = null;
  /** How far the socket has taken it, and where it ends. */
  #at = 0;
  #end = 0;
  /** Whether it comes from the client's feed and not from its replies. */
  #isFeed = false;
  /** Close when the output has been sent. */
  #closesAfterReply = false;
  #isClosed = false;
  #isAwake = false;
  /** Handed in with the turn: nothing new is sent before that ends. */
  #isHeld = false;
  #onAwake: (() => void) | null = null;

  constructor(
    readonly client: Client,
    readonly socket: Socket,
    readonly owner: ConnectionOwner,
    readonly address: string,
    readonly localAddress: string,
    readonly descriptor: number,
  ) {}

  // -- SocketHandler: input ------------------------------------------------------------------

  space(hint: number): Uint8Array<ArrayBuffer> {
    try {
      return this.client.parser!.space(hint);
    } catch (error) {
      // There is no memory for the request that is coming.
      this.owner.dispatcher.server.log.verbose(`Reading from client: ${error}`);
      this.close(false);
      return NO_ROOM;
    }
  }

  filled(count: number): void {
    const { client, owner } = this;
    const { statistics } = owner;
    const parser = client.parser!;
    // No command runs now: what earlier ones have given back may be used again.
    if (blocks.pendingBytes > 0) blocks.settle();
    parser.filled(count);
    client.bytesIn += count;
    statistics.netInputBytes += count;
    statistics.readsProcessed++;
    if (parser.pendingBytes > LOOK_AT_LIMITS && owner.isOverLimit(client)) this.close(false);
    else this.#turn();
  }

  /** A peer that has shut down its sending side still gets the replies it is owed. */
  ended(): void {
    if (this.client.outputBytes > 0) {
      this.#closesAfterReply = true;
      this.#flush();
    } else this.close(false);
  }

  closed(cause: string): void {
    this.owner.dispatcher.server.log.verbose(`Reading from client: ${cause}`);
    this.close(false);
  }

  /** Runs what has arrived and sends what it answers. A fault of ours ends this connection only. */
  #turn(): void {
    const { client } = this;
    const { statistics, dispatcher } = this.owner;
    const { clock } = dispatcher.server;
    // See "Timing" in NOTES.
    // The first turn is timed too, so that the sum is never 0 where there have been turns.
    const isTimed = (statistics.turns++ & (TIMED_TURN_IN - 1)) === 0;
    const startedMs = isTimed ? clock.monotonic() : 0;
    const commandsBefore = statistics.commandsProcessed;
    try {
      dispatcher.processInput(client);
    } catch (error) {
      this.owner.dispatcher.server.log.fault(`Cannot serve client id=${client.id}`, error);
      this.close(false);
    }
    if (client.isClosing) this.#closesAfterReply = true;
    if (this.#closesAfterReply) this.socket.pauseReading();
    if (client.reply.length > 0 || client.reply.isCut || this.#closesAfterReply) this.#flush();
    const { owner } = this;
    const isMuch = client.holdsMore || client.countedBytes > LOOK_AT_LIMITS;
    if (isMuch || owner.limitsClientMemory) owner.countMemory(client);
    const commands = statistics.commandsProcessed - commandsBefore;
    if (commands > statistics.turnCommandsMax) statistics.turnCommandsMax = commands;
    if (isTimed) statistics.turnTimed((clock.monotonic() - startedMs) * 1000, TIMED_TURN_IN);
  }

  // -- Transport -----------------------------------------------------------------------------

  /** Transport: output was written outside of the client's turn. Sent once the turn is over. */
  wake(): void {
    if (this.#isAwake || this.#isClosed) return;
    if (this.owner.turn.isAwaited) {
      this.#hold();
      return;
    }
    this.#isAwake = true;
    this.#onAwake ??= () => {
      this.#isAwake = false;
      this.#flush();
    };
    this.owner.runtime.timers.afterInput(this.#onAwake);
  }

  /** Transport: goes on with the input that was left when the client was parked. */
  resume(): void {
    if (this.#isClosed) return;
    // What it has been answered is not to go out with earlier output that is on its way.
    if (this.owner.turn.isAwaited) this.#hold();
    this.owner.runtime.timers.soon(() => {
      if (this.#isClosed || this.client.park !== null) return;
      this.#turn();
    });
  }

  /** Transport. */
  setNoDelay(isOn: boolean): void {
    this.socket.setNoDelay(isOn);
  }

  close(afterReply: boolean): void {
    if (this.#isClosed) return;
    if (afterReply) {
      this.#closesAfterReply = true;
      this.client.isClosing = true;
      this.socket.pauseReading();
      this.wake();
      return;
    }
    this.#isClosed = true;
    this.client.isClosed = true;
    this.client.isClosing = true;
    this.socket.close();
    this.owner.closed(this.client);
  }

  // -- output --------------------------------------------------------------------------------

  #hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.owner.turn.hold(this);
  }

  /** TurnOutput. */
  get appliedOffset(): number {
    return this.client.appliedOffset;
  }

  /** TurnOutput. */
  sendHeld(): void {
    this.#isHeld = false;
    this.#send();
  }

  /** Sends what there is, now or (when somebody waits for it) at the end of the turn. */
  #flush(): void {
    if (this.#isClosed) return;
    if (this.owner.turn.isAwaited) this.#hold();
    else this.#send();
  }

  #send(): void {
    if (this.#isClosed) return;
    const { reply, outputBytes } = this.client;
    const isMuch = outputBytes > this.client.outputLookBytes || reply.isCut;
    if (isMuch && this.owner.isOverLimit(this.client)) {
      this.close(false);
      return;
    }
    if (!this.isWriting) this.#write();
  }

  /** SocketHandler. */
  drained(): void {
    this.#write();
  }

  /** Offers output to the socket until it takes no more for now, or there is none left. */
  #write(): void {
    for (;;) {
      if (this.#bytes === null && !this.#takeOutput()) break;
      const taken = this.socket.write(this.#bytes!, this.#at, this.#end);
      if (taken > 0) this.#count(taken);
      if (this.#at < this.#end) {
        this.isWriting = true;
        return;
      }
      this.owner.statistics.writesProcessed++;
      if (!this.#isFeed) recycleChunk(this.#bytes!);
      this.#bytes = null;
    }
    this.isWriting = false;
    if (this.#closesAfterReply && !this.#isHeld && !this.client.holdsOutput) this.close(false);
  }

  /** Takes what is to be sent next: replies, then, unless the end is due, the feed of a replica. */
  #takeOutput(): boolean {
    const { client } = this;
    if (this.#isHeld || client.holdsOutput) return false;
    const chunk = client.reply.takeChunk();
    this.#at = 0;
    if (chunk !== null) {
      this.#bytes = chunk;
      this.#isFeed = false;
      this.#end = client.inFlightBytes = client.reply.chunkLength;
      return true;
    }
    const { feed } = client;
    if (feed === null || this.#closesAfterReply) return false;
    const bytes = feed.next();
    if (bytes === null) return false;
    this.#bytes = bytes;
    this.#isFeed = true;
    this.#end = bytes.length;
    return true;
  }

  /** The socket has taken so many bytes more. */
  #count(taken: number): void {
    const { client } = this;
    const { statistics } = this.owner;
    this.#at += taken;
    client.bytesOut += taken;
    statistics.netOutputBytes += taken;
    if (this.#isFeed) {
      client.feed!.sent(taken);
      statistics.netReplicationOutputBytes += taken;
    } else client.inFlightBytes = this.#end - this.#at;
  }
}
