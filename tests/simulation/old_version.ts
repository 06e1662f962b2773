/**
 * What a server of an older version takes of what a master sends, and how it introduces itself: from the facts of real
 * servers (COMMAND DOCS with the version that brought each command and argument; recorded handshakes) and from the layout
 * of their snapshots. It has nothing from the tables by which streams are translated for them, which are what it is to
 * try.
 *
 * Only forms are known here, not meanings: where an older server takes the same words for something else (PFADD before 4.0, sums of
 * BITFIELD before 6.2), tests/compat/old_replicas_test.ts asks real ones.
 */

import { serverVersion } from "../../src/replication/bridge/target.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { SnapshotScan } from "../../src/rdb/scan.ts";
import { type Argument, parseArguments } from "../../src/commands/arguments_syntax.ts";
import { ArgumentGrammar } from "./argument_grammar.ts";
import { allFacts, type CommandFact } from "../support/command_facts.ts";

/** How a version introduces itself, and what it makes of a link that has ended. */
export interface Manners {
  /** The versions that have them, up to the next. */
  readonly since: string;
  /** Words of REPLCONF behind the port; null for a server that asks with SYNC. */
  readonly capabilities: readonly string[] | null;
  /** The latest version of snapshots that it reads. */
  readonly rdbVersion: number;
  /** The newest type of a value, in numbers of the layout, and the oldest opcode (they count downwards). */
  readonly typeMax: number;
  readonly opcodeMin: number;
}

/** Types of values between those that were brought together: 8 has never been, 6 and 7 are of modules. */
const MANNERS: readonly Manners[] = [
  { since: "2.6.0", capabilities: null, rdbVersion: 6, typeMax: 13, opcodeMin: 252 },
  { since: "2.8.0", capabilities: ["eof"], rdbVersion: 6, typeMax: 13, opcodeMin: 252 },
  { since: "3.2.0", capabilities: ["eof"], rdbVersion: 7, typeMax: 14, opcodeMin: 250 },
  { since: "4.0.0", capabilities: ["eof", "psync2"], rdbVersion: 8, typeMax: 14, opcodeMin: 250 },
  { since: "5.0.0", capabilities: ["eof", "psync2"], rdbVersion: 9, typeMax: 15, opcodeMin: 247 },
  { since: "7.0.0", capabilities: ["eof", "psync2"], rdbVersion: 10, typeMax: 19, opcodeMin: 245 },
];

/** Sorted sets with scores of eight bytes came out of turn: with 4.0. */
const TYPE_ZSET_2 = 5;
/** Behind a DUMP payload: its version in two bytes, and a checksum in eight. */
const FOOTER_BYTES = 10;
/** What is between a script's quotes and may be a command. */
const CALLED = /^[a-z]+$/;

const FACTS: ReadonlyMap<string, CommandFact> = new Map(
  allFacts().map((fact) => [fact.name, fact]),
);

/** The arguments of a command, of which these have to be there, but need not come first. */
function inAnyOrder(name: string, needed: string[]): Argument[] {
  return FACTS.get(name)!.arguments!.map((each) =>
    needed.includes(each.name) ? { ...each, flags: ["optional"] } : each
  );
}

/** Arguments of commands that are documented without them, or not as they have always been taken. */
const NOT_AS_DOCUMENTED: Record<string, Pick<CommandFact, "arguments"> | undefined> = {
  replconf: { arguments: [{ name: "word", type: "string", flags: ["multiple", "optional"] }] },
  // OVERFLOW may stand anywhere, and last.
  bitfield: {
    arguments: parseArguments(`
      key [operation:(GET get:(encoding offset:integer) | OVERFLOW wrap_sat_fail:(WRAP | SAT | FAIL)
      | SET set:(encoding offset:integer value:integer)
      | INCRBY increase:(encoding offset:integer increment:integer))...]
    `),
  },
  geosearchstore: { arguments: inAnyOrder("geosearchstore", ["from", "by"]) },
  pfmerge: {
    arguments: [
      { name: "destkey", type: "key" },
      { name: "sourcekey", type: "key", flags: ["multiple", "optional"] },
    ],
  },
};

export class OldVersion {
  readonly number: number;
  readonly manners: Manners;
  readonly #grammars = new Map<string, ArgumentGrammar>();

  constructor(readonly text: string) {
    this.number = serverVersion(text);
    this.manners = MANNERS.findLast(({ since }) => serverVersion(since) <= this.number)!;
  }

  /** Whether it is of this version, or a later one. */
  is(version: string): boolean {
    return this.number >= serverVersion(version);
  }

  /** Goes on in the history of another master, and tells of what is applied rather than of what has come (4.0). */
  get hasPsync2(): boolean {
    return this.is("4.0.0");
  }

  /** What it answers to a command of its master if that is an error; null if it takes it. */
  refusal(words: readonly string[]): string | null {
    const fact = this.#factOf(words);
    if (fact === null) return `ERR unknown command '${words[0]}'`;
    const nameWords = fact.name.includes("|") ? 2 : 1;
    if (!this.#grammarOf(fact).takes(words, nameWords)) return `ERR syntax error in ${fact.name}`;
    switch (fact.name) {
      case "restore":
        return this.#payloadRefusal(words[3]);
      case "eval":
        return this.#scriptRefusal(words);
      case "xadd":
        return words.some((word) => /^\d+-\*$/.test(word)) && !this.is("7.0.0")
          ? "ERR Invalid stream ID"
          : null;
      default:
        return null;
    }
  }

  /** Null for what it does not know. */
  #factOf(words: readonly string[]): CommandFact | null {
    const name = words[0].toLowerCase();
    // It was there before it was documented: of masters only the request to acknowledge is newer.
    if (name === "replconf" && !this.is("3.0.0")) return null;
    const top = FACTS.get(name);
    const fact = top?.subcommands === undefined
      ? top
      : FACTS.get(`${name}|${words[1]?.toLowerCase()}`);
    return fact === undefined || serverVersion(fact.since) > this.number ? null : fact;
  }

  #grammarOf(fact: CommandFact): ArgumentGrammar {
    let grammar = this.#grammars.get(fact.name);
    if (grammar === undefined) {
      grammar = new ArgumentGrammar({ ...fact, ...NOT_AS_DOCUMENTED[fact.name] }, this.number);
      this.#grammars.set(fact.name, grammar);
    }
    return grammar;
  }

  #payloadRefusal(payload: string): string | null {
    const at = payload.length - FOOTER_BYTES;
    const version = payload.charCodeAt(at) | (payload.charCodeAt(at + 1) << 8);
    const isKnown = version <= this.manners.rdbVersion && this.#knowsType(payload.charCodeAt(0));
    return isKnown ? null : "ERR DUMP payload version or checksum are wrong";
  }

  /** What a script calls is there; of their arguments nothing is known before it runs. */
  #scriptRefusal([, script, , ...values]: readonly string[]): string | null {
    const quoted = [...script.matchAll(/call\('(\w+)'/g)].map(([, name]) => name);
    const named = script.includes("call(ARGV") ? values.filter((word) => CALLED.test(word)) : [];
    for (const name of [...quoted, ...named]) {
      const fact = FACTS.get(name);
      if (quoted.includes(name) && fact === undefined) {
        return `ERR Unknown command ${name} in a script`;
      }
      if (fact !== undefined && serverVersion(fact.since) > this.number) {
        return `ERR Unknown Redis command called from Lua script: ${name}`;
      }
    }
    return null;
  }

  /** Why it cannot load a snapshot; null if it can. The snapshot has to be whole. */
  snapshotRefusal(bytes: Uint8Array<ArrayBuffer>): string | null {
    const version = Number(new TextDecoder().decode(bytes.subarray(5, 9)));
    if (version > this.manners.rdbVersion) return `Can't handle RDB format version ${version}`;
    let problem: string | null = null;
    const scan = new SnapshotScan(RdbReader.fromBytes(bytes, 0, bytes.length, { pauses: false }), {
      onAux: () => {
        if (this.manners.opcodeMin > 250) problem ??= "aux fields";
      },
      onSizes: () => {
        if (this.manners.opcodeMin > 251) problem ??= "sizes of tables";
      },
      onLibrary: () => {
        if (this.manners.opcodeMin > 245) problem ??= "function libraries";
      },
      onModule: () => problem ??= "module data",
      onKey: (scan) => {
        if (scan.idleSeconds >= 0 && this.manners.opcodeMin > 248) problem ??= "an idle time";
        if (scan.frequency >= 0 && this.manners.opcodeMin > 249) problem ??= "a frequency";
        if (!this.#knowsType(scan.valueType)) problem ??= `a value of type ${scan.valueType}`;
      },
    });
    scan.run();
    return problem === null ? null : `Unknown in RDB version ${version}: ${problem}`;
  }

  #knowsType(type: number): boolean {
    if (type === TYPE_ZSET_2) return this.is("4.0.0");
    return type <= this.manners.typeMax && type !== 6 && type !== 7;
  }
}
