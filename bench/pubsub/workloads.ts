/**
 * What is measured: who listens to what, and what is published by redis-benchmark.
 *
 * Every message has the same length and a known number of receivers, so that the receiving side can
 * count bytes instead of reading messages.
 */

/** redis-benchmark replaces this by twelve digits below `-r`. */
const RANDOM = "__rand_int__";

/** Content of each message, in bytes: a short event, as a chat or a cache sends it. */
export const MESSAGE_BYTES = 32;

/** One workload. */
export interface Workload {
  name: string;
  /** What has to be at least this ratio to redis-server's figure. */
  bar: number;
  /** Connections that listen. */
  connections: number;
  /** The words each of them sends first: SUBSCRIBE or PSUBSCRIBE with its names. */
  subscribe: (connection: number) => string[];
  /** The channel that is published on, as redis-benchmark takes it; and `-r`. */
  channel: string;
  keyspace: number;
  /** Subscribers that each message goes to. */
  receivers: number;
  /** Bytes of one message as a subscriber gets it. */
  deliveredBytes: number;
  /** A channel of the workload by number, for messages sent one at a time. */
  channelAt: (n: number) => string;
}

/** Bytes of an array of bulk strings. */
function arrayBytes(...words: string[]): number {
  let bytes = `*${words.length}\r\n`.length;
  for (const word of words) bytes += `$${word.length}\r\n${word}\r\n`.length;
  return bytes;
}

function digits(n: number): string {
  return String(n).padStart(12, "0");
}

/** The numbers of a connection when `count` are dealt out evenly. */
function share(count: number, connections: number, connection: number): number[] {
  const each = count / connections;
  return Array.from({ length: each }, (_, i) => connection * each + i);
}

const MESSAGE = "m".repeat(MESSAGE_BYTES);

function oneChannel(subscribers: number, bar: number): Workload {
  return {
    name: `${subscribers.toLocaleString("en")} subscriber${subscribers > 1 ? "s" : ""}`,
    bar,
    connections: subscribers,
    subscribe: () => ["SUBSCRIBE", "news"],
    channel: "news",
    keyspace: 1,
    receivers: subscribers,
    deliveredBytes: arrayBytes("message", "news", MESSAGE),
    channelAt: () => "news",
  };
}

const CHANNELS = 10_000;
const PATTERNS = 5_000;
const CONNECTIONS = 100;

export const WORKLOADS: Workload[] = [
  oneChannel(1, 1),
  oneChannel(100, 1.3),
  oneChannel(1_000, 1.3),
  {
    name: `${CHANNELS.toLocaleString("en")} channels`,
    bar: 1,
    connections: CONNECTIONS,
    subscribe: (connection) => [
      "SUBSCRIBE",
      ...share(CHANNELS, CONNECTIONS, connection).map((n) => `room:${digits(n)}`),
    ],
    channel: `room:${RANDOM}`,
    keyspace: CHANNELS,
    receivers: 1,
    deliveredBytes: arrayBytes("message", `room:${digits(0)}`, MESSAGE),
    channelAt: (n) => `room:${digits(n % CHANNELS)}`,
  },
  {
    name: `${PATTERNS.toLocaleString("en")} patterns`,
    bar: 1,
    connections: CONNECTIONS,
    subscribe: (connection) => [
      "PSUBSCRIBE",
      ...share(PATTERNS, CONNECTIONS, connection).map((n) => `news:${digits(n)}:*`),
    ],
    channel: `news:${RANDOM}:sport`,
    keyspace: PATTERNS,
    receivers: 1,
    deliveredBytes: arrayBytes(
      "pmessage",
      `news:${digits(0)}:*`,
      `news:${digits(0)}:sport`,
      MESSAGE,
    ),
    channelAt: (n) => `news:${digits(n % PATTERNS)}:sport`,
  },
];
