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

import { Holder, Links } from "../arena/links.ts";
import { latin1 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { globMatch } from "../base/glob.ts";
import { writeInteger } from "../base/integers.ts";
import { type ReplyWriter, SHARE_MIN_BYTES, sharedBuffer } from "../resp/reply_writer.ts";
import type { Timers } from "../runtime/runtime.ts";
import { PATTERN_BYTES, PatternIndex } from "./pattern_index.ts";

/** The three kinds of what one may listen to. */
export type TopicKind = "channels" | "patterns" | "shardChannels";

/** What one client listens to, in the order in which it subscribed. */
export class Subscriptions {
  readonly channels: Holder<Subscriber>;
  readonly patterns: Holder<Subscriber>;
  readonly shardChannels: Holder<Subscriber>;

  constructor(subscriber: Subscriber) {
    this.channels = new Holder(subscriber);
    this.patterns = new Holder(subscriber);
    this.shardChannels = new Holder(subscriber);
  }

  /** Their memory in bytes. A name counts with each of its subscribers, though it is kept once. */
  get sizeBytes(): number {
    const { channels, patterns, shardChannels } = this;
    return channels.sizeBytes + patterns.sizeBytes + shardChannels.sizeBytes +
      patterns.count * PATTERN_BYTES;
  }
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

/** So many topics have their subscribers kept as arrays, too: those that messages go to. */
const LISTS_MAX = 16 * 1024;

const STAR = 0x2a;
const PUSH = 0x3e;

/** All channels, shard channels or patterns that somebody listens to. */
class Topics {
  readonly links: Links<Subscriber>;
  /** The bytes with which each of their messages begins, as RESP2. */
  readonly prefix: Uint8Array;
  /** Subscribers of topics that have several, as arrays: made when first needed after a change. */
  readonly #lists = new Map<number, Subscriber[]>();
  #renewals = 0;
  /** Called when topics have got other numbers. */
  onRenumbered = () => {};
  /** The few subscribers of another topic; for the time of one message. */
  readonly #few: (Subscriber | null)[] = [null, null, null];

  /** `onGone` is told of the tag of a topic that nobody listens to any more. */
  constructor(readonly kind: TopicKind, message: string, parts: number, onGone?: TagListener) {
    this.links = new Links(onGone);
    this.prefix = latin1(`*${parts}\r\n$${message.length}\r\n${message}\r\n`);
  }

  /** Subscribers in the order in which they came; the first `countOf(topic)` elements. */
  subscribersOf(topic: number): readonly (Subscriber | null)[] {
    const { links } = this;
    const count = links.countOf(topic);
    if (count > this.#few.length) return this.#lists.get(topic) ?? this.#list(topic);
    const few = this.#few;
    let at = 0;
    for (let link = links.firstOf(topic); link !== 0; link = links.nextOf(link)) {
      few[at++] = links.memberOf(link);
    }
    return few;
  }

  #list(topic: number): readonly Subscriber[] {
    const { links } = this;
    const list: Subscriber[] = [];
    for (let link = links.firstOf(topic); link !== 0; link = links.nextOf(link)) {
      list.push(links.memberOf(link));
    }
    if (this.#lists.size >= LISTS_MAX) this.#lists.clear();
    this.#lists.set(topic, list);
    return list;
  }

  /** The message has been sent: lets go of its subscribers. */
  forgetFew(): void {
    const few = this.#few;
    for (let i = 0; i < few.length && few[i] !== null; i++) few[i] = null;
  }

  /** Attaches a subscriber; returns the topic, or 0 if it listens to it already. */
  add(holder: Holder<Subscriber>, bytes: Uint8Array, offset: number, length: number): number {
    const link = this.links.link(holder, bytes, offset, length);
    if (link === 0) return 0;
    const topic = this.links.nameOf(link);
    if (this.#lists.size > 0) this.#lists.delete(topic);
    return topic;
  }

  /** Ends the link of a subscriber. */
  remove(link: number): void {
    if (this.#lists.size > 0) this.#lists.delete(this.links.nameOf(link));
    this.links.unlink(link);
    this.#checkRenewals();
  }

  /** Ends all links of a subscriber. */
  removeAll(holder: Holder<Subscriber>): void {
    const { links } = this;
    if (this.#lists.size > 0) {
      for (let link = holder.first; link !== 0; link = links.nextBy(link)) {
        this.#lists.delete(links.nameOf(link));
      }
    }
    links.unlinkAll(holder);
    this.#checkRenewals();
  }

  /** Topics have other numbers after a renewal. */
  #checkRenewals(): void {
    if (this.#renewals === this.links.renewals) return;
    this.#renewals = this.links.renewals;
    this.#lists.clear();
    this.onRenumbered();
  }
}

type TagListener = (tag: number) => void;

/** What waits for the end of a command of the client that it goes to. */
interface Deferred {
  readonly subscriber: Subscriber;
  readonly buffer: Uint8Array;
  readonly start: number;
  readonly count: number;
}

export class Hub {
  readonly #channels = new Topics("channels", "message", 3);
  readonly #patterns = new Topics(
    "patterns",
    "pmessage",
    4,
    (tag) => this.#patternIndex.remove(tag),
  );
  readonly #shardChannels = new Topics("shardChannels", "smessage", 3);
  readonly #patternIndex = new PatternIndex(this.#patterns.links);
  /** Messages of RESP2 and of RESP3, and how far the buffers are filled. */
  readonly #buffers = [sharedBuffer(0), sharedBuffer(0)];
  readonly #lengths = [0, 0];
  /** Patterns that a message goes to; for the time of one message. */
  readonly #found: number[] = [];
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
    this.#patterns.onRenumbered = () => this.#patternIndex.renumber();
  }

  get channelCount(): number {
    return this.#channels.links.nameCount;
  }

  /** Different patterns. */
  get patternCount(): number {
    return this.#patterns.links.nameCount;
  }

  get shardChannelCount(): number {
    return this.#shardChannels.links.nameCount;
  }

  /** Whether nobody listens to any channel or pattern (shard channels apart). */
  get isIdle(): boolean {
    return this.channelCount === 0 && this.patternCount === 0;
  }

  // -- subscriptions ---------------------------------------------------------------------

  /** Subscribes a client to a channel; false if it is subscribed already. The name is copied. */
  subscribe(subscriber: Subscriber, bytes: Uint8Array, offset: number, length: number): boolean {
    return this.#add(subscriber, this.#channels, bytes, offset, length) !== 0;
  }

  /** The same for all channels that match a pattern. */
  subscribePattern(
    subscriber: Subscriber,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    const topic = this.#add(subscriber, this.#patterns, bytes, offset, length);
    const isNew = topic !== 0 && this.#patterns.links.countOf(topic) === 1;
    if (isNew) this.#patternIndex.add(topic);
    return topic !== 0;
  }

  /** The same for a shard channel. */
  subscribeShard(
    subscriber: Subscriber,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    return this.#add(subscriber, this.#shardChannels, bytes, offset, length) !== 0;
  }

  /** Returns the topic, or 0. */
  #add(
    subscriber: Subscriber,
    topics: Topics,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number {
    const subscriptions = subscriber.subscriptions ??= new Subscriptions(subscriber);
    const topic = topics.add(subscriptions[topics.kind], bytes, offset, length);
    if (topic !== 0) subscriber.subscriptionsChanged();
    return topic;
  }

  /** Ends the subscription of a client to a channel; false if there was none. */
  unsubscribe(subscriber: Subscriber, bytes: Uint8Array, offset: number, length: number): boolean {
    return this.#end(subscriber, this.#channels, bytes, offset, length);
  }

  unsubscribePattern(
    subscriber: Subscriber,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    return this.#end(subscriber, this.#patterns, bytes, offset, length);
  }

  unsubscribeShard(
    subscriber: Subscriber,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    return this.#end(subscriber, this.#shardChannels, bytes, offset, length);
  }

  #end(
    subscriber: Subscriber,
    topics: Topics,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    const { subscriptions } = subscriber;
    const topic = subscriptions === null ? 0 : topics.links.find(bytes, offset, length);
    if (subscriptions === null || topic === 0) return false;
    const link = topics.links.linkOf(subscriptions[topics.kind], topic);
    if (link === 0) return false;
    topics.remove(link);
    subscriber.subscriptionsChanged();
    return true;
  }

  /** Ends the oldest subscription of a kind and returns its name; null if there is none. */
  leaveOldest(subscriber: Subscriber, kind: TopicKind): Uint8Array | null {
    const link = subscriber.subscriptions?.[kind].first ?? 0;
    if (link === 0) return null;
    const topics = this.#topicsOf(kind);
    const name = topics.links.copyOf(topics.links.nameOf(link));
    topics.remove(link);
    subscriber.subscriptionsChanged();
    return name;
  }

  #topicsOf(kind: TopicKind): Topics {
    if (kind === "channels") return this.#channels;
    return kind === "patterns" ? this.#patterns : this.#shardChannels;
  }

  /** Ends all subscriptions of a client that is gone or starts anew. */
  forget(subscriber: Subscriber): void {
    const { subscriptions } = subscriber;
    if (subscriptions === null) return;
    for (const topics of [this.#channels, this.#patterns, this.#shardChannels]) {
      topics.removeAll(subscriptions[topics.kind]);
    }
    subscriber.subscriptionsChanged();
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
    return countOf(this.#channels, bytes, offset, length);
  }

  shardSubscriberCount(bytes: Uint8Array, offset: number, length: number): number {
    return countOf(this.#shardChannels, bytes, offset, length);
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
    const channels = this.#channels;
    const topic = channels.links.find(channel, channelOffset, channelLength);
    if (topic !== 0) {
      receivers = this.#send(
        channels,
        topic,
        channel,
        channelOffset,
        channelLength,
        message,
        messageOffset,
        messageLength,
      );
    }
    const patterns = this.#patterns;
    if (patterns.links.nameCount === 0) return receivers;
    const found = this.#found;
    this.#patternIndex.match(channel, channelOffset, channelLength, found);
    for (let i = 0; i < found.length; i++) {
      receivers += this.#send(
        patterns,
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
    const topic = this.#shardChannels.links.find(channel, channelOffset, channelLength);
    if (topic === 0) return 0;
    return this.#send(
      this.#shardChannels,
      topic,
      channel,
      channelOffset,
      channelLength,
      message,
      messageOffset,
      messageLength,
    );
  }

  /** Gives a message to all subscribers of a topic; a pattern's message names the pattern too. */
  #send(
    topics: Topics,
    topic: number,
    channel: Uint8Array,
    channelOffset: number,
    channelLength: number,
    message: Uint8Array,
    messageOffset: number,
    messageLength: number,
  ): number {
    const subscriberCount = topics.links.countOf(topic);
    const subscribers = topics.subscribersOf(topic);
    const running = this.runningClient();
    const isWide = subscriberCount >= WIDE_SUBSCRIBERS;
    // Where the message lies for RESP2 and RESP3: encoded when the first who needs it is met.
    let start2 = -1;
    let start3 = -1;
    let buffer2: Uint8Array = NONE;
    let buffer3: Uint8Array = NONE;
    let count = 0;
    for (let i = 0; i < subscriberCount; i++) {
      const subscriber = subscribers[i]!;
      if (subscriber.isClosing) continue;
      const { reply } = subscriber;
      const isThree = reply.resp !== 2;
      if (isThree ? start3 < 0 : start2 < 0) {
        const start = this.#encode(
          isThree ? 1 : 0,
          topics,
          topic,
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
    if (isWide) this.#scheduleRound(subscribers as readonly Subscriber[]);
    else topics.forgetFew();
    return subscriberCount;
  }

  /**
   * Has the sockets of all subscribers of a topic written, together with those of other topics.
   * Usually that happens when the turn is over. But where the latest round is less than a
   * millisecond ago and carried several messages, the next one waits for a millisecond: writing to
   * many sockets takes longer than that anyway, and each socket then gets more at once.
   */
  #scheduleRound(subscribers: readonly Subscriber[]): void {
    this.#roundMessages++;
    this.#round.add(subscribers);
    if (this.#isRoundDue) return;
    this.#isRoundDue = true;
    const waits = this.#wasThick && this.#clock.monotonic() - this.#roundEndedMs < ROUND_MS;
    if (waits) this.#timers.after(ROUND_MS, this.#runRound);
    else this.#timers.soon(this.#runRound);
  }

  readonly #round = new Set<readonly Subscriber[]>();
  #roundMessages = 0;
  #isRoundDue = false;
  #wasThick = false;
  #roundEndedMs = 0;

  readonly #runRound = (): void => {
    this.#isRoundDue = false;
    this.#wasThick = this.#roundMessages >= THICK_MESSAGES;
    this.#roundMessages = 0;
    for (const subscribers of this.#round) {
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
    topics: Topics,
    topic: number,
    channel: Uint8Array,
    channelOffset: number,
    channelLength: number,
    message: Uint8Array,
    messageOffset: number,
    messageLength: number,
  ): number {
    const { prefix, links } = topics;
    const patternLength = topics === this.#patterns ? links.lengthOf(topic) : 0;
    const room = prefix.length + patternLength + channelLength + messageLength + FRAME_BYTES;
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
    for (let i = 0; i < prefix.length; i++) buffer[at + i] = prefix[i];
    buffer[at] = which === 0 ? STAR : PUSH;
    at += prefix.length;
    if (topics === this.#patterns) {
      at = writeBulk(buffer, at, links.bytesOf(topic), links.offsetOf(topic), patternLength);
    }
    at = writeBulk(buffer, at, channel, channelOffset, channelLength);
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

function countOf(
  { links }: Topics,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const topic = links.find(bytes, offset, length);
  return topic === 0 ? 0 : links.countOf(topic);
}

function namesOf({ links }: Topics, pattern: Uint8Array | null): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let topic = links.nameAfter(0); topic !== 0; topic = links.nameAfter(topic)) {
    const bytes = links.bytesOf(topic);
    const offset = links.offsetOf(topic);
    const length = links.lengthOf(topic);
    const matches = pattern === null ||
      globMatch(pattern, 0, pattern.length, bytes, offset, length, false);
    if (matches) names.push(links.copyOf(topic));
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
