/**
 * The state of one client: protocol, database, transaction, flags, statistics. It knows nothing of
 * sockets: a connection (src/net/) gives it bytes and takes its output; tests and internal callers
 * (the AOF, a replica's link) make clients without one.
 */

import type { User } from "../access/user.ts";
import type { Command } from "./command.ts";
import { CommandQueue } from "./command_queue.ts";
import {
  type Database,
  type KeyPresence,
  WatchedKeys,
  type Watcher,
} from "../keyspace/database.ts";
import type { Subscriber, Subscriptions } from "../pubsub/hub.ts";
import type { TrackedClient, Tracker } from "../tracking/tracker.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import type { OutputFeed } from "../replication/host.ts";
import type { RequestParser } from "../resp/parser.ts";
import type { Words } from "../resp/words.ts";
import { classOf, type ClientClass, infoLine } from "./client_info.ts";

// States of a client that gates look at; 0 lets every command through at once.
/** Must authenticate first. */
export const CLIENT_NEEDS_AUTH = 1 << 0;
/** In a transaction: commands are queued. */
export const CLIENT_IN_MULTI = 1 << 1;
/** RESP2 with subscriptions: only the commands of that mode. */
export const CLIENT_SUBSCRIBED = 1 << 2;
/** A replica's link: it may do little more than acknowledge. */
export const CLIENT_REPLICA = 1 << 3;
/** Its user may not do everything: each call is looked at, see access_check.ts. */
export const CLIENT_RESTRICTED = 1 << 4;

/** What happens to replies, see CLIENT REPLY. */
export type ReplyMode =
  | "on"
  | "off"
  /** This command's own reply is dropped, the next one's too. */
  | "skip-next"
  /** This command's reply is dropped, then they are on. */
  | "skip";

/** Output beyond which the limits are looked at before a turn is over. */
const MUCH_OUTPUT = 64 * 1024;
/**
 * Output that a client which has not authenticated may leave unread, as in Redis since 7.2.8: the first
 * buffer and a little more. Errors are short, so whoever has more of them waiting reads none.
 */
export const UNAUTHENTICATED_OUTPUT_MAX = 17 * 1024;

/** Approximate memory of a client without its buffers and what it has the server hold. */
const CLIENT_BYTES = 1024;

/** Why a client does not go on with its input, and how to end that. */
export interface Park {
  /** Shown by CLIENT LIST and used by CLIENT UNBLOCK: whether a person may end it. */
  readonly isBlocking: boolean;
  /** Bytes that are held for it meanwhile, about; none if not given. */
  readonly memoryBytes?: number;
  /**
   * Ends the wait: a blocking command as by its timeout, or with an error. Also called when the
   * connection has ended, so that nobody goes on waiting for it.
   */
  unblock(withError: boolean): void;
}

/** What a connection does for its client. */
export interface Transport {
  /** "127.0.0.1:51234", or "/path:0" for a Unix socket. */
  readonly address: string;
  readonly localAddress: string;
  readonly descriptor: number;
  /** Whether output is on its way that the system has not taken yet. */
  readonly isWriting: boolean;
  /** Output was written outside of the client's own turn: send it. */
  wake(): void;
  /** Goes on with input that was left while the client was parked. */
  resume(): void;
  /** Closes at once; with `afterReply` when the output has been sent. */
  close(afterReply: boolean): void;
  /** Whether small pieces go out at once (as they do by default) or are held back to be joined. */
  setNoDelay?(isOn: boolean): void;
}

/** For clients without a socket. */
const NO_TRANSPORT: Transport = {
  address: "",
  localAddress: "",
  descriptor: -1,
  isWriting: false,
  wake() {},
  resume() {},
  close() {},
};

export class Client implements Watcher, Subscriber, TrackedClient {
  readonly reply = new ReplyWriter();
  transport: Transport = NO_TRANSPORT;
  /** Null for clients without a connection. */
  parser: RequestParser | null = null;
  /** CLIENT_* bits. */
  gateBits = 0;
  /** Which gates of the server it has to pass: all bits, or none. */
  gateMask = -1;

  name = "";
  libraryName = "";
  libraryVersion = "";
  /** Null for who is no user and may do everything: the link to our master. */
  user: User | null = null;
  /** Whether it has given a password, or came when none was asked for. */
  isAuthenticated = false;
  /** By `Keyspace.steadyMs`, both. */
  readonly createdMs: number;
  lastInteractionMs: number;
  lastCommand: Command | null = null;
  commandsProcessed = 0;

  /** Queued commands between MULTI and EXEC; null before the first one. */
  queue: CommandQueue | null = null;
  /** A command was refused while queuing: EXEC fails. */
  isExecDoomed = false;
  /** A watched key was changed: EXEC must fail. */
  isDirty = false;
  /** What it watches, an element for each database. */
  readonly #watches: Watches[] = [];

  replyMode: ReplyMode = "on";
  noTouch = false;
  noEvict = false;
  isMonitor = false;
  isUnixSocket = false;
  /** The peer is on this machine. */
  isLocal = true;
  /** Set while it waits for something; its input waits too. */
  park: Park | null = null;
  /** Its replies so far are not sent yet: they are part of one that is not complete. */
  holdsOutput = false;
  /** No further commands; the connection ends when its output is sent. */
  isClosing = false;
  isClosed = false;
  /** Of the client of scripts: whose script calls commands in its name; else null. */
  caller: Client | null = null;
  /** The link to our master: its commands are obeyed where others' are refused; see `becomeMaster`. */
  isMaster = false;
  /** A replica's link. */
  isReplica = false;
  /** Output beside the replies: what a replica is sent. */
  feed: OutputFeed | null = null;
  /** Offset of the stream behind its last write: what WAIT waits for. */
  writeOffset = 0;
  /** The same in what was applied here: `WriteStream.appliedOffset`. */
  appliedOffset = 0;
  /** Why the server has closed its connection, if somebody has noted it. */
  closeCause = "";
  /** What the master role keeps of a replica; see src/replication/master_role.ts. */
  replicaState: unknown = null;
  /** What it listens to; the hub's. */
  subscriptions: Subscriptions | null = null;
  /** What it is told of when keys change; tracking's. */
  tracker: Tracker | null = null;
  /** How many subscriptions of each kind. */
  channelCount = 0;
  patternCount = 0;
  shardChannelCount = 0;
  /** When its output first passed the soft limit, by `Keyspace.steadyMs`; 0 while it is below. */
  overSoftLimitSinceMs = 0;
  /** Its part of the sums that net/limits.ts keeps: `memoryBytes` as last looked at, and as whose. */
  countedBytes = 0;
  countedClass: ClientClass = "normal";
  /** Bytes of unread output from which the limits are looked at during a turn. */
  outputLookBytes = MUCH_OUTPUT;
  /** Output that its connection has taken and the system has not. */
  inFlightBytes = 0;
  bytesIn = 0;
  bytesOut = 0;

  constructor(readonly id: number, public database: Database, steadyMs: number) {
    this.createdMs = steadyMs;
    this.lastInteractionMs = steadyMs;
  }

  /** Copies a request that EXEC is to run. @throws RangeError when there is no memory for it */
  enqueue(command: Command, words: Words, flagBits = command.flagBits): void {
    this.queue ??= CommandQueue.take();
    this.queue.add(command, words, flagBits);
  }

  /** A request that CLIENT PAUSE puts off, to be run when the pause ends. */
  paused: Words | null = null;

  get isInMulti(): boolean {
    return (this.gateBits & CLIENT_IN_MULTI) !== 0;
  }

  /** Told of MULTI, if somebody wants to know. */
  onTransaction: (() => void) | null = null;

  /** Keeps the request at hand in place of the parser, where it matters what is before it and behind. */
  onKeep: (() => Words) | null = null;

  /** The request at hand, for who needs it when others follow; see `RequestParser.keepRequest`. */
  keepRequest(words: Words): Words {
    const { parser } = this;
    if (parser === null || parser.words !== words) return words.clone();
    return this.onKeep === null ? parser.keepRequest() : this.onKeep();
  }

  /**
   * Whether the request at hand may be run when others have had their turn: what a master sends is handed on as it
   * came, and that is how it has to lie there.
   */
  mayKeep(words: Words): boolean {
    return !this.isMaster || words.bytes === this.parser?.bytes;
  }

  /** MULTI: from now on commands are queued. */
  beginTransaction(): void {
    this.onTransaction?.();
    this.gateBits |= CLIENT_IN_MULTI;
  }

  /** Ends a transaction, run or not, and its watches. */
  endTransaction(): void {
    if (this.queue !== null) CommandQueue.give(this.queue);
    this.queue = null;
    this.isExecDoomed = false;
    this.gateBits &= ~CLIENT_IN_MULTI;
    this.unwatchAll();
  }

  /** Whether there is somebody at its other end: not with the commands of an append-only file. */
  get isLinked(): boolean {
    return this.transport !== NO_TRANSPORT;
  }

  /** From now on it is the link to our master, whom no gate of the server holds up. */
  becomeMaster(): void {
    this.isMaster = true;
    this.become(null, true);
    this.gateMask = 0;
  }

  /** From now on it is the link of a replica, and its output is this. */
  becomeReplica(feed: OutputFeed): void {
    this.isReplica = true;
    this.feed = feed;
    this.gateBits |= CLIENT_REPLICA;
  }

  /** From now on it is this user, whether or not it has shown so. */
  become(user: User | null, isAuthenticated: boolean): void {
    this.user = user;
    this.isAuthenticated = isAuthenticated;
    this.userChanged();
  }

  /** Puts into its gates whether its user may do everything. */
  userChanged(): void {
    if (this.user === null || this.user.isUnrestricted) this.gateBits &= ~CLIENT_RESTRICTED;
    else this.gateBits |= CLIENT_RESTRICTED;
  }

  /**
   * Whether it has to authenticate before anything else; until then its requests, and the replies that
   * it does not read, are kept small.
   */
  setNeedsAuth(needsAuth: boolean): void {
    if (needsAuth) this.gateBits |= CLIENT_NEEDS_AUTH;
    else this.gateBits &= ~CLIENT_NEEDS_AUTH;
    if (this.parser !== null) this.parser.isUnauthenticated = needsAuth;
    this.outputLookBytes = needsAuth ? UNAUTHENTICATED_OUTPUT_MAX : MUCH_OUTPUT;
  }

  get needsAuth(): boolean {
    return (this.gateBits & CLIENT_NEEDS_AUTH) !== 0;
  }

  /** What limits and filters tell it apart by. */
  get class(): ClientClass {
    return classOf(this);
  }

  /** Its line in CLIENT LIST, without the line end; see client_info.ts. */
  info(steadyMs: number): string {
    return infoLine(this, steadyMs);
  }

  /** Subscriber: counts them anew, and gates look at the client while there are any. */
  subscriptionsChanged(): void {
    const { subscriptions } = this;
    this.channelCount = subscriptions === null ? 0 : subscriptions.channels.count;
    this.patternCount = subscriptions === null ? 0 : subscriptions.patterns.count;
    this.shardChannelCount = subscriptions === null ? 0 : subscriptions.shardChannels.count;
    if (this.isSubscriber) this.gateBits |= CLIENT_SUBSCRIBED;
    else this.gateBits &= ~CLIENT_SUBSCRIBED;
  }

  /** Whether it has subscriptions of any kind. */
  get isSubscriber(): boolean {
    return this.channelCount + this.patternCount + this.shardChannelCount > 0;
  }

  /** Bytes of output that it has not read. */
  get outputBytes(): number {
    const { feed } = this;
    return this.reply.pendingBytes + this.inFlightBytes + (feed === null ? 0 : feed.pendingBytes);
  }

  /** Whether it has the server hold something beyond its request and the reply. */
  get holdsMore(): boolean {
    return this.queue !== null || this.subscriptions !== null || this.#watches.length > 0 ||
      this.tracker !== null || this.park?.memoryBytes !== undefined;
  }

  /** Bytes it takes, about: its buffers, its transaction and a share for the object itself. */
  get memoryBytes(): number {
    let bytes = CLIENT_BYTES + this.reply.heldBytes + this.inFlightBytes +
      (this.park?.memoryBytes ?? 0);
    if (this.queue !== null) bytes += this.queue.memoryBytes;
    if (this.parser !== null) bytes += this.parser.bufferBytes;
    if (this.paused !== null) bytes += this.paused.bytes.length;
    if (this.subscriptions !== null) bytes += this.subscriptions.sizeBytes;
    if (this.tracker !== null) bytes += this.tracker.sizeBytes;
    for (const { keys } of this.#watches) bytes += keys.sizeBytes;
    return bytes;
  }

  /** WATCH: tells the client of changes of this key from now on. */
  watch(database: Database, bytes: Uint8Array, offset: number, length: number): void {
    const presence = database.presenceOf(bytes, offset, length);
    let watches = this.#watches.find((each) => each.database === database);
    if (watches === undefined) {
      watches = { database, keys: new WatchedKeys(this) };
      this.#watches.push(watches);
    }
    const link = database.watch(watches.keys, bytes, offset, length);
    if (link !== 0 && presence === "hidden") database.watched!.setMark(link, true);
  }

  /** Watcher. The mark of a link says that the key was past its time at WATCH. */
  keyChanged(database: Database, link: number, now: KeyPresence, before: KeyPresence): void {
    const watched = database.watched!;
    if (watched.isMarked(link)) {
      if (now === "gone") watched.setMark(link, false);
      if (now !== "there") return;
    } else if (before === "gone" && now === "hidden") return watched.setMark(link, true);
    this.isDirty = true;
  }

  /**
   * Whether EXEC must fail: a watched key was changed, or has passed its time since WATCH. The latter
   * are deleted on the way where that is ours to do.
   */
  hasLostWatch(): boolean {
    return this.isDirty || this.#watches.some((watches) => this.#hasExpired(watches)) ||
      this.isDirty;
  }

  #hasExpired({ database, keys }: Watches): boolean {
    const watched = database.watched!;
    for (let link = keys.first; link !== 0 && !this.isDirty; link = watched.nextBy(link)) {
      const name = watched.nameOf(link);
      const bytes = watched.bytesOf(name);
      const offset = watched.offsetOf(name);
      const presence = database.presenceOf(bytes, offset, watched.lengthOf(name));
      if (presence === "hidden" && !watched.isMarked(link)) return true;
    }
    return false;
  }

  unwatchAll(): void {
    for (const { database, keys } of this.#watches) database.unwatch(keys);
    this.#watches.length = 0;
    this.isDirty = false;
  }
}

/** What a client watches in one database. */
interface Watches {
  readonly database: Database;
  readonly keys: WatchedKeys;
}
