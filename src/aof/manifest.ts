/**
 * The manifest of an append-only file: which files make it up, in which order. As Redis 7 has it:
 *
 *     file appendonly.aof.2.base.rdb seq 2 type b     what the dataset was at the last rewrite
 *     file appendonly.aof.1.incr.aof seq 1 type h     of use to nobody any more, to be removed
 *     file appendonly.aof.2.incr.aof seq 2 type i     what has been changed since then, file by file
 *
 * Names are byte strings (each code unit one byte). Text only: the files are folder.ts's business.
 */

import { toLatin1 } from "../base/bytes.ts";
import { quoted } from "../base/printable.ts";
import { splitWords, trimLine } from "../config/parse.ts";

/** One file of an append-only file. */
export interface AofFile {
  /** Without a path. */
  readonly name: string;
  /** Counted from 1, bases and incremental files each by themselves. */
  readonly seq: number;
}

/** What a base consists of, as its name says: a snapshot, or commands. */
export type BaseFormat = "rdb" | "aof";

const LINE_MAX = 1024;
const INVALID = "Invalid AOF manifest file format";

/** A manifest that cannot be read; the message is Redis's. */
export class ManifestError extends Error {
  /** `line` is null where there is none to show; `lineNumber` counts from 1. */
  constructor(message: string, readonly line: string | null, readonly lineNumber: number) {
    super(message);
  }
}

export class Manifest {
  base: AofFile | null = null;
  /** What is to be removed. */
  history: AofFile[] = [];
  /** In the order in which they were written: the last one is written to. */
  increments: AofFile[] = [];
  #baseSeq = 0;
  #incrementSeq = 0;

  /** Reads a manifest. @throws ManifestError */
  static parse(bytes: Uint8Array): Manifest {
    const manifest = new Manifest();
    const lines = toLatin1(bytes).split("\n");
    if (lines.length === 1 && lines[0] === "") {
      throw new ManifestError("Found an empty AOF manifest", null, 0);
    }
    lines.forEach((line, index) => {
      const isUnfinished = index === lines.length - 1;
      if (line.startsWith("#") || (isUnfinished && line === "")) return;
      if (isUnfinished || line.length >= LINE_MAX) {
        throw new ManifestError("The AOF manifest file contains too long line", null, index + 1);
      }
      manifest.#addLine(trimLine(line), index + 1);
    });
    return manifest;
  }

  #addLine(line: string, lineNumber: number): void {
    const fail = (message: string) => new ManifestError(message, line, lineNumber);
    const words = splitWords(Uint8Array.from(line, (c) => c.charCodeAt(0)));
    // More pairs than are known may come with later versions.
    if (words === null || words.length < 6 || words.length % 2 !== 0) throw fail(INVALID);
    let name = "";
    let seq = 0;
    let type = "";
    for (let i = 0; i < words.length; i += 2) {
      const key = toLatin1(words[i]).toLowerCase();
      const value = toLatin1(words[i + 1]);
      if (key === "file") {
        if (/[/\\]/.test(value)) throw fail("File can't be a path, just a filename");
        name = value;
      } else if (key === "seq") seq = Number(/^\s*[+-]?\d+/.exec(value)?.[0] ?? 0);
      else if (key === "type") type = value.slice(0, 1);
    }
    if (name === "" || seq === 0 || type === "" || !Number.isSafeInteger(seq)) throw fail(INVALID);
    const problem = this.#add({ name, seq }, type);
    if (problem !== null) throw fail(problem);
  }

  /** Adds what a line names; answers what is wrong with it, or null. */
  #add(file: AofFile, type: string): string | null {
    if (type === "b") {
      if (this.base !== null) return "Found duplicate base file information";
      this.base = file;
      this.#baseSeq = file.seq;
    } else if (type === "h") this.history.push(file);
    else if (type === "i") {
      if (file.seq <= this.#incrementSeq) return "Found a non-monotonic sequence number";
      this.increments.push(file);
      this.#incrementSeq = file.seq;
    } else return "Unknown AOF file type";
    return null;
  }

  /** The manifest as it is written, in latin1. */
  toText(): string {
    const { base, history, increments } = this;
    return [
      ...(base === null ? [] : [lineOf(base, "b")]),
      ...history.map((file) => lineOf(file, "h")),
      ...increments.map((file) => lineOf(file, "i")),
    ].join("");
  }

  /** The same again, to be changed until it is known whether the change could be written. */
  copy(): Manifest {
    const other = new Manifest();
    other.base = this.base;
    other.history = [...this.history];
    other.increments = [...this.increments];
    other.#baseSeq = this.#baseSeq;
    other.#incrementSeq = this.#incrementSeq;
    return other;
  }

  /** Whether there is nothing to load. */
  get isEmpty(): boolean {
    return this.base === null && this.increments.length === 0;
  }

  /** What is to be loaded, in order. */
  get loadable(): AofFile[] {
    return this.base === null ? this.increments : [this.base, ...this.increments];
  }

  /** Gives the next base its name; the one before it is history. `prefix` is `appendfilename`. */
  addBase(prefix: string, format: BaseFormat): AofFile {
    if (this.base !== null) this.history.unshift(this.base);
    const seq = ++this.#baseSeq;
    this.base = { name: `${prefix}.${seq}.base.${format}`, seq };
    return this.base;
  }

  /** Makes a file of before there were manifests the base. */
  takeOver(name: string): void {
    this.#baseSeq = 1;
    this.base = { name, seq: 1 };
  }

  /** Gives the next incremental file its name. */
  addIncrement(prefix: string): AofFile {
    const seq = ++this.#incrementSeq;
    const file = { name: `${prefix}.${seq}.incr.aof`, seq };
    this.increments.push(file);
    return file;
  }

  /** A rewrite has come to its end: but for the latest `kept` incremental files, all are history. */
  retireIncrements(kept: number): void {
    this.history.unshift(...this.increments.splice(0, this.increments.length - kept));
  }
}

function lineOf({ name, seq }: AofFile, type: string): string {
  return `file ${needsQuotes(name) ? quoted(name) : name} seq ${seq} type ${type}\n`;
}

/** Whether a name has something that would not be read back as it is. */
function needsQuotes(name: string): boolean {
  // All that is not printable, and what quotes and spaces mean.
  return /[^!-~]|["\\]/.test(name);
}
