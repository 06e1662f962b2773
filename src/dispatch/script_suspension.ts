/**
 * What becomes of a script that runs for too long: its client waits, others are answered (with BUSY, but for the
 * few commands that are allowed then) whenever it has had its slice, and the data are its own until it is over.
 * A part of scripts.ts.
 *
 *     running ──► too long: suspended ⇄ goes on ──► over: answered ──► the data are let go
 *                                                    └─ in EXEC: what is behind it ──► …
 *
 * See "Suspended scripts" in NOTES.
 */

import type { Words } from "../resp/words.ts";
import type { Mark, ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import type { Client, Park } from "./client.ts";
import type { Command } from "./command.ts";
import { type Dispatcher, GATE_BUSY } from "./dispatcher.ts";
import type { RunningScript, Scripts } from "./scripts.ts";

/** The request whose client waits, and what is to be done after the script. */
interface WaitingRequest {
  readonly client: Client;
  readonly command: Command;
  readonly words: Words;
  /** When its first script that was suspended began, by the monotonic clock. */
  readonly startedMs: number;
  /** Of EXEC: runs the commands behind the script, and answers false when one of them has been suspended too. */
  readonly goOn: (() => boolean) | null;
  /** Of EXEC: where its reply begins, if nobody wants that; else null. */
  readonly unwanted: Mark | null;
}

export class ScriptSuspension {
  #waiting: WaitingRequest | null = null;

  constructor(readonly scripts: Scripts) {}

  get #dispatcher(): Dispatcher {
    return this.scripts.dispatcher;
  }

  get #server() {
    return this.#dispatcher.server;
  }

  /** Whether the data belong to a script that others have their turn beside. */
  get isUnderWay(): boolean {
    return this.#waiting !== null;
  }

  /** Has the client of this call, whose script has just been suspended, wait. */
  park(call: Call, running: RunningScript): void {
    const { client, command } = call;
    running.words = client.keepRequest(call.words);
    call.isParked = true;
    this.#dispatcher.gateBits |= GATE_BUSY;
    if (this.#waiting !== null) return; // a further script of a transaction that waits already
    const { startedMs, words } = running;
    this.#waiting = { client, command, words, startedMs, goOn: null, unwanted: null };
    client.park = new ScriptWait(client, this.scripts.client);
    client.holdsOutput = true;
    this.#server.clients.blockedCount++;
    this.#server.keyspace.isTimeHeld = true;
    this.#dispatcher.hold(client);
  }

  /** The same for the EXEC that has called the script; `goOn` and `unwanted` are as in WaitingRequest. */
  parkTransaction(call: Call, goOn: () => boolean, unwanted: Mark | null): void {
    const { client, command } = call;
    call.isParked = true;
    const words = client.keepRequest(call.words);
    const { startedMs } = this.#waiting!;
    this.#waiting = { client, command, words, startedMs, goOn, unwanted };
  }

  /** A script that was suspended has come to its end; `answer` writes its reply, and ends it. */
  ended(running: RunningScript, answer: (reply: ReplyWriter) => void): void {
    const { client, command, words, startedMs, goOn, unwanted } = this.#waiting!;
    const dispatcher = this.#dispatcher;
    const { clock, log } = this.#server;
    dispatcher.gateBits &= ~GATE_BUSY;
    const ms = clock.monotonic() - running.startedMs;
    try {
      if (goOn === null) dispatcher.answerParked(client, command, words, ms, answer);
      else {
        dispatcher.answerNested(client, running.command, running.words, ms, answer);
        if (!dispatcher.nested(goOn)) return;
        const wholeMs = clock.monotonic() - startedMs;
        dispatcher.answerParked(client, command, words, wholeMs, () => {}, unwanted ?? undefined);
      }
    } catch (error) {
      log.fault("Cannot end a script", error);
    }
    this.#letGo(client);
  }

  /** Others have the data again, and the client goes on. */
  #letGo(client: Client): void {
    const { keyspace, replication, clients } = this.#server;
    const { dispatcher } = this.scripts;
    this.#waiting = null;
    keyspace.isTimeHeld = false;
    keyspace.refreshTime();
    clients.blockedCount--;
    client.park = null;
    client.holdsOutput = false;
    dispatcher.letGo(client);
    if (client.isClosed) client.reply.clear();
    else {
      client.transport.wake();
      client.transport.resume();
    }
    replication.replica.goOn();
    dispatcher.migrations.goOn();
  }
}

/** A client that waits for its own script: nobody can end that but by killing the script. */
class ScriptWait implements Park {
  readonly isBlocking = false;

  constructor(readonly client: Client, readonly scriptClient: Client) {}

  /** It has gone: the script goes on, but nobody is to be told what becomes of the keys that it reads. */
  unblock(): void {
    if (this.client.isClosed) this.scriptClient.tracker = null;
  }
}
