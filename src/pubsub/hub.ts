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
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Timers } from "../runtime/runtime.ts";
import { KnownTopics } from "./known_topics.ts";
import { Message, MessageEncoder } from "./message.ts";
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

/**
 * A topic with at least so many subscribers has their sockets written in rounds; see
 * `#scheduleRound`.
 */
const WIDE_SUBSCRIBERS = 32;
/** A round with at least so many messages makes the next one wait, for so many milliseconds. */
const THICK_MESSAGES = 4;
const ROUND_MS = 1;

/** A topic with at most so many subscribers has them looked up for each message. */
const FEW_SUBSCRIBERS = 3;

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
  readonly #known: KnownTopics;
  #renewals = 0;
  /** Called when topics have got other numbers. */
  onRenumbered = () => {};

  /** `onGone` is told of the tag of a topic that nobody listens to any more. */
  constructor(readonly kind: TopicKind, message: string, parts: number, onGone?: TagListener) {
    this.links = new Links((tag) => {
      this.#known.forget();
      onGone?.(tag);
    });
    this.prefix = latin1(`*${parts}\r\n$${message.length}\r\n${message}\r\n`);
    this.#known = new KnownTopics(this.prefix);
  }

  /**
   * The topic that the message goes to, or 0. Tells the message what it begins with where that is known
   * with the channel.
   */
  find(message: Message): number {
    const { channel, channelOffset, channelLength } = message;
    const known = this.#known;
    let topic = known.find(channel, channelOffset, channelLength);
    if (topic !== 0) message.head = known.head;
    else {
      topic = this.links.find(channel, channelOffset, channelLength);
      if (topic !== 0) known.note(topic, channel, channelOffset, channelLength);
    }
    return topic;
  }

  /** Subscribers of a topic in the order in which they came, as an array. */
  subscribersOf(topic: number): readonly Subscriber[] {
    return this.#lists.get(topic) ?? this.#list(topic);
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
    this.#known.forget();
    this.onRenumbered();
  }
}

type TagListener = (tag: number) => void;

/** Whom messages may be sent to. */
type Receiver = Pick<Subscriber, "reply" | "transport">;

/** What waits for the end of a command of the client that it goes to. */
interface Deferred {
  readonly subscriber: Receiver;
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
  /** The message that is being sent, and its bytes for RESP2 and for RESP3. */
  readonly #message = new Message();
  readonly #resp2 = new MessageEncoder(STAR);
  readonly #resp3 = new MessageEncoder(PUSH);
  /** Patterns that a message goes to; for the time of one message. */
  readonly #found: number[] = [];
  #deferred: Deferred[] = [];
  /** What comes before that. */
  #deferredFirst: Deferred[] = [];

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

  /** The names of the channels, to look ahead at those that are published on next. */
  get channels(): { readonly nameCount: number; warm(hashes: Int32Array, count: number): number } {
    return this.#channels.links;
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

  /** Whether all that a client listens to passes a test of its name. */
  hasOnly(
    { subscriptions }: Subscriber,
    isAllowed: (name: Uint8Array, isPattern: boolean) => boolean,
  ): boolean {
    if (subscriptions === null) return true;
    return [this.#patterns, this.#channels, this.#shardChannels].every(({ links, kind }) => {
      for (let link = subscriptions[kind].first; link !== 0; link = links.nextBy(link)) {
        if (!isAllowed(links.copyOf(links.nameOf(link)), kind === "patterns")) return false;
      }
      return true;
    });
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
    const channels = this.#channels;
    const patterns = this.#patterns;
    this.#take(channel, channelOffset, channelLength, message, messageOffset, messageLength);
    const topic = channels.find(this.#message);
    let receivers = topic === 0 ? 0 : this.#send(channels, topic);
    if (patterns.links.nameCount > 0) {
      this.#message.head = null;
      const found = this.#found;
      this.#patternIndex.match(channel, channelOffset, channelLength, found);
      for (let i = 0; i < found.length; i++) receivers += this.#send(patterns, found[i]);
      found.length = 0;
    }
    this.#message.clear();
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
    this.#take(channel, channelOffset, channelLength, message, messageOffset, messageLength);
    const topic = this.#shardChannels.find(this.#message);
    const receivers = topic === 0 ? 0 : this.#send(this.#shardChannels, topic);
    this.#message.clear();
    return receivers;
  }

  #take(
    channel: Uint8Array,
    channelOffset: number,
    channelLength: number,
    content: Uint8Array,
    contentOffset: number,
    contentLength: number,
  ): void {
    const message = this.#message;
    message.channel = channel;
    message.channelOffset = channelOffset;
    message.channelLength = channelLength;
    message.content = content;
    message.contentOffset = contentOffset;
    message.contentLength = contentLength;
    message.head = null;
  }

  /**
   * Gives the message to all subscribers of a topic; a pattern's message names the pattern too. Answers
   * how many there are.
   */
  #send(topics: Topics, topic: number): number {
    const { links } = topics;
    const count = links.countOf(topic);
    const running = this.runningClient();
    this.#resp2.begin();
    this.#resp3.begin();
    if (count <= FEW_SUBSCRIBERS) {
      for (let link = links.firstOf(topic); link !== 0; link = links.nextOf(link)) {
        const subscriber = links.memberOf(link);
        if (this.#give(subscriber, running, topics, topic)) subscriber.transport.wake();
      }
      return count;
    }
    const subscribers = topics.subscribersOf(topic);
    const isWide = count >= WIDE_SUBSCRIBERS;
    this.#giveAll(subscribers, running, topics, topic, !isWide);
    if (isWide) this.#scheduleRound(subscribers);
    return count;
  }

  /** Gives many subscribers the message: once it is encoded, each costs a few nanoseconds. */
  #giveAll(
    subscribers: readonly Subscriber[],
    running: Subscriber | null,
    topics: Topics,
    topic: number,
    isToWake: boolean,
  ): void {
    const resp2 = this.#resp2;
    const resp3 = this.#resp3;
    for (let i = 0; i < subscribers.length; i++) {
      const subscriber = subscribers[i];
      const { reply } = subscriber;
      const encoded = reply.resp === 2 ? resp2 : resp3;
      if (encoded.start < 0 || subscriber.isClosing || subscriber === running) {
        if (!this.#give(subscriber, running, topics, topic)) continue;
      } else reply.share(encoded.buffer, encoded.start, encoded.count);
      if (isToWake) subscriber.transport.wake();
    }
  }

  /** Gives a subscriber the message. Answers whether its socket has to be written. */
  #give(
    subscriber: Subscriber,
    running: Subscriber | null,
    topics: Topics,
    topic: number,
  ): boolean {
    if (subscriber.isClosing) return false;
    const { reply } = subscriber;
    const encoded = reply.resp === 2 ? this.#resp2 : this.#resp3;
    if (encoded.start < 0) {
      const pattern = topics === this.#patterns ? topic : 0;
      encoded.encode(this.#message, topics.prefix, topics.links, pattern);
    }
    const { buffer, start, count } = encoded;
    if (subscriber === running) {
      this.defer(subscriber, buffer, start, count);
      return false;
    }
    reply.share(buffer, start, count);
    return true;
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

  // -- what waits for the end of a command -------------------------------------------------------

  /** Whether something waits for `deliverDeferred`. */
  hasDeferred = false;

  /**
   * Has a client sent these bytes, RESP of its protocol, when the command at hand has ended; with
   * `goesFirst` before all messages that have been published.
   */
  defer(
    subscriber: Receiver,
    buffer: Uint8Array,
    start: number,
    count: number,
    goesFirst = false,
  ): void {
    (goesFirst ? this.#deferredFirst : this.#deferred).push({ subscriber, buffer, start, count });
    this.hasDeferred = true;
  }

  /** The command has ended, its reply is written: sends what has waited for that. */
  deliverDeferred(): void {
    const deferred = this.#deferredFirst.concat(this.#deferred);
    this.#deferredFirst = [];
    this.#deferred = [];
    this.hasDeferred = false;
    for (const { subscriber, buffer, start, count } of deferred) {
      subscriber.reply.share(buffer, start, count);
      subscriber.transport.wake();
    }
  }
}

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
