/**
 * The state of one client: protocol, database, transaction, flags, statistics. It knows nothing of
 * sockets: a connection (src/net/) gives it bytes and takes its output; tests and internal callers
 * (the AOF, a replica's link) make clients without one.
 */

import type { Command } from "../commands/command.ts";
import type { Database, Watcher } from "../keyspace/database.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import type { RequestParser } from "../resp/parser.ts";
import { Words } from "../resp/words.ts";

// States of a client that gates look at; 0 lets every command through at once.
/** Must authenticate first. */
export const CLIENT_NEEDS_AUTH = 1 << 0;
/** In a transaction: commands are queued. */
export const CLIENT_IN_MULTI = 1 << 1;
/** RESP2 with subscriptions: only the commands of that mode. */
export const CLIENT_SUBSCRIBED = 1 << 2;

/** CLIENT REPLY: what happens to replies. */
export const REPLY_ON = 0;
export const REPLY_OFF = 1;
/** This command's own reply is dropped, the next one's too. */
export const REPLY_SKIP_NEXT = 2;
export const REPLY_SKIP = 3;

/** A queued command of a transaction. */
export interface QueuedCommand {
  readonly command: Command;
  readonly words: Words;
}

/** Why a client does not go on with its input, and how to end that. */
export interface Park {
  /** Shown by CLIENT LIST and used by CLIENT UNBLOCK: whether a person may end it. */
  readonly isBlocking: boolean;
  /** Ends a blocking command as by its timeout, or with an error. */
  unblock(withError: boolean): void;
}

/** What a connection does for its client. */
export interface Transport {
  /** "127.0.0.1:51234", or "/path:0" for a Unix socket. */
  readonly address: string;
  readonly localAddress: string;
  readonly descriptor: number;
  /** Output was written outside of the client's own turn: send it. */
  wake(): void;
  /** Goes on with input that was left while the client was parked. */
  resume(): void;
  /** Closes at once; with `afterReply` when the output has been sent. */
  close(afterReply: boolean): void;
}

/** For clients without a socket. */
const NO_TRANSPORT: Transport = {
  address: "",
  localAddress: "",
  descriptor: -1,
  wake() {},
  resume() {},
  close() {},
};

export class Client implements Watcher {
  readonly reply = new ReplyWriter();
  transport: Transport = NO_TRANSPORT;
  /** Null for clients without a connection. */
  parser: RequestParser | null = null;
  /** CLIENT_* bits. */
  gateBits = 0;

  name = "";
  libraryName = "";
  libraryVersion = "";
  user = "default";
  isAuthenticated = false;
  readonly createdMs: number;
  lastInteractionMs: number;
  lastCommand: Command | null = null;
  commandsProcessed = 0;

  /** Queued commands between MULTI and EXEC. */
  queue: QueuedCommand[] = [];
  /** Bytes the queued commands take. */
  queuedBytes = 0;
  /** A command was refused while queuing: EXEC fails. */
  isExecDoomed = false;
  /** Watcher: a watched key was changed. */
  isDirty = false;
  watchedKeys: { database: Database; key: Uint8Array }[] = [];

  replyMode = REPLY_ON;
  noTouch = false;
  noEvict = false;
  isMonitor = false;
  isUnixSocket = false;
  /** The peer is on this machine. */
  isLocal = true;
  /** Set while it waits for something; its input waits too. */
  park: Park | null = null;
  /** No further commands; the connection ends when its output is sent. */
  isClosing = false;
  isClosed = false;
  /** The link to our master: its commands are obeyed where others' are refused. */
  isMaster = false;
  /** A replica's link. */
  isReplica = false;
  /** Subscriptions, counted by the pub/sub hub. */
  channelCount = 0;
  patternCount = 0;
  shardChannelCount = 0;
  /** When its output first passed the soft limit, in Unix ms; 0 while it is below. */
  overSoftLimitSinceMs = 0;
  bytesIn = 0;
  bytesOut = 0;

  constructor(readonly id: number, public database: Database, nowMs: number) {
    this.createdMs = nowMs;
    this.lastInteractionMs = nowMs;
  }

  /** Copies the words of a request that is to be run later. */
  enqueue(command: Command, words: Words): void {
    const kept = copyWords(words);
    this.queue.push({ command, words: kept });
    this.queuedBytes += kept.bytes.length + 64 + words.count * 8;
  }

  /** A request that CLIENT PAUSE puts off, to be run when the pause ends. */
  paused: QueuedCommand | null = null;

  enqueuePaused(command: Command, words: Words): void {
    this.paused = { command, words: copyWords(words) };
  }

  /** Ends a transaction, run or not, and its watches. */
  endTransaction(): void {
    this.queue = [];
    this.queuedBytes = 0;
    this.isExecDoomed = false;
    this.gateBits &= ~CLIENT_IN_MULTI;
    this.unwatchAll();
  }

  unwatchAll(): void {
    for (const { database, key } of this.watchedKeys) database.unwatch(key, this);
    this.watchedKeys = [];
    this.isDirty = false;
  }
}

/** The words with bytes of their own. */
function copyWords(words: Words): Words {
  const kept = new Words();
  let size = 0;
  for (let i = 0; i < words.count; i++) size += words.lengths[i];
  kept.bytes = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < words.count; i++) {
    const start = words.starts[i];
    kept.bytes.set(words.bytes.subarray(start, start + words.lengths[i]), at);
    kept.push(at, words.lengths[i]);
    at += words.lengths[i];
  }
  return kept;
}
