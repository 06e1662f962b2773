/**
 * Checks the commands of an append-only file: whether each can be read, is known and has the words that it takes. What
 * they come to only running them tells (--load). Held at once are the longest command, and hashes of the keys.
 */

import { CommandReader, READ_BROKEN, READ_COMMAND, READ_END } from "../../aof/command_reader.ts";
import { PositionReader } from "../../aof/position.ts";
import { forEachKey } from "../../dispatch/call_keys.ts";
import type { Command } from "../../dispatch/command.ts";
import { SeenNames } from "../../rdb/seen_names.ts";
import type { Words } from "../../resp/words.ts";
import type { OpenFile } from "../../runtime/runtime.ts";
import { type CommandNames, hasArity } from "./command_names.ts";
import type { CommandCount, Damage, LogFindings } from "./findings.ts";
import type { PrefixTree } from "./prefixes.ts";

/** Time between two looks at signals and progress, in ms, and commands between two looks at the clock. */
const SLICE_MS = 50;
const COMMANDS_PER_LOOK = 64;

/** Runs a command that is known and has its words; answers why the file cannot be loaded, or null. */
export type CommandRunner = (words: Words) => string | null;

export interface LogCheckOptions {
  /** Where the commands begin. */
  readonly beginBytes: number;
  readonly names: CommandNames;
  /** Finds out where in the history of replication the data stand. */
  readonly positions: PositionReader;
  /** Counts the keys by what is written to them; left out where nobody asks. */
  readonly written?: PrefixTree;
  /** Runs the commands, between MULTI and EXEC together; left out where they are only looked at. */
  readonly run?: CommandRunner;
}

export class LogCheck {
  readonly findings: LogFindings;
  damage: Damage | null = null;
  readonly #options: LogCheckOptions;
  readonly #reader: CommandReader;
  readonly #keys = new SeenNames();
  #database = 0;
  /** Between MULTI and EXEC: what is to be run together. */
  #queue: Words[] | null = null;
  #multiFrom = 0;
  /** Behind the last command that is whole and no part of a transaction without an end. */
  #soundBytes: number;

  constructor(file: OpenFile, options: LogCheckOptions) {
    this.#options = options;
    this.#soundBytes = options.beginBytes;
    file.seek(options.beginBytes);
    this.findings = {
      beginBytes: options.beginBytes,
      commands: 0,
      byName: new Map(),
      byDatabase: new Map(),
      transactions: 0,
      unfinishedFrom: null,
      names: 0,
      areNamesCounted: true,
      timestamp: null,
    };
    this.#reader = new CommandReader(file, options.beginBytes, (line) => this.#line(line));
  }

  get offset(): number {
    return this.#reader.offset;
  }

  /** Reads on for a while; true when the end, or damage, has been come to. @throws SystemError */
  step(now: () => number): boolean {
    const untilMs = now() + SLICE_MS;
    do {
      for (let i = 0; i < COMMANDS_PER_LOOK; i++) {
        const from = this.#reader.offset;
        const outcome = this.#reader.next();
        if (outcome !== READ_COMMAND) return this.#ended(outcome);
        if (!this.#take(this.#reader.words, from)) return true;
      }
    } while (now() < untilMs);
    return false;
  }

  #ended(outcome: number): true {
    const { findings } = this;
    if (this.#queue !== null) findings.unfinishedFrom = this.#multiFrom;
    if (outcome === READ_END) return true;
    const isBroken = outcome === READ_BROKEN;
    this.#fail(
      isBroken ? "corrupt" : "truncated",
      isBroken ? "no command" : "the file ends in the midst of a command",
      this.#reader.offset,
    );
    return true;
  }

  #fail(kind: Damage["kind"], what: string, offset: number): false {
    const soundBytes = this.#queue === null ? this.#soundBytes : this.#multiFrom;
    this.damage = { kind, what, offset, key: null, lastKey: null, soundBytes };
    return false;
  }

  #line(text: string): void {
    this.#options.positions.line(text);
    const stamp = /^#TS:(\d{1,15})$/.exec(text);
    if (stamp !== null) this.findings.timestamp = Number(stamp[1]);
  }

  /** Takes a command that begins at `from`; false when the file cannot be loaded beyond it. */
  #take(words: Words, from: number): boolean {
    this.#options.positions.command();
    const name = words.text(0).toLowerCase();
    const command = this.#options.names.find(words);
    if (command === null) return this.#fail("refused", `unknown command '${shown(name)}'`, from);
    if (!hasArity(command, words)) {
      const what = `wrong number of arguments for '${command.fullName}'`;
      return this.#fail("refused", what, from);
    }
    this.#count(command, words, this.#reader.offset - from);
    const problem = this.#run(name, words, from);
    if (problem !== null) return this.#fail("refused", `'${name}' fails: ${problem}`, from);
    if (this.#queue === null) this.#soundBytes = this.#reader.offset;
    return true;
  }

  #run(name: string, words: Words, from: number): string | null {
    if (name === "multi" && this.#queue === null) {
      this.#queue = [];
      this.#multiFrom = from;
      this.findings.transactions++;
      return null;
    }
    const { run } = this.#options;
    if (name !== "exec" || this.#queue === null) {
      if (this.#queue === null) return run?.(words) ?? null;
      if (run !== undefined) this.#queue.push(words.clone());
      return null;
    }
    const queue = this.#queue;
    this.#queue = null;
    for (const queued of queue) {
      const problem = run?.(queued) ?? null;
      if (problem !== null) return problem;
    }
    return null;
  }

  #count(command: Command, words: Words, bytes: number): void {
    const { findings } = this;
    if (command.fullName === "select") this.#database = Number(words.text(1)) || 0;
    findings.commands++;
    add(findings.byName, command.fullName, bytes);
    add(findings.byDatabase, this.#database, bytes);
    const { written } = this.#options;
    forEachKey(command, words, (index) => {
      const { starts, lengths } = words;
      const isNew = this.#keys.add(words.bytes, starts[index], lengths[index], this.#database + 1);
      if (this.#keys.isFull) findings.areNamesCounted = false;
      else if (isNew) findings.names++;
      written?.add(words.bytes, starts[index], lengths[index], bytes);
    });
  }
}

function add<K>(counts: Map<K, CommandCount>, name: K, bytes: number): void {
  let count = counts.get(name);
  if (count === undefined) counts.set(name, count = { commands: 0, bytes: 0 });
  count.commands++;
  count.bytes += bytes;
}

/** As much of a name as a message can take. */
function shown(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}
