/**
 * The hub: who listens to which channel or pattern, and the way of a message to all of them.
 *
 *     PUBLISH ─► hub ─► message as bytes, once for each protocol ─► each subscriber's ReplyWriter
 *                                                                ─► one write for each socket
 *
 * Messages of a turn lie one behind the other in a buffer that all writers share. What a subscriber
 * is to be sent is a part of it, and a further message just makes that part longer, so that fanning
 * out costs about as much as counting. The sockets are written when the turn is over
 * (`transport.wake`), once for each however many messages have come.
 *
 * A message to the client whose command is being run waits for the end of that command, as in Redis
 * 7.2: a reply is never split by a push. It knows nothing of sockets and commands; the commands in
 * src/commands/pubsub/ speak to clients about their subscriptions.
 *
 * @see {@link https://redis.io/docs/latest/develop/interact/pubsub/}
 */

import { latin1 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { globMatch } from "../base/glob.ts";
import { hashBytes } from "../base/hash.ts";
import { writeInteger } from "../base/integers.ts";
import { type ReplyWriter, SHARE_MIN_BYTES, sharedBuffer } from "../resp/reply_writer.ts";
import type { Timers } from "../runtime/runtime.ts";
import { ByteMap, type Named } from "./byte_map.ts";
import { PatternIndex } from "./pattern_index.ts";

/** What one client listens to, in the order in which it subscribed. */
export interface Subscriptions {
  readonly channels: Set<Topic>;
  readonly patterns: Set<Topic>;
  readonly shardChannels: Set<Topic>;
  /**
   * Their approximate memory. A name counts with each of its subscribers, though it is kept once.
   */
  sizeBytes: number;
}

/** A client as the hub sees it. */
export interface Subscriber {
  readonly reply: ReplyWriter;
  readonly transport: { wake(): void };
  /** Whether it has been told good-bye, so that nothing more is sent to it. */
  readonly isClosing: boolean;
  /** Null until it first subscribes. */
  subscriptions: Subscriptions | null;
  /** Called after each change of its subscriptions. */
  subscriptionsChanged(): void;
}

/** Approximate memory of a subscription without its name, in bytes. */
const SUBSCRIPTION_BYTES = 96;

/** Size of the buffers that messages are collected in. */
const BUFFER_BYTES = 64 * 1024 + 64;

/** Room that a message takes beside its header and contents: for lengths and line ends. */
const FRAME_BYTES = 48;

/**
 * A topic with at least so many subscribers has their sockets written in rounds; see
 * `#scheduleRound`.
 */
const WIDE_SUBSCRIBERS = 32;
/** A round with at least so many messages makes the next one wait, for so many milliseconds. */
const THICK_MESSAGES = 4;
const ROUND_MS = 1;

const STAR = 0x2a;
const PUSH = 0x3e;

/** A channel, shard channel or pattern that somebody listens to. */
export class Topic implements Named {
  readonly hash: number;
  readonly #subscribers = new Set<Subscriber>();
  /** The same as an array, which is made when it is first needed after a change. */
  #list: Subscriber[] | null = null;
  /**
   * The bytes with which each of its messages begins, up to channel or content; made when first
   * needed.
   */
  #header: Uint8Array | null = null;

  constructor(readonly name: Uint8Array, readonly kind: string, readonly serial: number) {
    this.hash = hashBytes(name, 0, name.length);
  }

  get count(): number {
    return this.#subscribers.size;
  }

  /** Subscribers in the order in which they came. */
  get subscribers(): readonly Subscriber[] {
    return this.#list ??= [...this.#subscribers];
  }

  /** The beginning of its messages, as RESP2; the first byte is another one in RESP3. */
  get header(): Uint8Array {
    if (this.#header === null) {
      const parts = this.kind === "pmessage" ? 4 : 3;
      const before = latin1(
        `*${parts}\r\n$${this.kind.length}\r\n${this.kind}\r\n$${this.name.length}\r\n`,
      );
      const header = new Uint8Array(before.length + this.name.length + 2);
      header.set(before);
      header.set(this.name, before.length);
      header.set(CRLF, before.length + this.name.length);
      this.#header = header;
    }
    return this.#header;
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
    this.#list = null;
  }

  remove(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    this.#list = null;
  }
}

const CRLF = latin1("\r\n");

/** What waits for the end of a command of the client that it goes to. */
interface Deferred {
  readonly subscriber: Subscriber;
  readonly buffer: Uint8Array;
  readonly start: number;
  readonly count: number;
}

export class Hub {
  readonly #channels = new ByteMap<Topic>();
  readonly #patterns = new ByteMap<Topic>();
  readonly #shardChannels = new ByteMap<Topic>();
  readonly #patternIndex = new PatternIndex<Topic>();
  /** Messages of RESP2 and of RESP3, and how far the buffers are filled. */
  readonly #buffers = [sharedBuffer(0), sharedBuffer(0)];
  readonly #lengths = [0, 0];
  #serial = 0;
  readonly #found: Topic[] = [];
  #deferred: Deferred[] = [];

  readonly #timers: Timers;
  readonly #clock: Clock;

  /** `runningClient` tells the client whose command is being run, or null. */
  constructor(
    timers: Timers,
    clock: Clock,
    readonly runningClient: () => Subscriber | null = () => null,
  ) {
    this.#timers = timers;
    this.#clock = clock;
  }

  get channelCount(): number {
    return this.#channels.count;
  }

  /** Different patterns. */
  get patternCount(): number {
    return this.#patterns.count;
  }

  get shardChannelCount(): number {
    return this.#shardChannels.count;
  }

  /** Whether nobody listens to any channel or pattern (shard channels apart). */
  get isIdle(): boolean {
    return this.#channels.count === 0 && this.#patterns.count === 0;
  }

  // -- subscriptions ---------------------------------------------------------------------

  /** Subscribes a client to a channel; false if it is subscribed already. The name is copied. */
  subscribe(subscriber: Subscriber, bytes: Uint8Array, offset: number, length: number): boolean {
    return this.#add(subscriber, this.#channels, "channels", "message", bytes, offset, length);
  }

  /** The same for all channels that match a pattern. */
  subscribePattern(
    subscriber: Subscriber,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    return this.#add(subscriber, this.#patterns, "patterns", "pmessage", bytes, offset, length);
  }

  /** The same for a shard channel. */
  subscribeShard(
    subscriber: Subscriber,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    return this.#add(
      subscriber,
      this.#shardChannels,
      "shardChannels",
      "smessage",
      bytes,
      offset,
      length,
    );
  }

  #add(
    subscriber: Subscriber,
    topics: ByteMap<Topic>,
    list: "channels" | "patterns" | "shardChannels",
    kind: string,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    const subscriptions = subscriptionsOf(subscriber);
    const set = subscriptions[list];
    let topic = topics.get(bytes, offset, length);
    if (topic === null) {
      topic = new Topic(bytes.slice(offset, offset + length), kind, this.#serial++);
      topics.add(topic);
      if (topics === this.#patterns) this.#patternIndex.add(topic);
    } else if (set.has(topic)) return false;
    topic.add(subscriber);
    set.add(topic);
    subscriptions.sizeBytes += SUBSCRIPTION_BYTES + length;
    subscriber.subscriptionsChanged();
    return true;
  }

  /** Ends the subscription of a client to a channel; false if there was none. */
  unsubscribe(subscriber: Subscriber, bytes: Uint8Array, offset: number, length: number): boolean {
    return this.#end(subscriber, this.#channels.get(bytes, offset, length));
  }

  unsubscribePattern(
    subscriber: Subscriber,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    return this.#end(subscriber, this.#patterns.get(bytes, offset, length));
  }

  unsubscribeShard(
    subscriber: Subscriber,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    return this.#end(subscriber, this.#shardChannels.get(bytes, offset, length));
  }

  #end(subscriber: Subscriber, topic: Topic | null): boolean {
    return topic !== null && this.#remove(subscriber, topic);
  }

  /** Ends one subscription; false if there was none. */
  #remove(subscriber: Subscriber, topic: Topic): boolean {
    const { subscriptions } = subscriber;
    if (subscriptions === null) return false;
    const { kind } = topic;
    const [set, topics] = kind === "message"
      ? [subscriptions.channels, this.#channels]
      : kind === "pmessage"
      ? [subscriptions.patterns, this.#patterns]
      : [subscriptions.shardChannels, this.#shardChannels];
    if (!set.delete(topic)) return false;
    subscriptions.sizeBytes -= SUBSCRIPTION_BYTES + topic.name.length;
    topic.remove(subscriber);
    if (topic.count === 0) {
      topics.remove(topic);
      if (kind === "pmessage") this.#patternIndex.remove(topic);
    }
    subscriber.subscriptionsChanged();
    return true;
  }

  /** Ends a subscription that `subscriber.subscriptions` lists. */
  leave(subscriber: Subscriber, topic: Topic): void {
    this.#remove(subscriber, topic);
  }

  /** Ends all subscriptions of a client that is gone or starts anew. */
  forget(subscriber: Subscriber): void {
    const { subscriptions } = subscriber;
    if (subscriptions === null) return;
    for (const set of [subscriptions.channels, subscriptions.patterns]) {
      for (const topic of set) this.#remove(subscriber, topic);
    }
    for (const topic of subscriptions.shardChannels) this.#remove(subscriber, topic);
    subscriber.subscriptions = null;
    this.#deferred = this.#deferred.filter((each) => each.subscriber !== subscriber);
  }

  // -- questions -----------------------------------------------------------------------------

  /** Names of the channels that somebody is subscribed to; with a pattern only those that match. */
  channelNames(pattern: Uint8Array | null): Uint8Array[] {
    return namesOf(this.#channels, pattern);
  }

  shardChannelNames(pattern: Uint8Array | null): Uint8Array[] {
    return namesOf(this.#shardChannels, pattern);
  }

  /** How many are subscribed to a channel; those to patterns do not count. */
  subscriberCount(bytes: Uint8Array, offset: number, length: number): number {
    return this.#channels.get(bytes, offset, length)?.count ?? 0;
  }

  shardSubscriberCount(bytes: Uint8Array, offset: number, length: number): number {
    return this.#shardChannels.get(bytes, offset, length)?.count ?? 0;
  }

  // -- messages --------------------------------------------------------------------------------

  /**
   * Sends a message to the subscribers of a channel, then to those of the patterns that match, each
   * in the order in which they came. Returns the number of messages; a client may get several.
   */
  publish(
    channel: Uint8Array,
    channelOffset: number,
    channelLength: number,
    message: Uint8Array,
    messageOffset: number,
    messageLength: number,
  ): number {
    let receivers = 0;
    const topic = this.#channels.get(channel, channelOffset, channelLength);
    if (topic !== null) {
      receivers = this.#send(topic, NONE, 0, 0, message, messageOffset, messageLength);
    }
    if (this.#patterns.count === 0) return receivers;
    const found = this.#found;
    this.#patternIndex.match(channel, channelOffset, channelLength, found);
    if (found.length > 1) found.sort(bySerial);
    for (let i = 0; i < found.length; i++) {
      receivers += this.#send(
        found[i],
        channel,
        channelOffset,
        channelLength,
        message,
        messageOffset,
        messageLength,
      );
    }
    found.length = 0;
    return receivers;
  }

  /** Sends a message to the subscribers of a shard channel; returns how many they are. */
  publishShard(
    channel: Uint8Array,
    channelOffset: number,
    channelLength: number,
    message: Uint8Array,
    messageOffset: number,
    messageLength: number,
  ): number {
    const topic = this.#shardChannels.get(channel, channelOffset, channelLength);
    if (topic === null) return 0;
    return this.#send(topic, NONE, 0, 0, message, messageOffset, messageLength);
  }

  /** Gives a message to all subscribers of a topic; a pattern's message names the channel too. */
  #send(
    topic: Topic,
    channel: Uint8Array,
    channelOffset: number,
    channelLength: number,
    message: Uint8Array,
    messageOffset: number,
    messageLength: number,
  ): number {
    const { subscribers } = topic;
    const running = this.runningClient();
    const isWide = subscribers.length >= WIDE_SUBSCRIBERS;
    // Where the message lies for RESP2 and RESP3: encoded when the first who needs it is met.
    let start2 = -1;
    let start3 = -1;
    let buffer2: Uint8Array = NONE;
    let buffer3: Uint8Array = NONE;
    let count = 0;
    for (let i = 0; i < subscribers.length; i++) {
      const subscriber = subscribers[i];
      if (subscriber.isClosing) continue;
      const { reply } = subscriber;
      const isThree = reply.resp !== 2;
      if (isThree ? start3 < 0 : start2 < 0) {
        const start = this.#encode(
          isThree ? 1 : 0,
          topic.header,
          channel,
          channelOffset,
          channelLength,
          message,
          messageOffset,
          messageLength,
        );
        count = this.#encodedBytes;
        if (isThree) {
          start3 = start;
          buffer3 = this.#encodedIn;
        } else {
          start2 = start;
          buffer2 = this.#encodedIn;
        }
      }
      const buffer = isThree ? buffer3 : buffer2;
      const start = isThree ? start3 : start2;
      if (subscriber === running) {
        this.#deferred.push({ subscriber, buffer, start, count });
        continue;
      }
      reply.share(buffer, start, count);
      if (!isWide) subscriber.transport.wake();
    }
    if (isWide) this.#scheduleRound(topic);
    return subscribers.length;
  }

  /**
   * Has the sockets of all subscribers of a topic written, together with those of other topics.
   * Usually that happens when the turn is over. But where the latest round is less than a
   * millisecond ago and carried several messages, the next one waits for a millisecond: writing to
   * many sockets takes longer than that anyway, and each socket then gets more at once.
   */
  #scheduleRound(topic: Topic): void {
    this.#roundMessages++;
    this.#round.add(topic);
    if (this.#isRoundDue) return;
    this.#isRoundDue = true;
    const waits = this.#wasThick && this.#clock.monotonic() - this.#roundEndedMs < ROUND_MS;
    if (waits) this.#timers.after(ROUND_MS, this.#runRound);
    else this.#timers.soon(this.#runRound);
  }

  readonly #round = new Set<Topic>();
  #roundMessages = 0;
  #isRoundDue = false;
  #wasThick = false;
  #roundEndedMs = 0;

  readonly #runRound = (): void => {
    this.#isRoundDue = false;
    this.#wasThick = this.#roundMessages >= THICK_MESSAGES;
    this.#roundMessages = 0;
    for (const { subscribers } of this.#round) {
      for (let i = 0; i < subscribers.length; i++) subscribers[i].transport.wake();
    }
    this.#round.clear();
    this.#roundEndedMs = this.#clock.monotonic();
  };

  /** Length and buffer of the message that `#encode` made last. */
  #encodedBytes = 0;
  #encodedIn: Uint8Array = NONE;

  /** Writes a message behind the others of its protocol, or alone if it is large; returns where. */
  #encode(
    which: number,
    header: Uint8Array,
    channel: Uint8Array,
    channelOffset: number,
    channelLength: number,
    message: Uint8Array,
    messageOffset: number,
    messageLength: number,
  ): number {
    const room = header.length + channelLength + messageLength + FRAME_BYTES;
    let buffer = this.#buffers[which];
    let at = this.#lengths[which];
    const isLarge = room >= SHARE_MIN_BYTES;
    if (isLarge) {
      buffer = sharedBuffer(room);
      at = 0;
    } else if (at + room > buffer.length) {
      buffer = this.#buffers[which] = sharedBuffer(BUFFER_BYTES);
      at = 0;
    }
    const start = at;
    if (header.length < 48) {
      for (let i = 0; i < header.length; i++) buffer[at + i] = header[i];
    } else buffer.set(header, at);
    buffer[at] = which === 0 ? STAR : PUSH;
    at += header.length;
    if (channel !== NONE) at = writeBulk(buffer, at, channel, channelOffset, channelLength);
    at = writeBulk(buffer, at, message, messageOffset, messageLength);
    if (!isLarge) this.#lengths[which] = at;
    this.#encodedBytes = at - start;
    this.#encodedIn = buffer;
    return start;
  }

  // -- what waits for the end of a command -------------------------------------------------------

  /** Whether something waits for `deliverDeferred`. */
  get hasDeferred(): boolean {
    return this.#deferred.length > 0;
  }

  /** Has a client sent these bytes, RESP of its protocol, when its command has ended. */
  defer(subscriber: Subscriber, buffer: Uint8Array, start: number, count: number): void {
    this.#deferred.push({ subscriber, buffer, start, count });
  }

  /** The command has ended, its reply is written: sends what has waited for that. */
  deliverDeferred(): void {
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const { subscriber, buffer, start, count } of deferred) {
      subscriber.reply.share(buffer, start, count);
      subscriber.transport.wake();
    }
  }
}

const NONE = new Uint8Array(0);

function subscriptionsOf(subscriber: Subscriber): Subscriptions {
  return subscriber.subscriptions ??= {
    channels: new Set(),
    patterns: new Set(),
    shardChannels: new Set(),
    sizeBytes: 0,
  };
}

function bySerial(a: Topic, b: Topic): number {
  return a.serial - b.serial;
}

function namesOf(topics: ByteMap<Topic>, pattern: Uint8Array | null): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (const { name } of topics.values()) {
    const matches = pattern === null ||
      globMatch(pattern, 0, pattern.length, name, 0, name.length, false);
    if (matches) names.push(name);
  }
  return names;
}

function writeBulk(
  to: Uint8Array,
  at: number,
  source: Uint8Array,
  offset: number,
  count: number,
): number {
  to[at++] = 0x24;
  if (count < 10) to[at++] = 48 + count;
  else at += writeInteger(to, at, count);
  to[at++] = 13;
  to[at++] = 10;
  if (count < 48) {
    for (let i = 0; i < count; i++) to[at + i] = source[offset + i];
  } else to.set(source.subarray(offset, offset + count), at);
  at += count;
  to[at++] = 13;
  to[at++] = 10;
  return at;
}
