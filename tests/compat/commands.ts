/**
 * The commands that are compared, in groups: of each its argument generator and how its replies are
 * compared. See {@link Mode}; `equal` is the rule, anything else is there because Redis itself
 * leaves the order or the choice open, or because the reply tells of the instant or the process.
 */

import type { Generator, KeyKind } from "./generator.ts";

/**
 * How the replies of the two servers are compared. Errors must be equal under all but `skip`.
 *
 * | mode | equal if |
 * |---|---|
 * | `equal` | every byte is |
 * | `sorted` | the elements are, in some order (SMEMBERS, KEYS) |
 * | `pairs` | the pairs of elements are, in some order (HGETALL) |
 * | `scan`, `scanPairs` | the cursor is, and the elements or pairs in some order |
 * | `lifetime` | both are negative and the same, or at most 5 seconds apart |
 * | `encoding` | the same, or a pair that changed from 7.0 to 7.2 |
 * | `sample` | as many, and every one of them is in the key (SRANDMEMBER) |
 * | `pop` | as `sample`; then each side takes out what the other popped, and must agree on that |
 * | `payload` | each server restores the other's payload, and the values are equal |
 * | `shape` | of the same type, and lists of the same length |
 * | `kind` | of the same type (DBSIZE counts keys whose life is over until somebody asks for them) |
 */
export type Mode =
  | "equal"
  | "sorted"
  | "pairs"
  | "scan"
  | "scanPairs"
  | "lifetime"
  | "encoding"
  | "sample"
  | "pop"
  | "payload"
  | "shape"
  | "kind";

/** One command as these tests call it. */
export interface CommandSpec {
  /** The command, or a container command and its subcommand: "OBJECT ENCODING". */
  name: string;
  /** How often it is drawn, relative to others of its group. */
  weight: number;
  /** How its replies compare; where it hangs on the words, a function of them. */
  mode: Mode | ((words: string[]) => Mode);
  /** Draws the words after the name. */
  args: (g: Generator) => string[];
  /** False: arguments are sent as drawn, since a bent call could harm the session itself. */
  bend?: boolean;
}

/** One call to send. */
export interface Call {
  /** Which of the session's connections sends it. */
  conn: 0 | 1;
  words: string[];
  mode: Mode;
}

/** Commands that are tested together. */
export interface Group {
  name: string;
  /** Draws the next call, or several that belong together. */
  draw: (g: Generator) => Call[];
  specs: CommandSpec[];
}

/** How `spec` compares a call with these words. */
export function modeOf(spec: CommandSpec, words: string[]): Mode {
  return typeof spec.mode === "function" ? spec.mode(words) : spec.mode;
}

type Args = (g: Generator) => string[];

function spec(
  name: string,
  weight: number,
  args: Args,
  mode: CommandSpec["mode"] = "equal",
): CommandSpec {
  return { name, weight, args, mode };
}

/** A call of a spec: name and arguments, bent now and then, the name's case changed now and then. */
export function drawCall(g: Generator, from: CommandSpec): Call {
  const args = from.args(g);
  const words = [
    ...from.name.split(" ").map((word) => g.chance(0.95) ? word : g.case(word.toLowerCase())),
    ...(from.bend === false ? args : g.bend(args)),
  ];
  return { conn: 0, words, mode: modeOf(from, words) };
}

/** A spec whose arguments must not be bent. */
function never(from: CommandSpec): CommandSpec {
  return { ...from, bend: false };
}

function pickSpec(g: Generator, specs: CommandSpec[]): CommandSpec {
  const total = specs.reduce((sum, one) => sum + one.weight, 0);
  let roll = g.next() % total;
  for (const one of specs) {
    roll -= one.weight;
    if (roll < 0) return one;
  }
  return specs[0];
}

function group(name: string, specs: CommandSpec[], beside: () => CommandSpec[] = () => []): Group {
  let companions: CommandSpec[] | null = null;
  return {
    name,
    specs,
    draw: (g) => {
      companions ??= beside();
      if (companions.length > 0 && g.chance(0.25)) return [drawCall(g, pickSpec(g, companions))];
      return [drawCall(g, pickSpec(g, specs))];
    },
  };
}

/** From cursor 0, with a count that covers everything; any other step of a scan gives anything. */
function scanMode(words: string[], whole: Mode = "scan"): Mode {
  const cursor = words[words[0].toUpperCase() === "SCAN" ? 1 : 2];
  const upper = words.map((word) => word.toUpperCase());
  const count = upper[upper.lastIndexOf("COUNT") + 1];
  return cursor === "0" && /^10{4,5}$/.test(count) ? whole : "kind";
}
const scanPairsMode = (words: string[]): Mode => scanMode(words, "scanPairs");

const expiryOptions = (g: Generator) => [
  () => ["EX", g.seconds()],
  () => ["PX", g.millis()],
  () => ["EXAT", g.unixSeconds()],
  () => ["PXAT", g.unixMillis()],
];

const s = (g: Generator) => g.key("string");

const stringSpecs: CommandSpec[] = [
  spec("SET", 14, (g) => [
    s(g),
    g.value(),
    ...g.soup([
      () => ["NX"],
      () => ["XX"],
      () => ["GET"],
      () => ["KEEPTTL"],
      ...expiryOptions(g),
    ]),
  ]),
  spec("GET", 10, (g) => [s(g)]),
  spec("GETSET", 3, (g) => [s(g), g.value()]),
  spec("GETDEL", 2, (g) => [s(g)]),
  spec("GETEX", 5, (g) => [s(g), ...g.soup([() => ["PERSIST"], ...expiryOptions(g)], 0.8)]),
  spec("SETNX", 3, (g) => [s(g), g.value()]),
  spec("SETEX", 3, (g) => [s(g), g.seconds(), g.value()]),
  spec("PSETEX", 3, (g) => [s(g), g.millis(), g.value()]),
  spec("MSET", 3, (g) => g.many(1, 3, () => "").flatMap(() => [s(g), g.value()])),
  spec("MSETNX", 2, (g) => g.many(1, 3, () => "").flatMap(() => [s(g), g.value()])),
  spec("MGET", 4, (g) => g.many(1, 5, () => g.anyKey())),
  spec("APPEND", 5, (g) => [s(g), g.value()]),
  spec("STRLEN", 3, (g) => [s(g)]),
  spec("GETRANGE", 6, (g) => [s(g), g.index(), g.index()]),
  spec("SUBSTR", 2, (g) => [s(g), g.index(), g.index()]),
  spec(
    "SETRANGE",
    5,
    (g) => [s(g), g.chance(0.8) ? String(g.between(0, 300)) : g.int(), g.value()],
  ),
  spec("INCR", 5, (g) => [s(g)]),
  spec("DECR", 4, (g) => [s(g)]),
  spec("INCRBY", 5, (g) => [s(g), g.int()]),
  spec("DECRBY", 5, (g) => [s(g), g.int()]),
  spec("INCRBYFLOAT", 6, (g) => [s(g), g.float()]),
  spec("SET", 4, (g) => [s(g), g.chance(0.7) ? g.int() : g.float()]),
  spec(
    "SET",
    4,
    (
      g,
    ) => [
      g.key("text"),
      g.pick(["ohmytext", "mynewtext", g.binary(0, 60), "a b c d e f".repeat(g.between(1, 20))]),
    ],
  ),
  spec("LCS", 6, (g) => [
    g.key("text"),
    g.key("text"),
    ...g.soup([
      () => ["LEN"],
      () => ["IDX"],
      () => ["WITHMATCHLEN"],
      () => ["MINMATCHLEN", g.count()],
    ], 0.8),
  ]),
];

const bitRange = (g: Generator): string[] => [
  g.index(),
  g.index(),
  ...g.soup([() => ["BIT"], () => ["BYTE"]], 0.5),
];
const bitType = (g: Generator) =>
  g.chance(0.9)
    ? g.pick(["i", "u"]) + g.pick([1, 2, 4, 5, 7, 8, 13, 16, 31, 32, 63])
    : g.pick(["u64", "i64", "i65", "x8", "u0", "i", "8", "", "u-1", "I8", "u08"]);
const bitOffset = (g: Generator) =>
  g.chance(0.9)
    ? (g.chance(0.3) ? "#" : "") + g.between(0, 100)
    : g.pick(["-1", "abc", "#", "#-1", "", "4294967296", "#4294967296"]);
const bitfieldGet = (g: Generator) => () => ["GET", bitType(g), bitOffset(g)];

const bitSpecs: CommandSpec[] = [
  spec("SET", 4, (g) => [s(g), g.value()]),
  spec(
    "SETBIT",
    8,
    (
      g,
    ) => [
      s(g),
      g.chance(0.85) ? String(g.between(0, 2000)) : g.int(),
      g.pick(["0", "1", "1", "0", "2", "-1", "x"]),
    ],
  ),
  spec("GETBIT", 5, (g) => [s(g), g.chance(0.8) ? String(g.between(0, 3000)) : g.int()]),
  spec("BITCOUNT", 8, (g) => [s(g), ...(g.chance(0.7) ? bitRange(g) : [])]),
  spec("BITPOS", 8, (g) => [
    s(g),
    g.pick(["0", "1", "0", "1", "0", "1", "2", "x"]),
    ...(g.chance(0.3) ? [] : g.chance(0.4) ? [g.index()] : bitRange(g)),
  ]),
  spec("BITOP", 8, (g) => [
    g.case(g.pick(["AND", "OR", "XOR", "NOT", "AND", "OR", "XOR", "NAND"])),
    s(g),
    ...g.keys("string"),
  ]),
  spec("BITOP", 2, (g) => [g.case("NOT"), s(g), s(g)]),
  spec("BITFIELD", 10, (g) => [
    s(g),
    ...g.soup([
      bitfieldGet(g),
      () => ["SET", bitType(g), bitOffset(g), g.int()],
      () => ["INCRBY", bitType(g), bitOffset(g), g.int()],
      () => ["OVERFLOW", g.pick(["WRAP", "SAT", "FAIL", "wrap", "NONE"])],
    ], 0.95),
    ...g.soup([
      () => ["SET", bitType(g), bitOffset(g), g.int()],
      () => ["INCRBY", bitType(g), bitOffset(g), g.int()],
    ], 0.7),
  ]),
  spec(
    "BITFIELD_RO",
    4,
    (
      g,
    ) => [
      s(g),
      ...g.soup([bitfieldGet(g), bitfieldGet(g), bitfieldGet(g), () => ["OVERFLOW", "WRAP"]], 0.9),
    ],
  ),
  spec("GET", 4, (g) => [s(g)]),
];

const p = (g: Generator) => g.key("hll");
/** Elements enough to make several runs, and now and then to make it dense. */
const hllElements = (g: Generator) =>
  g.many(0, g.chance(0.1) ? 400 : 6, () => g.chance(0.7) ? String(g.between(0, 5000)) : g.value());

const hyperloglogSpecs: CommandSpec[] = [
  spec("PFADD", 20, (g) => [p(g), ...hllElements(g)]),
  spec("PFCOUNT", 6, (g) => [p(g)]),
  spec("PFCOUNT", 3, (g) => g.keys("hll")),
  spec("PFMERGE", 4, (g) => [p(g), ...(g.chance(0.9) ? g.keys("hll") : [])]),
  spec(
    "PFDEBUG",
    4,
    (g) => [g.case(g.pick(["GETREG", "DECODE", "ENCODING", "TODENSE", "DECODE", "NOSUCH"])), p(g)],
  ),
  spec("GET", 6, (g) => [p(g)]),
  // Into the header only: where runs are wrong, Redis keeps half of a PFADD and we keep nothing.
  spec("SETRANGE", 1, (g) => [p(g), String(g.between(0, 12)), g.binary(0, 3)]),
  spec(
    "SET",
    1,
    (g) => [p(g), g.pick(["HYLL", "HYLL\0" + "\0".repeat(20), "HYLL\x02" + "\0".repeat(20)])],
  ),
  spec("DEL", 2, (g) => [p(g)]),
  spec("OBJECT ENCODING", 2, (g) => [p(g)], "encoding"),
  spec("CONFIG SET", 1, (g) => ["hll-sparse-max-bytes", g.pick(["3000", "200", "0", "20000"])]),
];

const geoKey = (g: Generator) => g.key("geo");
const place = (g: Generator) => `m${g.between(0, 60)}`;
/** Mostly around a few places, so that small searches find something. */
function position(g: Generator): string[] {
  const near = (middle: number, by: number) => (middle + (g.draw() - 0.5) * by).toFixed(9);
  if (g.chance(0.05)) return [g.float(), g.float()];
  if (g.chance(0.08)) {
    return g.pick([
      ["180", "85.05112878"],
      ["-180", "-85.05112878"],
      ["0", "0"],
      ["179.9999", "-85"],
      [
        "181",
        "0",
      ],
      ["0", "-85.0512"],
      ["nan", "0"],
      ["inf", "0"],
      ["1e300", "0"],
      ["0", "-90"],
    ]);
  }
  if (g.chance(0.3)) return [near(0, 359), near(0, 169)];
  const [longitude, latitude] = g.pick([[13.3, 52.5], [-179.9, 10], [179.95, -20], [20, 80], [
    0,
    0,
  ]]);
  return [near(longitude, 0.4), near(latitude, 0.4)];
}
const unit = (g: Generator) => g.case(g.pick(["m", "km", "ft", "mi", "km", "km", "cm"]));
const reach = (g: Generator) =>
  g.chance(0.9) ? String(g.pick([0, 1, 10, 30, 100, 500, 2000, 7000, 30000, 1e6])) : g.float();
const geoOptions = (g: Generator) =>
  g.soup([
    () => ["WITHDIST"],
    () => ["WITHCOORD"],
    () => ["WITHHASH"],
    () => ["ASC"],
    () => ["DESC"],
    () => ["COUNT", g.count()],
    () => ["COUNT", g.count(), "ANY"],
    () => ["ANY"],
  ]);
const area = (g: Generator) =>
  g.shuffle([
    ...g.pick([[["FROMMEMBER", place(g)]], [["FROMLONLAT", ...position(g)]], [[
      "FROMLONLAT",
      ...position(g),
    ]]]),
    ...g.pick([
      [["BYRADIUS", reach(g), unit(g)]],
      [["BYBOX", reach(g), reach(g), unit(g)]],
    ]),
  ]).flat();

const geoSpecs: CommandSpec[] = [
  spec("GEOADD", 14, (g) => [
    geoKey(g),
    ...(g.chance(0.2) ? g.soup([() => ["NX"], () => ["XX"], () => ["CH"]]) : []),
    ...Array.from({ length: g.between(0, 8) }, () => [...position(g), place(g)]).flat(),
  ]),
  spec("GEOPOS", 5, (g) => [geoKey(g), ...g.many(0, 4, () => place(g))]),
  spec("GEOHASH", 5, (g) => [geoKey(g), ...g.many(0, 4, () => place(g))]),
  spec("GEODIST", 6, (g) => [geoKey(g), place(g), place(g), ...(g.chance(0.6) ? [unit(g)] : [])]),
  spec("GEOSEARCH", 14, (g) => [geoKey(g), ...area(g), ...geoOptions(g)]),
  spec("GEOSEARCHSTORE", 6, (g) => [
    geoKey(g),
    geoKey(g),
    ...area(g),
    ...g.soup([() => ["STOREDIST"], () => ["COUNT", g.count()], () => ["ASC"], () => ["WITHDIST"]]),
  ]),
  spec("GEORADIUS", 6, (g) => [
    geoKey(g),
    ...position(g),
    reach(g),
    unit(g),
    ...geoOptions(g),
    ...(g.chance(0.3) ? [g.pick(["STORE", "STOREDIST"]), geoKey(g)] : []),
  ]),
  spec("GEORADIUSBYMEMBER", 5, (g) => [
    geoKey(g),
    place(g),
    reach(g),
    unit(g),
    ...geoOptions(g),
    ...(g.chance(0.3) ? [g.pick(["STORE", "STOREDIST"]), geoKey(g)] : []),
  ]),
  spec("GEORADIUS_RO", 3, (g) => [geoKey(g), ...position(g), reach(g), unit(g), ...geoOptions(g)]),
  spec(
    "GEORADIUSBYMEMBER_RO",
    3,
    (g) => [geoKey(g), place(g), reach(g), unit(g), ...geoOptions(g)],
  ),
  spec("ZADD", 2, (g) => [geoKey(g), g.score(), place(g)]),
  spec("ZREM", 3, (g) => [geoKey(g), place(g), place(g)]),
  spec("ZRANGE", 3, (g) => [geoKey(g), "0", "-1", "WITHSCORES"]),
];

const streamKey = (g: Generator) => g.key("stream");
const consumerGroup = (g: Generator) => g.pick(["g1", "g1", "g2", "g\x00x"]);
const consumer = (g: Generator) => g.pick(["c1", "c2", "c3", ""]);
/** An id that may be there: sessions count up slowly. */
const streamId = (g: Generator) =>
  g.chance(0.85)
    ? `${g.between(0, 60)}-${g.between(0, 5)}`
    : g.chance(0.5)
    ? String(g.between(0, 60))
    : g.pick([
      "0-0",
      "18446744073709551615-18446744073709551615",
      "18446744073709551615",
      "9007199254740993-1",
      "9223372036854775808-0",
      "18446744073709551616-1",
      "007-1",
      "+5-1",
      " 5-1",
      "5--1",
      "5-",
      "-5",
      "",
      "x",
      "1-1-1",
      "-",
      "+",
      "$",
      ">",
      "*",
    ]);
const streamEnd = (g: Generator) =>
  g.chance(0.3) ? g.pick(["-", "+", "(-", "(+"]) : (g.chance(0.2) ? "(" : "") + streamId(g);
/** Mostly above what is there, and few great ones: behind those nothing can be added. */
const newStreamId = (g: Generator) =>
  g.chance(0.6)
    ? `${g.between(0, 60)}-*`
    : g.chance(0.97)
    ? `${g.between(0, 60)}-${g.between(0, 5)}`
    : streamId(g).replace("*", "5-*"); // an id of the time is another one on each side
const streamFields = (g: Generator) =>
  g.chance(0.6)
    ? ["f", g.value(), "g", g.member()]
    : Array.from({ length: g.between(1, 4) }, () => [g.member(), g.value()]).flat();
const trimming = (g: Generator) => [
  ...g.pick([["MAXLEN"], ["MINID"], ["maxlen"]]),
  ...g.pick([[], ["~"], ["="], ["~"]]),
  g.chance(0.7) ? String(g.between(0, 15)) : streamId(g),
  ...(g.chance(0.3) ? ["LIMIT", g.count()] : []),
];
const readOptions = (g: Generator) => [
  ...(g.chance(0.4) ? ["COUNT", g.count()] : []),
  ...(g.chance(0.1) ? ["NOACK"] : []),
];

const streamSpecs: CommandSpec[] = [
  spec("XADD", 30, (g) => [
    streamKey(g),
    ...(g.chance(0.1) ? ["NOMKSTREAM"] : []),
    ...(g.chance(0.15) ? trimming(g) : []),
    newStreamId(g),
    ...streamFields(g),
  ]),
  spec("XLEN", 3, (g) => [streamKey(g)]),
  spec("XRANGE", 8, (g) => [
    streamKey(g),
    streamEnd(g),
    streamEnd(g),
    ...(g.chance(0.4) ? ["COUNT", g.count()] : []),
  ]),
  spec("XREVRANGE", 6, (g) => [
    streamKey(g),
    streamEnd(g),
    streamEnd(g),
    ...(g.chance(0.4) ? ["COUNT", g.count()] : []),
  ]),
  spec("XDEL", 6, (g) => [streamKey(g), ...g.many(1, 4, () => streamId(g))]),
  spec("XTRIM", 3, (g) => [streamKey(g), ...trimming(g)]),
  spec("XREAD", 6, (g) => {
    const keys = g.many(1, 2, () => streamKey(g));
    return [...readOptions(g), "STREAMS", ...keys, ...keys.map(() => streamId(g))];
  }),
  spec("XREADGROUP", 14, (g) => {
    const keys = g.many(1, 2, () => streamKey(g));
    return [
      "GROUP",
      consumerGroup(g),
      consumer(g),
      ...readOptions(g),
      "STREAMS",
      ...keys,
      ...keys.map(() => g.chance(0.75) ? ">" : streamId(g)),
    ];
  }),
  spec("XGROUP CREATE", 6, (g) => [
    streamKey(g),
    consumerGroup(g),
    g.chance(0.3) ? "$" : streamId(g),
    ...(g.chance(0.4) ? ["MKSTREAM"] : []),
    ...(g.chance(0.2) ? ["ENTRIESREAD", g.int()] : []),
  ]),
  spec("XGROUP SETID", 3, (g) => [
    streamKey(g),
    consumerGroup(g),
    g.chance(0.3) ? "$" : streamId(g),
    ...(g.chance(0.3) ? ["ENTRIESREAD", g.int()] : []),
  ]),
  spec("XGROUP DESTROY", 1, (g) => [streamKey(g), consumerGroup(g)]),
  spec("XGROUP CREATECONSUMER", 3, (g) => [streamKey(g), consumerGroup(g), consumer(g)]),
  spec("XGROUP DELCONSUMER", 2, (g) => [streamKey(g), consumerGroup(g), consumer(g)]),
  spec("XGROUP HELP", 1, () => [], "kind"),
  spec("XACK", 6, (g) => [streamKey(g), consumerGroup(g), ...g.many(1, 4, () => streamId(g))]),
  spec("XPENDING", 5, (g) => [streamKey(g), consumerGroup(g)]),
  spec("XPENDING", 5, (g) => [
    streamKey(g),
    consumerGroup(g),
    ...(g.chance(0.2) ? ["IDLE", g.pick(["0", "1000000", "x"])] : []),
    streamEnd(g),
    streamEnd(g),
    g.count(),
    ...(g.chance(0.4) ? [consumer(g)] : []),
  ], "shape"),
  spec("XCLAIM", 6, (g) => [
    streamKey(g),
    consumerGroup(g),
    consumer(g),
    g.pick(["0", "0", "0", "1000000", "-1", "x"]),
    ...g.many(1, 4, () => streamId(g)),
    ...g.soup([
      () => ["IDLE", g.pick(["0", "5", "x"])],
      () => ["TIME", g.pick(["0", "1700000000000", "x"])],
      () => ["RETRYCOUNT", g.count()],
      () => ["FORCE"],
      () => ["JUSTID"],
      () => ["LASTID", streamId(g)],
      () => ["NONE"],
    ], 0.7),
  ]),
  spec("XAUTOCLAIM", 5, (g) => [
    streamKey(g),
    consumerGroup(g),
    consumer(g),
    g.pick(["0", "0", "0", "1000000", "-1", "x"]),
    streamEnd(g),
    ...g.soup([() => ["COUNT", g.count()], () => ["JUSTID"]], 0.7),
  ]),
  spec("XINFO STREAM", 6, (g) => [streamKey(g)]),
  spec("XINFO STREAM", 2, (g) => [streamKey(g), "FULL", "COUNT", g.count()], "kind"),
  spec("XINFO GROUPS", 6, (g) => [streamKey(g)]),
  spec("XINFO CONSUMERS", 2, (g) => [streamKey(g), consumerGroup(g)], "kind"),
  // Since 7.2 an id below what was deleted is refused: only such as are above all others are tried.
  spec("XSETID", 1, (g) => [
    streamKey(g),
    g.pick(["70-0", "71-1", "x"]),
    ...g.soup([
      () => ["ENTRIESADDED", g.int()],
      () => ["MAXDELETEDID", streamId(g)],
    ]),
  ]),
  spec("DEL", 1, (g) => [streamKey(g)]),
  spec("COPY", 1, (g) => [streamKey(g), streamKey(g), "REPLACE"]),
  spec("OBJECT ENCODING", 1, (g) => [streamKey(g)], "encoding"),
  spec("TYPE", 1, (g) => [streamKey(g)]),
  spec("DUMP", 2, (g) => [streamKey(g)], "payload"),
  spec("CONFIG SET", 1, (g) => ["stream-node-max-entries", g.pick(["100", "3", "0", "5"])]),
  spec("CONFIG SET", 1, (g) => ["stream-node-max-bytes", g.pick(["4096", "60", "0", "300"])]),
];

/** Mostly refused: a session that is always empty compares little. */
const flushArgs = (g: Generator) =>
  g.chance(0.15)
    ? g.pick([[], ["SYNC"], ["ASYNC"], ["async"]])
    : g.pick([["NOW"], ["SYNC", "ASYNC"], [""]]);
const keySpecs: CommandSpec[] = [
  spec("DEL", 3, (g) => g.many(1, 3, () => g.anyKey())),
  spec("UNLINK", 3, (g) => g.many(1, 3, () => g.anyKey())),
  spec("EXISTS", 5, (g) => g.many(1, 4, () => g.anyKey())),
  spec("TOUCH", 3, (g) => g.many(1, 4, () => g.anyKey())),
  spec("TYPE", 5, (g) => [g.anyKey()]),
  spec("RENAME", 5, (g) => [g.anyKey(), g.anyKey()]),
  spec("RENAMENX", 5, (g) => [g.anyKey(), g.anyKey()]),
  spec("COPY", 8, (g) => [
    g.anyKey(),
    g.anyKey(),
    ...g.soup([() => ["REPLACE"], () => ["DB", g.pick(["0", "1", "2", "99", "x"])]], 0.7),
  ]),
  spec("MOVE", 4, (g) => [g.anyKey(), g.pick(["0", "1", "2", "1", "2", "99", "-1", "x"])]),
  spec("SELECT", 3, (g) => [g.pick(["0", "0", "0", "1", "2", "99", "-1", "x", ""])]),
  spec(
    "SWAPDB",
    2,
    (g) => [g.pick(["0", "1", "2", "99", "x"]), g.pick(["0", "1", "2", "-1", "y"])],
  ),
  spec("KEYS", 5, (g) => [g.pattern()], "sorted"),
  spec("SCAN", 5, (g) => [
    g.pick(["0", "0", "0", "0", "abc", "-1", "18446744073709551616", ""]),
    "COUNT",
    "10000",
    ...g.soup([
      () => ["MATCH", g.pattern()],
      () => ["TYPE", g.pick(["string", "list", "set", "zset", "hash", "STRING", "nosuch"])],
      () => ["COUNT", g.pick(["10000", "0", "-1", "x"])],
    ], 0.7),
  ], scanMode),
  spec("RANDOMKEY", 3, () => [], "sample"),
  spec("DBSIZE", 4, () => [], "kind"),
  {
    ...spec("FLUSHDB", 1, (g) => flushArgs(g)),
    bend: false,
  },
  { ...spec("FLUSHALL", 1, (g) => flushArgs(g)), bend: false },
  spec("OBJECT ENCODING", 8, (g) => [g.anyKey()], "encoding"),
  spec("OBJECT REFCOUNT", 1, (g) => [g.anyKey()], "kind"),
  spec("OBJECT IDLETIME", 1, (g) => [g.anyKey()], "lifetime"),
  spec("OBJECT FREQ", 1, (g) => [g.anyKey()]),
  spec("OBJECT HELP", 1, () => [], "kind"),
  spec(
    "MEMORY USAGE",
    2,
    (g) => [g.anyKey(), ...g.soup([() => ["SAMPLES", g.int()]], 0.5)],
    "kind",
  ),
  spec("DEBUG DIGEST-VALUE", 3, (g) => g.many(1, 3, () => g.anyKey())),
  spec("DEBUG OBJECT", 1, (g) => [g.anyKey()], "kind"),
];

const lifeOptions = [() => ["NX"], () => ["XX"], () => ["GT"], () => ["LT"]];
const expirySpecs: CommandSpec[] = [
  spec("EXPIRE", 8, (g) => [g.anyKey(), g.seconds(), ...g.soup(lifeOptions)]),
  spec("PEXPIRE", 8, (g) => [g.anyKey(), g.millis(), ...g.soup(lifeOptions)]),
  spec("EXPIREAT", 8, (g) => [g.anyKey(), g.unixSeconds(), ...g.soup(lifeOptions)]),
  spec("PEXPIREAT", 8, (g) => [g.anyKey(), g.unixMillis(), ...g.soup(lifeOptions)]),
  spec("TTL", 6, (g) => [g.anyKey()], "lifetime"),
  spec("PTTL", 6, (g) => [g.anyKey()], "lifetime"),
  spec("EXPIRETIME", 6, (g) => [g.anyKey()], "lifetime"),
  spec("PEXPIRETIME", 6, (g) => [g.anyKey()], "lifetime"),
  spec("PERSIST", 5, (g) => [g.anyKey()]),
  spec(
    "SET",
    5,
    (g) => [s(g), g.value(), ...g.soup([() => ["KEEPTTL"], () => ["GET"], ...expiryOptions(g)])],
  ),
  spec("GETEX", 3, (g) => [s(g), ...g.soup([() => ["PERSIST"], ...expiryOptions(g)], 0.8)]),
  spec("RENAME", 2, (g) => [g.anyKey(), g.anyKey()]),
  spec("COPY", 2, (g) => [g.anyKey(), g.anyKey(), "REPLACE"]),
  spec("DBSIZE", 1, () => [], "kind"),
  spec("APPEND", 1, (g) => [s(g), "x"]),
  spec("LPUSH", 1, (g) => [g.key("list"), "x"]),
];

const l = (g: Generator) => g.key("list");
const side = (g: Generator) =>
  g.chance(0.95) ? g.case(g.pick(["LEFT", "RIGHT"])) : g.pick(["UP", "", "LEF"]);
const numbered = (
  g: Generator,
  keys: string[],
) => [g.chance(0.92) ? String(keys.length) : g.int(), ...keys];

const listSpecs: CommandSpec[] = [
  spec("LPUSH", 6, (g) => [l(g), ...g.many(1, 5, () => g.member())]),
  spec("RPUSH", 6, (g) => [l(g), ...g.many(1, 5, () => g.member())]),
  spec("RPUSH", 2, (g) => [l(g), g.value()]),
  spec("RPUSH", 1, (g) => [l(g), ...g.many(100, 250, () => g.member())]),
  spec("LPUSHX", 3, (g) => [l(g), ...g.many(1, 3, () => g.member())]),
  spec("RPUSHX", 3, (g) => [l(g), ...g.many(1, 3, () => g.member())]),
  spec("LPOP", 4, (g) => [l(g), ...(g.chance(0.5) ? [g.count()] : [])]),
  spec("RPOP", 4, (g) => [l(g), ...(g.chance(0.5) ? [g.count()] : [])]),
  spec("LLEN", 4, (g) => [l(g)]),
  spec("LRANGE", 8, (g) => [l(g), g.index(), g.index()]),
  spec("LINDEX", 6, (g) => [l(g), g.index()]),
  spec("LSET", 6, (g) => [l(g), g.index(), g.member()]),
  spec("LREM", 6, (g) => [l(g), g.pick(["0", "1", "-1", "2", "-2", g.int()]), g.member()]),
  spec(
    "LTRIM",
    3,
    (g) => [l(g), g.pick(["0", "1", "-60", g.index()]), g.pick(["-1", "-2", "70", g.index()])],
  ),
  spec(
    "LINSERT",
    6,
    (
      g,
    ) => [
      l(g),
      g.chance(0.95) ? g.case(g.pick(["BEFORE", "AFTER"])) : "NEAR",
      g.member(),
      g.member(),
    ],
  ),
  spec("LPOS", 6, (g) => [
    l(g),
    g.member(),
    ...g.soup([
      () => ["RANK", g.pick(["1", "-1", "2", "-2", g.int()])],
      () => ["COUNT", g.count()],
      () => ["MAXLEN", g.count()],
    ], 0.7),
  ]),
  spec("LMOVE", 5, (g) => [l(g), l(g), side(g), side(g)]),
  spec("RPOPLPUSH", 4, (g) => [l(g), l(g)]),
  spec(
    "LMPOP",
    5,
    (g) => [...numbered(g, g.keys("list", 3)), side(g), ...g.soup([() => ["COUNT", g.count()]])],
  ),
  spec("OBJECT ENCODING", 2, (g) => [l(g)], "encoding"),
  spec("DEL", 1, (g) => [l(g)]),
];

/**
 * Each once: since 7.2 the words of SADD, ZADD and HSET, counted with repeats, decide the first encoding.
 */
const distinct = (members: string[]) => [...new Set(members)];

const e = (g: Generator) => g.key("set");
const setMember = (g: Generator) => g.chance(0.4) ? g.intMember() : g.member();
const setSpecs: CommandSpec[] = [
  spec("SADD", 10, (g) => [e(g), ...distinct(g.many(1, 6, () => g.member()))]),
  spec("SADD", 6, (g) => [e(g), ...distinct(g.many(1, 8, () => g.intMember()))]),
  spec("SADD", 1, (g) => {
    const first = g.between(-100, 100_000);
    return [e(g), ...Array.from({ length: g.between(100, 600) }, (_, i) => String(first + i))];
  }),
  spec("SREM", 6, (g) => [e(g), ...g.many(1, 4, () => setMember(g))]),
  spec("SISMEMBER", 5, (g) => [e(g), setMember(g)]),
  spec("SMISMEMBER", 5, (g) => [e(g), ...g.many(1, 4, () => setMember(g))]),
  spec("SCARD", 4, (g) => [e(g)]),
  spec("SMEMBERS", 5, (g) => [e(g)], "sorted"),
  spec("SPOP", 4, (g) => [e(g), ...(g.chance(0.6) ? [g.count()] : [])], "pop"),
  spec(
    "SRANDMEMBER",
    5,
    (
      g,
    ) => [e(g), ...(g.chance(0.7) ? [g.chance(0.6) ? g.count() : String(-g.between(1, 30))] : [])],
    "sample",
  ),
  spec("SMOVE", 5, (g) => [e(g), e(g), setMember(g)]),
  spec("SINTER", 4, (g) => g.keys("set"), "sorted"),
  spec("SUNION", 4, (g) => g.keys("set"), "sorted"),
  spec("SDIFF", 4, (g) => g.keys("set"), "sorted"),
  spec("SINTERSTORE", 3, (g) => [e(g), ...g.keys("set")]),
  spec("SUNIONSTORE", 3, (g) => [e(g), ...g.keys("set")]),
  spec("SDIFFSTORE", 3, (g) => [e(g), ...g.keys("set")]),
  spec(
    "SINTERCARD",
    4,
    (g) => [...numbered(g, g.keys("set", 3)), ...g.soup([() => ["LIMIT", g.count()]])],
  ),
  spec("SSCAN", 4, (g) => [
    e(g),
    g.pick(["0", "0", "0", "x", "-1"]),
    "COUNT",
    "100000",
    ...g.soup([() => ["MATCH", g.pattern()], () => ["COUNT", g.pick(["100000", "0", "x"])]]),
  ], scanMode),
  spec("OBJECT ENCODING", 3, (g) => [e(g)], "encoding"),
  spec("DEL", 1, (g) => [e(g)]),
];

const h = (g: Generator) => g.key("hash");
const fieldPairs = (g: Generator, most: number) =>
  distinct(g.many(1, most, () => g.member()))
    .flatMap((field) => [field, g.chance(0.5) ? g.member() : g.value()]);
const hashSpecs: CommandSpec[] = [
  spec("HSET", 10, (g) => [h(g), ...fieldPairs(g, 4)]),
  spec("HSET", 1, (g) => [h(g), ...fieldPairs(g, 200)]),
  spec("HMSET", 3, (g) => [h(g), ...fieldPairs(g, 3)]),
  spec("HSETNX", 4, (g) => [h(g), g.member(), g.value()]),
  spec("HGET", 6, (g) => [h(g), g.member()]),
  spec("HMGET", 5, (g) => [h(g), ...g.many(1, 5, () => g.member())]),
  spec("HGETALL", 4, (g) => [h(g)], "pairs"),
  spec("HKEYS", 3, (g) => [h(g)], "sorted"),
  spec("HVALS", 3, (g) => [h(g)], "sorted"),
  spec("HLEN", 3, (g) => [h(g)]),
  spec("HSTRLEN", 3, (g) => [h(g), g.member()]),
  spec("HEXISTS", 3, (g) => [h(g), g.member()]),
  spec("HDEL", 6, (g) => [h(g), ...g.many(1, 4, () => g.member())]),
  spec("HINCRBY", 7, (g) => [h(g), g.member(), g.int()]),
  spec("HINCRBYFLOAT", 7, (g) => [h(g), g.member(), g.float()]),
  spec("HSET", 4, (g) => [h(g), g.member(), g.chance(0.6) ? g.int() : g.float()]),
  spec("HRANDFIELD", 6, (g) => [
    h(g),
    ...(g.chance(0.75)
      ? [g.chance(0.6) ? g.count() : String(-g.between(1, 30)), ...g.soup([() => ["WITHVALUES"]])]
      : []),
  ], "sample"),
  spec("HSCAN", 4, (g) => [
    h(g),
    g.pick(["0", "0", "0", "x", "-1"]),
    "COUNT",
    "100000",
    ...g.soup([() => ["MATCH", g.pattern()], () => ["COUNT", g.pick(["100000", "0", "x"])]]),
  ], scanPairsMode),
  spec("OBJECT ENCODING", 3, (g) => [h(g)], "encoding"),
  spec("DEL", 1, (g) => [h(g)]),
];

const z = (g: Generator) => g.key("zset");
const scored = (g: Generator, most: number) =>
  distinct(g.many(1, most, () => g.member())).flatMap((member) => [g.score(), member]);
const evenScored = (g: Generator) =>
  distinct(g.many(1, 6, () => g.member())).flatMap((member) => ["0", member]);
const limit = (g: Generator) => () => ["LIMIT", g.index(), g.index()];
const withScores = () => ["WITHSCORES"];
const aggregate = (g: Generator, keys: string[]) => [
  () => ["WEIGHTS", ...keys.map(() => g.float())],
  () => ["AGGREGATE", g.case(g.pick(["SUM", "MIN", "MAX", "SUM", "MIN", "MAX", "AVG"]))],
];
const zKeys = (g: Generator) => g.many(1, 3, () => g.chance(0.8) ? z(g) : e(g));
const combine = (g: Generator, more: (() => string[])[]) => {
  const keys = zKeys(g);
  return [...numbered(g, keys), ...g.soup([...aggregate(g, keys), ...more], 0.7)];
};
/** The key and the rest of ZRANGE. */
const zrangeArgs = (g: Generator, more: (() => string[])[]): string[] => {
  const by = g.between(0, 3);
  const bounds = by === 0
    ? [g.scoreBound(), g.scoreBound(), g.case("BYSCORE")]
    : by === 1
    ? [g.lexBound(), g.lexBound(), g.case("BYLEX")]
    : [g.index(), g.index()];
  return [
    by === 1 ? g.lexKey() : z(g),
    ...bounds,
    ...g.soup([() => ["REV"], limit(g), ...more], 0.75),
  ];
};

const zsetSpecs: CommandSpec[] = [
  spec("ZADD", 14, (g) => [
    z(g),
    ...g.soup([
      () => ["NX"],
      () => ["XX"],
      () => ["GT"],
      () => ["LT"],
      () => ["CH"],
      () => ["INCR"],
    ], 0.45),
    ...scored(g, g.chance(0.7) ? 1 : 4),
  ]),
  spec("ZADD", 3, (g) => [z(g), ...evenScored(g)]),
  never(spec("ZADD", 4, (g) => [g.pick(["x:0", "x:1", "x:2"]), ...evenScored(g)])),
  spec("ZADD", 1, (g) => [z(g), ...scored(g, 200)]),
  spec("ZINCRBY", 6, (g) => [z(g), g.score(), g.member()]),
  spec("ZREM", 5, (g) => [z(g), ...g.many(1, 4, () => g.member())]),
  spec("ZSCORE", 4, (g) => [z(g), g.member()]),
  spec("ZMSCORE", 4, (g) => [z(g), ...g.many(1, 4, () => g.member())]),
  spec("ZCARD", 3, (g) => [z(g)]),
  spec("ZCOUNT", 4, (g) => [z(g), g.scoreBound(), g.scoreBound()]),
  spec("ZLEXCOUNT", 4, (g) => [g.lexKey(), g.lexBound(), g.lexBound()]),
  spec("ZRANK", 4, (g) => [z(g), g.member()]),
  spec("ZREVRANK", 4, (g) => [z(g), g.member()]),
  spec("ZRANGE", 10, (g) => zrangeArgs(g, [withScores])),
  spec("ZREVRANGE", 4, (g) => [z(g), g.index(), g.index(), ...g.soup([withScores])]),
  spec(
    "ZRANGEBYSCORE",
    6,
    (g) => [z(g), g.scoreBound(), g.scoreBound(), ...g.soup([withScores, limit(g)])],
  ),
  spec(
    "ZREVRANGEBYSCORE",
    6,
    (g) => [z(g), g.scoreBound(), g.scoreBound(), ...g.soup([withScores, limit(g)])],
  ),
  spec("ZRANGEBYLEX", 5, (g) => [g.lexKey(), g.lexBound(), g.lexBound(), ...g.soup([limit(g)])]),
  spec("ZREVRANGEBYLEX", 5, (g) => [g.lexKey(), g.lexBound(), g.lexBound(), ...g.soup([limit(g)])]),
  spec("ZRANGESTORE", 5, (g) => [z(g), ...zrangeArgs(g, [])]),
  spec("ZREMRANGEBYRANK", 3, (g) => [z(g), g.index(), g.index()]),
  spec("ZREMRANGEBYSCORE", 3, (g) => [z(g), g.scoreBound(), g.scoreBound()]),
  spec("ZREMRANGEBYLEX", 3, (g) => [g.lexKey(), g.lexBound(), g.lexBound()]),
  spec("ZPOPMIN", 4, (g) => [z(g), ...(g.chance(0.6) ? [g.count()] : [])]),
  spec("ZPOPMAX", 4, (g) => [z(g), ...(g.chance(0.6) ? [g.count()] : [])]),
  spec("ZMPOP", 5, (g) => [
    ...numbered(g, g.keys("zset", 3)),
    g.chance(0.95) ? g.case(g.pick(["MIN", "MAX"])) : "MID",
    ...g.soup([() => ["COUNT", g.count()]]),
  ]),
  spec("ZRANDMEMBER", 5, (g) => [
    z(g),
    ...(g.chance(0.75)
      ? [g.chance(0.6) ? g.count() : String(-g.between(1, 30)), ...g.soup([withScores])]
      : []),
  ], "sample"),
  spec("ZUNION", 4, (g) => combine(g, [withScores])),
  spec("ZINTER", 4, (g) => combine(g, [withScores])),
  spec("ZDIFF", 4, (g) => [...numbered(g, zKeys(g)), ...g.soup([withScores])]),
  spec("ZUNIONSTORE", 4, (g) => [z(g), ...combine(g, [])]),
  spec("ZINTERSTORE", 4, (g) => [z(g), ...combine(g, [])]),
  spec("ZDIFFSTORE", 4, (g) => [z(g), ...numbered(g, zKeys(g))]),
  spec("ZINTERCARD", 4, (g) => [...numbered(g, zKeys(g)), ...g.soup([() => ["LIMIT", g.count()]])]),
  spec("ZSCAN", 4, (g) => [
    z(g),
    g.pick(["0", "0", "0", "x", "-1"]),
    "COUNT",
    "100000",
    ...g.soup([() => ["MATCH", g.pattern()], () => ["COUNT", g.pick(["100000", "0", "x"])]]),
  ], scanPairsMode),
  spec("OBJECT ENCODING", 3, (g) => [z(g)], "encoding"),
  spec("DEL", 1, (g) => [z(g)]),
];

/**
 * ALPHA with weights from other keys leaves the order of ties to that of the elements, `BY nosort` the
 * order of all: those of sets and sorted sets lie in hash tables, in Redis by a seed that nobody knows.
 */
function sortMode(words: string[]): Mode {
  if (!/^s[ez]/.test(words[1])) return "equal";
  const upper = words.map((word) => word.toUpperCase());
  const weighted = upper.includes("BY");
  if (!weighted || upper.includes("STORE")) return "equal";
  const patterns = upper.filter((_, i) => upper[i - 1] === "BY");
  const open = upper.includes("ALPHA") || patterns.some((pattern) => !pattern.includes("*"));
  return !open ? "equal" : upper.includes("LIMIT") || upper.includes("GET") ? "shape" : "sorted";
}
const sortOptions = (g: Generator) => [
  () => ["ASC"],
  () => ["DESC"],
  () => ["ALPHA"],
  () => ["ALPHA"],
  () => ["LIMIT", g.index(), g.index()],
  () => ["GET", g.pick(["#", "w_*", "hw_*->f", "no_*", "hw_*->", "w_"])],
  () => ["BY", g.pick(["w_*", "hw_*->f", "nosort", "no_*"])],
];
const sortKeys = ["sl:0", "sl:1", "se:0", "se:1", "sz:0"];
const sortKey = (g: Generator) =>
  g.chance(0.9) ? g.pick(sortKeys) : g.pick(["so:0", "so:1", "w_1", "no:0"]);
const sortSpecs: CommandSpec[] = [
  spec("SORT", 14, (g) => [sortKey(g), ...g.soup(sortOptions(g), 0.85)], sortMode),
  spec("SORT", 5, (g) => [
    sortKey(g),
    ...g.soup(sortOptions(g).filter((_, i) => i < 6), 0.7),
    "STORE",
    g.pick(["so:0", "so:1", "sl:1"]),
  ], sortMode),
  spec(
    "SORT_RO",
    8,
    (g) => [
      sortKey(g),
      ...g.soup([...sortOptions(g), () => g.chance(0.1) ? ["STORE", "so:0"] : ["ASC"]], 0.85),
    ],
    sortMode,
  ),
  never(spec(
    "RPUSH",
    2,
    (g) => [g.pick(["sl:0", "sl:1"]), ...g.many(1, 8, () => String(g.between(0, 30)))],
  )),
  never(spec(
    "RPUSH",
    1,
    (g) => ["sl:1", g.pick(["a", "b", "abc", "B", "1e2", "3.5", "-7", "inf", "nan"])],
  )),
  spec("LTRIM", 1, (g) => [g.pick(["sl:0", "sl:1"]), "0", String(g.between(0, 20))]),
  never(spec(
    "SADD",
    2,
    (g) => [g.pick(["se:0", "se:1"]), ...g.many(1, 5, () => String(g.between(0, 30)))],
  )),
  never(spec("SADD", 1, (g) => ["se:1", g.pick(["a", "b", "Z", "zz"])])),
  spec("SPOP", 1, (g) => ["se:1", String(g.between(0, 6))], "pop"),
  never(spec("ZADD", 1, (g) => ["sz:0", String(g.between(0, 9)), String(g.between(0, 30))])),
  never(spec(
    "SET",
    3,
    (
      g,
    ) => [
      "w_" + g.between(0, 30),
      g.chance(0.9) ? String(g.between(0, 1000)) : g.pick(["x", "1.5", "-3e2", ""]),
    ],
  )),
  never(spec("HSET", 2, (g) => ["hw_" + g.between(0, 30), "f", String(g.between(0, 1000))])),
  spec("DEL", 1, (g) => [g.pick([...sortKeys, "w_1", "w_2", "hw_3"])]),
  spec("LRANGE", 2, (g) => [g.pick(["so:0", "so:1"]), "0", "-1"]),
];

const dumpSpecs: CommandSpec[] = [
  spec("DUMP", 10, (g) => [g.anyKey()], "payload"),
  spec("RESTORE", 10, (g) => {
    let payload = g.payloads.length > 0 && g.chance(0.95) ? g.pick(g.payloads) : g.binary(0, 30);
    if (payload.length > 0 && g.chance(0.1)) {
      const at = g.between(0, payload.length - 1); // a changed byte: the checksum must notice
      payload = payload.slice(0, at) + String.fromCharCode(g.between(0, 255)) +
        payload.slice(at + 1);
    }
    if (g.chance(0.05)) payload = payload.slice(0, g.between(0, payload.length));
    return [
      g.anyKey(),
      g.chance(0.6) ? "0" : g.millis(),
      payload,
      ...g.soup([
        () => ["REPLACE"],
        () => ["REPLACE"],
        () => ["REPLACE"],
        () => ["ABSTTL"],
        () => ["IDLETIME", g.count()],
        () => ["FREQ", g.pick(["0", "5", "255", "256", "-1", "x"])],
      ], 0.9),
    ];
  }),
  spec("OBJECT ENCODING", 3, (g) => [g.anyKey()], "encoding"),
  spec("TTL", 2, (g) => [g.anyKey()], "lifetime"),
  spec("DEL", 2, (g) => [g.anyKey()]),
];

const anySpecs = (): CommandSpec[] => [
  ...stringSpecs,
  ...bitSpecs,
  ...expirySpecs,
  ...listSpecs,
  ...setSpecs,
  ...hashSpecs,
  ...zsetSpecs,
];

const serverSpecs: CommandSpec[] = [
  spec("PING", 4, (g) => g.chance(0.5) ? [] : [g.value()]),
  spec("ECHO", 4, (g) => [g.value()]),
  spec("DBSIZE", 1, () => [], "kind"),
  spec("TIME", 1, () => [], "shape"),
  spec("LASTSAVE", 1, () => [], "kind"),
  spec("LOLWUT", 1, (g) => g.pick([[], ["VERSION", "x"]]), "kind"),
  never(
    spec("AUTH", 2, (g) => g.pick([["x"], ["default", "x"], ["nouser", "x"], ["a", "b", "c"], []])),
  ),
  never(spec("HELLO", 3, (g) =>
    g.pick([
      ["4"],
      ["abc"],
      ["1"],
      ["-1"],
      ["9223372036854775808"],
      ["3", "AUTH"],
      ["3", "AUTH", "default"],
      ["3", "AUTH", "nouser", "x"],
      ["3", "SETNAME", "a b"],
      ["3", "SETNAME"],
      ["3", "NOSUCH"],
    ]))),
  never(spec("HELLO", 1, () => [], "shape")),
  never(spec("RESET", 1, (g) => g.pick([["x"]]))),
  spec("CLIENT ID", 2, () => [], "kind"),
  spec("CLIENT GETNAME", 3, () => []),
  spec(
    "CLIENT SETNAME",
    3,
    (g) => [g.pick(["", "one", "two", "a b", "a\nb", "\x7f", "\xff", "a".repeat(300)])],
  ),
  spec("CLIENT LIST", 1, () => [], "kind"),
  spec(
    "CLIENT LIST",
    1,
    (g) =>
      g.pick([
        ["TYPE", "normal"],
        ["TYPE", "master"],
        ["TYPE", "nosuch"],
        ["TYPE"],
        ["ID", "abc"],
        ["ID", "999999"],
        ["ID"],
        ["NOSUCH"],
      ]),
    "kind",
  ),
  spec("CLIENT INFO", 1, () => [], "kind"),
  never(spec("CLIENT KILL", 4, (g) =>
    g.pick([
      ["1.2.3.4:5"],
      ["ID", "99999999"],
      ["ID", "abc"],
      ["ID", "0"],
      ["ID", "-1"],
      ["NOSUCH", "x"],
      ["TYPE", "nosuch"],
      ["TYPE", "pubsub"],
      ["TYPE", "replica"],
      ["ADDR", "1.2.3.4:5"],
      ["LADDR", "1.2.3.4:5"],
      ["USER", "nouser"],
      ["SKIPME", "maybe"],
      ["ID", "99999999", "SKIPME", "no"],
      ["ID"],
      ["ID", "99999999", "TYPE"],
      [],
    ]))),
  never(
    spec(
      "CLIENT PAUSE",
      2,
      (g) =>
        g.pick([["abc"], ["-1"], ["1", "NOSUCH"], ["0"], ["0", "WRITE"], ["0", "ALL"], [], [
          "9223372036854775808",
        ]]),
    ),
  ),
  spec("CLIENT UNPAUSE", 1, () => []),
  never(spec("CLIENT REPLY", 1, (g) => g.pick([["ON"], ["on"], ["NOSUCH"], []]))),
  never(
    spec(
      "CLIENT UNBLOCK",
      2,
      (g) =>
        g.pick([["99999999"], ["abc"], ["99999999", "TIMEOUT"], ["99999999", "ERROR"], [
          "99999999",
          "NOSUCH",
        ], []]),
    ),
  ),
  never(spec("CLIENT NO-EVICT", 2, (g) => g.pick([["ON"], ["OFF"], ["MAYBE"], []]))),
  never(spec("CLIENT CACHING", 1, (g) => g.pick([["YES"], ["NO"], ["MAYBE"], []]))),
  spec("CLIENT GETREDIR", 1, () => []),
  spec("CLIENT NOSUCH", 1, (g) => g.many(0, 2, () => g.value())),
  spec("CONFIG GET", 10, (g) =>
    g.many(1, 2, () =>
      g.pick([
        "maxmemory",
        "MAXMEMORY",
        "maxmemory*",
        "maxmemory-policy",
        "hash-max-*",
        "zset-max-*",
        "list-max-*",
        "set-max-intset-entries",
        "save",
        "appendonly",
        "appendfsync",
        "databases",
        "timeout",
        "tcp-keepalive",
        "hz",
        "lfu-*",
        "client-output-buffer-limit",
        "notify-keyspace-events",
        "stop-writes-*",
        "slowlog-*",
        "nosuch",
        "",
        "proto-max-bulk-len",
        "rdbcompression",
        "slave-*",
        "repl-timeout",
      ])), "pairs"),
  never(spec("CONFIG SET", 14, (g) => {
    const pair = () =>
      g.pick<() => string[]>([
        () => [
          "maxmemory",
          g.pick(["0", "100mb", "1gb", "2GB", "100MB", "1g", "abc", "-1", "1.5mb", ""]),
        ],
        () => [
          "maxmemory-policy",
          g.pick([
            "noeviction",
            "allkeys-lru",
            "volatile-ttl",
            "ALLKEYS-RANDOM",
            "nosuch",
            "noeviction",
          ]),
        ],
        () => ["maxmemory-samples", g.pick(["5", "10", "0", "64", "65", "x"])],
        () => ["hash-max-listpack-entries", g.pick(["128", "512", "-1", "x", ""])],
        () => ["hash-max-ziplist-value", g.pick(["64", "128", "1mb", "-1", "x"])],
        () => ["zset-max-listpack-entries", g.pick(["128", "5", "1.5"])],
        () => ["set-max-intset-entries", g.pick(["512", "100", "x"])],
        () => ["list-max-listpack-size", g.pick(["-2", "-5", "128", "abc", "-6"])],
        () => ["timeout", g.pick(["0", "300", "-1", "x", "2147483648"])],
        () => ["hz", g.pick(["10", "100", "abc", "0"])],
        () => ["tcp-keepalive", g.pick(["300", "0", "-1"])],
        () => ["appendfsync", g.pick(["everysec", "always", "no", "sometimes"])],
        () => ["lfu-log-factor", g.pick(["10", "0", "-1"])],
        () => ["lfu-decay-time", g.pick(["1", "0", "x"])],
        () => [
          "notify-keyspace-events",
          g.pick(["", "KEA", "Ex", "AKE", "g$lshzxe", "Kn", "Q", "KEgm"]),
        ],
        () => [
          "client-output-buffer-limit",
          g.pick([
            "normal 0 0 0",
            "pubsub 32mb 8mb 60",
            "normal 1 2",
            "nosuch 1 1 1",
            "slave 1gb 512mb 60",
            "normal -1 0 0",
            "",
          ]),
        ],
        () => ["slowlog-log-slower-than", g.pick(["10000", "-1", "0", "x"])],
        () => ["slowlog-max-len", g.pick(["128", "0", "-1", "x"])],
        () => [
          "save",
          g.pick(["", "3600 1", "3600 1 300 100", "abc", "0 1", "1", "60 -1", "100 1 100"]),
        ],
        () => ["rdbcompression", g.pick(["yes", "no", "YES", "maybe", ""])],
        () => ["stop-writes-on-bgsave-error", g.pick(["yes", "no", "1"])],
        () => ["nosuch", "1"],
        () => ["databases", "5"],
        () => ["port", "99999"],
        () => ["daemonize", "yes"],
        () => ["dir", "/no/such/folder"],
        () => ["dbfilename", "a/b"],
        () => ["proto-max-bulk-len", g.pick(["512mb", "1mb", "1", "x"])],
      ])();
    const words = pair();
    if (g.chance(0.2)) words.push(...pair());
    if (g.chance(0.04)) words.pop();
    return words;
  })),
  spec("CONFIG RESETSTAT", 1, () => []),
  spec("CONFIG NOSUCH", 1, (g) => g.many(0, 2, () => g.value())),
  spec("COMMAND COUNT", 1, () => [], "kind"),
  spec("COMMAND LIST", 1, () => [], "kind"),
  spec(
    "COMMAND LIST FILTERBY",
    2,
    (g) =>
      g.pick([
        ["PATTERN", "hset"],
        ["PATTERN", "hSet[^e]*"], // not HSETEX, which is newer
        ["ACLCAT", "nosuch"],
        ["ACLCAT"],
        ["MODULE", "nosuch"],
        ["NOSUCH", "x"],
        ["PATTERN", "z*store"],
      ]),
    "sorted",
  ),
  never(spec("COMMAND INFO", 1, () => ["nosuch", "nosuch2"])),
  spec("COMMAND DOCS", 1, () => ["nosuch"], "kind"),
  spec("COMMAND GETKEYS", 20, (g) => {
    const call = drawCall(g, g.pick(anySpecs()));
    return call.words;
  }),
  spec("COMMAND GETKEYSANDFLAGS", 8, (g) => {
    const call = drawCall(g, g.pick(anySpecs()));
    return call.words;
  }),
  spec(
    "COMMAND GETKEYS",
    1,
    (g) => g.pick([["PING"], ["NOSUCH", "a"], [], ["GET"], ["DBSIZE"], ["CONFIG", "GET", "x"]]),
  ),
  spec("COMMAND NOSUCH", 1, () => []),
  spec("SLOWLOG LEN", 1, () => [], "kind"),
  spec("SLOWLOG GET", 1, (g) => g.pick([["abc"], ["-2"], ["-1"], ["0"]]), "kind"),
  spec("SLOWLOG RESET", 1, () => []),
  spec("LATENCY RESET", 1, () => [], "kind"),
  spec("LATENCY LATEST", 1, () => [], "kind"),
  spec("LATENCY HISTORY", 1, (g) => [g.value()]),
  spec("OBJECT NOSUCH", 1, (g) => g.many(0, 2, () => g.value())),
  spec("MEMORY NOSUCH", 1, (g) => g.many(0, 2, () => g.value())),
  spec("MEMORY DOCTOR", 1, () => [], "kind"),
  spec("MEMORY STATS", 1, () => [], "kind"),
  spec(
    "INFO",
    1,
    (g) => g.pick([[], ["server"], ["nosuch"], ["everything"], ["keyspace", "memory"]]),
    "kind",
  ),
  spec("DEBUG NOSUCH", 1, (g) => g.many(0, 2, () => g.value())),
  spec("DEBUG DIGEST", 1, () => []),
  never(spec("DEBUG SLEEP", 1, () => ["0"])),
  never(spec("DEBUG SET-ACTIVE-EXPIRE", 1, () => ["1"])),
  never(
    spec(
      "REPLICAOF",
      1,
      (g) => g.pick([["a"], ["127.0.0.1", "abc"], ["127.0.0.1", "99999"], ["NO", "ONE"]]),
    ),
  ),
  spec("SAVE", 1, () => ["x"]),
  never(spec("BGSAVE", 1, (g) => g.pick([["NOSUCH"], ["SCHEDULE", "x"]]))),
  never(
    spec("SHUTDOWN", 1, (g) => g.pick([["NOSUCH"], ["SAVE", "NOSAVE"], ["ABORT"], ["NOW", "X"]])),
  ),
  never(spec("UNKNOWNCMD", 3, (g) => g.many(0, 4, () => g.value()))),
  never(spec("nosuch\r\ncmd", 1, (g) => [g.binary(0, 200), g.binary(0, 200)])),
  never(spec("", 1, (g) => g.many(0, 2, () => g.value()))),
  spec("SELECT", 2, (g) => [g.pick(["0", "99", "x", "-1", "9223372036854775808"])]),
];

/**
 * WATCH and writes of this and another connection, MULTI, some calls, EXEC or DISCARD; with calls
 * out of place now and then.
 */
function drawTransaction(g: Generator): Call[] {
  const calls: Call[] = [];
  const plain: Mode[] = ["equal", "sorted", "pairs", "lifetime", "shape", "kind"];
  const any = (): Call => {
    while (true) {
      const call = drawCall(g, pickSpec(g, anySpecs()));
      // With four words a syntax error since 7.2, before that an arity error, which ends a transaction.
      if (/^Z(REV)?RANK$/i.test(call.words[0]) && call.words.length === 4) continue;
      if (plain.includes(call.mode)) return call;
    }
  };
  const add = (...words: string[]) => calls.push({ conn: 0, words, mode: "equal" });
  const watched = g.many(1, 3, () => g.anyKey());
  if (g.chance(0.5)) {
    add("WATCH", ...watched);
    if (g.chance(0.3)) calls.push({ ...any(), conn: g.chance(0.7) ? 1 : 0 });
    if (g.chance(0.3)) {
      const key = g.pick(watched);
      const words = g.pick([
        ["DEL", key],
        ["SET", key, "x"],
        ["EXPIRE", key, "100000"],
        ["PERSIST", key],
        ["APPEND", key, ""],
        ["TOUCH", key],
        ["RENAME", key, key],
        ["SREM", key, "no such member"],
        ["SADD", key, "m1"],
        ["HSET", key, "f", "v"],
        ["LPUSH", key, "x"],
        ["ZADD", key, "1", "m1"],
        ["FLUSHDB"],
      ]);
      calls.push({ conn: g.chance(0.7) ? 1 : 0, words, mode: "equal" });
    }
    if (g.chance(0.1)) add("UNWATCH");
  }
  if (g.chance(0.97)) add("MULTI");
  for (let left = g.between(0, 7); left > 0; left--) {
    if (g.chance(0.93)) calls.push(any());
    else {
      add(...g.pick([
        ["MULTI"],
        ["WATCH", "s:0"],
        ["UNWATCH"],
        ["NOSUCH", "a"],
        ["GET"],
        ["SELECT", "99"],
        ["SELECT", "0"],
        ["PING"],
        ["EXEC", "x"],
        ["DISCARD", "x"],
      ]));
    }
    if (g.chance(0.03)) calls.push({ ...any(), conn: 1 });
  }
  add(g.chance(0.88) ? "EXEC" : "DISCARD");
  if (g.chance(0.03)) add(g.pick(["EXEC", "DISCARD", "UNWATCH"]));
  return calls;
}

const transactionSpecs: CommandSpec[] = [
  spec("MULTI", 1, () => []),
  spec("EXEC", 1, () => []),
  spec("DISCARD", 1, () => []),
  spec("WATCH", 1, (g) => [g.anyKey()]),
  spec("UNWATCH", 1, () => []),
];

/**
 * Since 7.2 a consumer is made also where a claim claims nothing, or a read finds nothing: here it is
 * there before.
 */
function drawStreamCall(g: Generator): Call[] {
  const call = drawCall(g, pickSpec(g, streamSpecs));
  const { words, conn } = call;
  const made = (key: string, group: string, name: string): Call => ({
    conn,
    words: ["XGROUP", "CREATECONSUMER", key, group, name],
    mode: "equal",
  });
  if (/^X(AUTO)?CLAIM$/i.test(words[0]) && words.length > 3) {
    return [made(words[1], words[2], words[3]), call];
  }
  const streams = words.findIndex((word) => /^STREAMS$/i.test(word));
  if (!/^XREADGROUP$/i.test(words[0]) || streams < 4) return [call];
  return [...words.slice(streams + 1).map((key) => made(key, words[2], words[3])), call];
}

/** Every group, by the name of its test. */
export const groups: Group[] = [
  group("strings", stringSpecs, () => expirySpecs),
  group("bits", bitSpecs),
  group("hyperloglogs", hyperloglogSpecs),
  group("geo", geoSpecs),
  { name: "streams", specs: streamSpecs, draw: drawStreamCall },
  group("keys", keySpecs, anySpecs),
  group("expiry", expirySpecs, anySpecs),
  group("lists", listSpecs),
  group("sets", setSpecs),
  group("hashes", hashSpecs),
  group("sorted sets", zsetSpecs, () => setSpecs.slice(0, 3)),
  group("sort", sortSpecs),
  group("dump and restore", dumpSpecs, anySpecs),
  group("server", serverSpecs, () => keySpecs.filter((one) => one.name !== "SELECT")),
  { name: "transactions", specs: transactionSpecs, draw: drawTransaction },
];

/** The group of that name. */
export function groupNamed(name: string): Group {
  const found = groups.find((one) => one.name === name);
  if (found === undefined) throw new Error(`No group of commands is called ${name}`);
  return found;
}

/** Calls that give the keys of every pool some content, large collections among them. */
export function fill(g: Generator, poolKeys: (kind: KeyKind) => readonly string[]): Call[] {
  const calls: Call[] = [];
  const add = (...words: string[]) => calls.push({ conn: 0, words, mode: "equal" });
  const count = () => g.chance(0.2) ? g.between(130, 220) : g.between(1, 20);
  const members = () => distinct(Array.from({ length: count() }, () => g.member()));
  for (const key of poolKeys("string")) if (g.chance(0.8)) add("SET", key, g.value());
  for (const key of poolKeys("text")) add("SET", key, g.binary(0, 60));
  for (const key of poolKeys("list")) {
    if (g.chance(0.7)) {
      add(
        "RPUSH",
        key,
        ...Array.from({ length: count() }, () => g.member()),
      );
    }
  }
  for (const key of poolKeys("set")) {
    const make = g.chance(0.5) ? () => g.intMember() : () => g.member();
    if (g.chance(0.7)) add("SADD", key, ...distinct(Array.from({ length: count() }, make)));
  }
  for (const key of poolKeys("hash")) {
    if (g.chance(0.7)) {
      add("HSET", key, ...Array.from({ length: count() }, () => [g.member(), g.member()]).flat());
    }
  }
  for (const key of poolKeys("lex")) {
    add("ZADD", key, ...members().flatMap((member) => ["0", member]));
  }
  for (const key of poolKeys("zset")) {
    if (g.chance(0.7)) {
      add(
        "ZADD",
        key,
        ...members().flatMap((member) => [String(g.between(-30, 30)), member]),
      );
    }
  }
  return calls;
}
