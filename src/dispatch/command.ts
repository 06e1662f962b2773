/**
 * The shape of a command: one definition beside its handler says everything that is known of it.
 *
 * On the path between dispatch and the handlers: each server makes a `Command` of each definition;
 * dispatch finds it by its bytes, checks arity and flags in its gates, runs it and counts it. COMMAND,
 * COMMAND DOCS (command_docs.ts), ACLs and INFO commandstats read the same object. Names, flags and
 * categories are spelt as COMMAND of Redis 7.0 spells them; a test compares every definition with what a
 * real server answers.
 *
 * A definition is short because much of it follows from the rest:
 * - categories: `write`, `readonly`, `admin` (also @dangerous), `pubsub`, `blocking` and `fast` (its
 *   absence is @slow) each imply theirs, and a group implies its own (GROUP_CATEGORY), except for a
 *   container of subcommands;
 * - the flag `movablekeys` and the first, last and step of keys follow from the key specifications.
 */

import type { CatalogEntry, ChannelUse } from "../access/catalog.ts";
import { ACL_CATEGORIES, type AclCategory } from "../access/categories.ts";
import { latin1 } from "../base/bytes.ts";
import type { Call } from "./call.ts";
import { type KeyFinder, type KeySpec, rightsFor } from "./key_specs.ts";
import type { Services } from "./services.ts";
import type { Words } from "../resp/words.ts";

/**
 * Runs a command: reads the words, changes the data and writes the reply, all before it returns. It
 * cannot await; that is what keeps commands atomic.
 */
export type Handler = (call: Call) => void;

/** May change data. */
export const FLAG_WRITE = 1 << 0;
/** Reads keys and changes nothing. */
export const FLAG_READONLY = 1 << 1;
/** May need more memory: refused when over `maxmemory` and nothing can be evicted. */
export const FLAG_DENYOOM = 1 << 2;
/** Administration of the server. */
export const FLAG_ADMIN = 1 << 3;
/** Publishes or subscribes. */
export const FLAG_PUBSUB = 1 << 4;
/** Not allowed in scripts. */
export const FLAG_NOSCRIPT = 1 << 5;
/** May park its client. */
export const FLAG_BLOCKING = 1 << 6;
/** Allowed while the dataset is being loaded. */
export const FLAG_LOADING = 1 << 7;
/** Allowed on a replica that has lost its master and may not serve stale data. */
export const FLAG_STALE = 1 << 8;
/** Not shown by MONITOR. */
export const FLAG_SKIP_MONITOR = 1 << 9;
/** Not entered in the slow log. */
export const FLAG_SKIP_SLOWLOG = 1 << 10;
/** Implies the ASKING state that cluster redirections use. */
export const FLAG_ASKING = 1 << 11;
/** Takes constant or logarithmic time. */
export const FLAG_FAST = 1 << 12;
/** Allowed before authentication. */
export const FLAG_NO_AUTH = 1 << 13;
/** May have no keys although it has key specifications (EVAL with a count of 0). */
export const FLAG_NO_MANDATORY_KEYS = 1 << 14;
/** Refused during an asynchronous load, when old data are still being served. */
export const FLAG_NO_ASYNC_LOADING = 1 << 15;
/** Not allowed in a transaction. */
export const FLAG_NO_MULTI = 1 << 16;
/** First, last and step do not find all keys. Derived, never written in a definition. */
export const FLAG_MOVABLEKEYS = 1 << 17;
/** Allowed while a script has been running for too long. */
export const FLAG_ALLOW_BUSY = 1 << 18;
/** May enter the stream of writes without being a write itself (PUBLISH, EVAL). COMMAND hides it. */
export const FLAG_MAY_REPLICATE = 1 << 19;
/** Only runs where the configuration allows it (DEBUG, MODULE LOAD). COMMAND hides it. */
export const FLAG_PROTECTED = 1 << 20;
/** Has to wait for another server before it is answered, so it cannot be part of a transaction. COMMAND hides it. */
export const FLAG_WAITS = 1 << 21;

const FLAG_BITS = {
  write: FLAG_WRITE,
  readonly: FLAG_READONLY,
  denyoom: FLAG_DENYOOM,
  admin: FLAG_ADMIN,
  pubsub: FLAG_PUBSUB,
  noscript: FLAG_NOSCRIPT,
  blocking: FLAG_BLOCKING,
  loading: FLAG_LOADING,
  stale: FLAG_STALE,
  skip_monitor: FLAG_SKIP_MONITOR,
  skip_slowlog: FLAG_SKIP_SLOWLOG,
  asking: FLAG_ASKING,
  fast: FLAG_FAST,
  no_auth: FLAG_NO_AUTH,
  no_mandatory_keys: FLAG_NO_MANDATORY_KEYS,
  no_async_loading: FLAG_NO_ASYNC_LOADING,
  no_multi: FLAG_NO_MULTI,
  movablekeys: FLAG_MOVABLEKEYS,
  allow_busy: FLAG_ALLOW_BUSY,
  may_replicate: FLAG_MAY_REPLICATE,
  protected: FLAG_PROTECTED,
  waits: FLAG_WAITS,
} as const;

const HIDDEN_FLAGS = FLAG_MAY_REPLICATE | FLAG_PROTECTED | FLAG_WAITS;

/** A flag as a definition writes it. */
export type CommandFlag = Exclude<keyof typeof FLAG_BITS, "movablekeys">;

/** The groups of the Redis command reference, each with the category that it implies. */
const GROUP_CATEGORY = {
  bitmap: "bitmap",
  cluster: null,
  connection: "connection",
  generic: "keyspace",
  geo: "geo",
  hash: "hash",
  hyperloglog: "hyperloglog",
  list: "list",
  pubsub: null, // the flag implies it
  scripting: "scripting",
  server: null,
  set: "set",
  "sorted-set": "sortedset",
  stream: "stream",
  string: "string",
  transactions: "transaction",
} as const satisfies Record<string, AclCategory | null>;

/** A group of the Redis command reference. */
export type CommandGroup = keyof typeof GROUP_CATEGORY;

/** What is written beside a handler. */
export interface CommandDefinition {
  /** Lower case; a subcommand has its container's name before it: "config|get". */
  readonly name: string;
  readonly group: CommandGroup;
  /** The Redis version that had it first. */
  readonly since: string;
  /** What later versions added, oldest first. */
  readonly history?: readonly (readonly [version: string, added: string])[];
  readonly summary: string;
  readonly complexity: string;
  /** Words including the name (both names of a subcommand); negative means "at least". */
  readonly arity: number;
  readonly flags?: readonly CommandFlag[];
  /** Categories beyond those that the flags imply; where given, also in place of the group's. */
  readonly acl?: readonly AclCategory[];
  /** Hints for clients and proxies, as COMMAND INFO gives them. */
  readonly tips?: readonly string[];
  readonly keys?: readonly KeySpec[];
  /** Finds the keys where the specifications cannot, or cannot say what is done to them. */
  readonly findKeys?: KeyFinder;
  /** Finds the keys that are used where specifications and `findKeys` may take others for them: see key_specs.ts. */
  readonly findUsedKeys?: KeyFinder;
  /**
   * The word that is, as the command is mostly used, the (first) element of the collection at its first
   * key. Dispatch looks there ahead of time, no more: a form in which it is another word costs time only.
   */
  readonly elementWord?: number;
  /** The word that is a payload of DUMP or FUNCTION DUMP, of a version that may be put down: rdb/payload_version.ts. */
  readonly payloadWord?: number;
  /**
   * What this call may do, where that is not the same for all: SCRIPT_* bits of scripting/script_flags.ts, null where
   * nothing is known. Gates go by it instead of write, denyoom, stale and may_replicate.
   */
  readonly flagsOf?: (server: Services, words: Words) => number | null;
  /** The word that is the channel of a message. A hint, likewise. */
  readonly channelWord?: number;
  /** How the channels are used that it names, for which a user needs a right: word 1, or all from it on. */
  readonly channelUse?: ChannelUse;
  /** With up to so many words it takes about constant time, whatever its flags and complexity say. */
  readonly quickWords?: number;
  /** The arguments after the name(s), in the notation of arguments_syntax.ts. */
  readonly args?: string;
  /** Since when a newer command is to be preferred, and which. */
  readonly deprecated?: { readonly since: string; readonly use: string };
  /** Used between servers or by developers, not by clients ("syscmd" in COMMAND DOCS). */
  readonly internal?: boolean;
  /** Makes this a container; its own handler, if any, runs when the name stands alone. */
  readonly subcommands?: readonly CommandDefinition[];
  /** Left out only in a container. */
  readonly run?: Handler;
}

/** More words than a request can have. */
const WORDS_MAX = 0x7fffffff;

/**
 * A command as one server uses it. Made once at its start, one shape for all, so that dispatch reads
 * its fields without looking them up. Only the statistics change afterwards: they are that server's.
 */
export class Command implements CatalogEntry {
  /** The word that calls it, in lower case; of a subcommand the second word. */
  readonly nameBytes: Uint8Array;
  /** "get", or "config|get": the name in error texts, INFO commandstats and ACL rules. */
  readonly fullName: string;
  /** Words including the name(s); negative means "at least". */
  readonly arity: number;
  /** FLAG_* bits. */
  readonly flagBits: number;
  /** Bits of ACL_CATEGORIES. */
  readonly categoryBits: number;
  /** Index of the first key, 0 if there is none or it may be anywhere (FLAG_MOVABLEKEYS). */
  readonly firstKey: number;
  /** Index of the last key; negative counts from the end. */
  readonly lastKey: number;
  /** Words from key to key. */
  readonly keyStep: number;
  /** Index of the first element of a collection, 0 if there is none: a hint, see CommandDefinition. */
  readonly elementWord: number;
  /** Index of a payload with a version, 0 if there is none. */
  readonly payloadWord: number;
  /** Index of a channel that is published on, 0 if there is none: likewise. */
  readonly channelWord: number;
  /** Its number in the catalog of commands, by which users know what they may do; set by dispatch. */
  accessId = -1;
  /** Needs no right to be run. */
  readonly isFree: boolean;
  /** May name keys. */
  readonly hasKeys: boolean;
  /** The rights (MAY_*) for all keys of `firstKey` to `lastKey`; -1 where keys have to be found otherwise. */
  readonly plainRights: number;
  readonly channelUse: ChannelUse | null;
  readonly run: Handler;
  /** By lower-case name without the container's; null if this is no container. */
  readonly subcommands: ReadonlyMap<string, Command> | null;
  /** Takes about constant time. */
  readonly isQuick: boolean;
  /** With up to so many words it does: then only some of its calls are timed (see Dispatcher.call). */
  readonly quickWords: number;
  /** Everything that only COMMAND and its like need. */
  readonly definition: CommandDefinition;

  /** Times it ran. */
  calls = 0;
  /** Microseconds spent in it. */
  usec = 0;
  /** Times a gate refused it. */
  rejectedCalls = 0;
  /** Times it ran and answered with an error. */
  failedCalls = 0;
  /** Calls by duration, slot n for less than 2^n microseconds; null until first used. */
  latencyCounts: Float64Array | null = null;

  constructor(definition: CommandDefinition) {
    const { name, keys = [], subcommands } = definition;
    const separator = name.indexOf("|");
    this.nameBytes = latin1(name.slice(separator + 1));
    this.fullName = name;
    this.arity = definition.arity;
    this.flagBits = flagBitsOf(definition);
    this.categoryBits = categoryBitsOf(definition, this.flagBits);
    const range = legacyRange(keys);
    this.firstKey = range.firstKey;
    this.lastKey = range.lastKey;
    this.keyStep = range.keyStep;
    this.elementWord = definition.elementWord ?? 0;
    this.payloadWord = definition.payloadWord ?? 0;
    this.channelWord = definition.channelWord ?? 0;
    this.channelUse = definition.channelUse ?? null;
    this.isFree = (this.flagBits & FLAG_NO_AUTH) !== 0;
    this.hasKeys = definition.findKeys !== undefined ||
      keys.some(({ flags }) => !flags.includes("not_key"));
    this.plainRights = plainRightsOf(definition, this.flagBits);
    this.run = definition.run ?? refuseToRun;
    this.subcommands = subcommands === undefined ? null : mapOf(name, subcommands);
    this.definition = definition;
    this.isQuick = (this.flagBits & FLAG_FAST) !== 0 || definition.complexity === "O(1)";
    this.quickWords = this.isQuick ? WORDS_MAX : definition.quickWords ?? 0;
  }

  /** The flags that COMMAND INFO shows, in its order. */
  flagNames(): string[] {
    const shown = this.flagBits & ~HIDDEN_FLAGS;
    return Object.entries(FLAG_BITS).filter(([, bit]) => (shown & bit) !== 0).map(([name]) => name);
  }

  /** The ACL categories without "@", in the order of ACL CAT. */
  categoryNames(): AclCategory[] {
    return ACL_CATEGORIES.filter((_, i) => (this.categoryBits & (1 << i)) !== 0);
  }

  /** Sets the statistics back to zero, as CONFIG RESETSTAT does. */
  resetStatistics(): void {
    this.calls = 0;
    this.usec = 0;
    this.rejectedCalls = 0;
    this.failedCalls = 0;
    this.latencyCounts = null;
    if (this.subcommands !== null) {
      for (const subcommand of this.subcommands.values()) subcommand.resetStatistics();
    }
  }
}

/** The definition of a command, for good; throws an Error when it contradicts itself. */
export function defineCommand(definition: CommandDefinition): CommandDefinition {
  const { name, subcommands } = definition;
  if (definition.run === undefined && subcommands === undefined) {
    throw new Error(`Cannot define ${name}: it has neither a handler nor subcommands`);
  }
  if (name !== name.toLowerCase() || definition.arity === 0) {
    throw new Error(`Cannot define ${name}: upper-case letters in the name, or arity 0`);
  }
  for (const { name: subcommand } of subcommands ?? []) {
    if (!subcommand.startsWith(name + "|")) {
      throw new Error(`Cannot define ${name}: ${subcommand} is not named after it`);
    }
  }
  return Object.freeze(definition);
}

/** The handler of a container: dispatch answers with an error before it would get here. */
function refuseToRun(): void {
  throw new Error("Cannot run a container command without a subcommand");
}

function flagBitsOf({ flags = [], keys = [] }: CommandDefinition): number {
  let bits = 0;
  for (const flag of flags) bits |= FLAG_BITS[flag];
  for (const spec of keys) {
    if (spec.beginSearch !== "index" || spec.findKeys !== "range") bits |= FLAG_MOVABLEKEYS;
  }
  return bits;
}

function categoryBitsOf(definition: CommandDefinition, flagBits: number): number {
  const { acl, group, subcommands } = definition;
  let bits = 0;
  const add = (category: AclCategory) => bits |= 1 << ACL_CATEGORIES.indexOf(category);
  if (flagBits & FLAG_WRITE) add("write");
  // A script may read or not: EVAL_RO and FCALL_RO are not in @read.
  if (flagBits & FLAG_READONLY && group !== "scripting") add("read");
  if (flagBits & FLAG_ADMIN) {
    add("admin");
    add("dangerous");
  }
  if (flagBits & FLAG_PUBSUB) add("pubsub");
  if (flagBits & FLAG_BLOCKING) add("blocking");
  add(flagBits & FLAG_FAST ? "fast" : "slow");
  if (acl !== undefined) {
    for (const category of acl) add(category);
  } else if (subcommands === undefined) {
    const category = GROUP_CATEGORY[group];
    if (category !== null) add(category);
  }
  return bits;
}

/**
 * First, last and step for clients that know no key specifications. A single range is taken as it
 * is; ranges that touch are joined (`RENAME key newkey`); what keywords and counts find is left out,
 * and FLAG_MOVABLEKEYS tells of it.
 */
function legacyRange(specs: readonly KeySpec[]) {
  let firstKey = 0;
  let lastKey = 0;
  let keyStep = 0;
  for (const spec of specs) {
    if (spec.beginSearch !== "index" || spec.findKeys !== "range") continue;
    const specLast = spec.lastKey < 0 ? spec.lastKey : spec.beginIndex + spec.lastKey;
    if (firstKey === 0) {
      firstKey = spec.beginIndex;
      lastKey = specLast;
      keyStep = spec.keyStep;
    } else if (spec.beginIndex === lastKey + 1 && spec.keyStep === keyStep) {
      lastKey = specLast;
    }
  }
  return { firstKey, lastKey, keyStep };
}

/** The rights for keys that lie in one plain range and are all used in the same way; else -1. */
function plainRightsOf({ keys = [], findKeys }: CommandDefinition, flagBits: number): number {
  if (keys.length !== 1 || findKeys !== undefined) return -1;
  if ((flagBits & FLAG_MOVABLEKEYS) !== 0) return -1;
  const [{ flags, limit }] = keys;
  const isWhole = limit <= 1 && !flags.includes("incomplete") && !flags.includes("variable_flags");
  return isWhole ? rightsFor(flags) : -1;
}

function mapOf(
  container: string,
  subcommands: readonly CommandDefinition[],
): ReadonlyMap<string, Command> {
  return new Map(
    subcommands.map((each) => [each.name.slice(container.length + 1), new Command(each)]),
  );
}
