/**
 * Loads an append-only file: the files that the manifest names, one after the other. A base in RDB
 * form is the snapshot loader's work; commands are handed to whoever runs them (`AofOwner`), between
 * MULTI and EXEC all or nothing.
 *
 * The last file may end in the midst of a command, as after a power cut: it is cut off behind the last
 * one that is whole (`aof-load-truncated`). What is no command at its end is cut off too, up to
 * `aof-load-corrupt-tail-max-size`, and kept in a file of its own. In any other file both end the start.
 */

import type { Config } from "../config/config.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Log } from "../observe/log.ts";
import type { LoadedFiles, Persistence } from "../rdb/persistence.ts";
import { keysPerSlice, nextSlice } from "../rdb/slice_delay.ts";
import type { Words } from "../resp/words.ts";
import type { OpenFile, Runtime } from "../runtime/runtime.ts";
import { isSystemError, problemOf, SystemError } from "../runtime/system_error.ts";
import { CommandReader, READ_BROKEN, READ_COMMAND, READ_END } from "./command_reader.ts";
import type { AofFolder } from "./folder.ts";
import type { Manifest } from "./manifest.ts";
import { PositionReader } from "./position.ts";

/** Time that loading takes before others get their turn, in ms. */
const SLICE_MS = 4;
/** Commands between two looks at the clock. */
const COMMANDS_PER_LOOK = 64;
/** How often the log tells how far loading has come. */
const REPORT_MS = 2_000;
/** Bytes of a tail that are copied at once. */
const COPY_BYTES = 64 * 1024;

/** Runs the commands of one file. */
export interface AofRun {
  /**
   * Runs a command as one that has been run before. Null when that went well or its error changes
   * nothing; else why the load cannot go on: a command that does not exist ("unknown"), or that error.
   */
  run(words: Words): string | null;
  /** Whether the last command is not over yet: a script that takes long. The next one has to wait for it. */
  readonly isUnderWay: boolean;
}

/** What the append-only file asks of the parts of the server that it does not know. */
export interface AofOwner {
  /** Begins to run the commands of a file: in database 0. */
  runCommands(): AofRun;
}

/** The parts of the server that loading works on. */
export interface AofLoadHost {
  readonly keyspace: Keyspace;
  readonly config: Config;
  readonly log: Log;
  readonly runtime: Runtime;
  readonly persistence: Persistence;
  readonly owner: AofOwner;
}

/** Where the files are. */
export type LoadedFolder = Pick<AofFolder, "prefix" | "pathOf" | "sizeOf">;

/** How a file was loaded: whole, after its tail was cut off, or it has no bytes. */
type Loaded = "whole" | "cut" | "empty";

export class AofLoader implements LoadedFiles {
  totalBytes = 0;
  /**
   * Where a transaction that has no end begins in the last incremental file: that is to be cut off there
   * before it is written to. Null when there is none.
   */
  unfinishedFrom: number | null = null;
  /** Where in the history of replication the dataset stands. */
  readonly positions = new PositionReader();
  #manifest!: Manifest;
  /** Of files that have been read whole. */
  #bytesBefore = 0;
  /** What is being read, and how far. */
  #reader: CommandReader | null = null;
  #reportMs = 0;

  /** Without `mayCut` the files stay as they are: what would be cut off is passed over. */
  constructor(
    readonly host: AofLoadHost,
    readonly folder: LoadedFolder,
    readonly mayCut = true,
  ) {}

  /** LoadedFiles. */
  loadedBytes(): number {
    return this.#bytesBefore + (this.#reader?.offset ?? 0);
  }

  /**
   * Loads what the manifest names. Answers whether there was anything. Rejects with the line for the
   * log when the server must not start on this.
   */
  async load(manifest: Manifest): Promise<boolean> {
    this.#manifest = manifest;
    const files = manifest.loadable;
    const sizes = files.map(({ name }) => this.folder.sizeOf(name));
    this.totalBytes = sizes.reduce((sum, size) => sum + size, 0);
    if (this.totalBytes === 0) return files.length > 0;
    const { persistence, keyspace } = this.host;
    const { clock } = keyspace;
    this.#reportMs = clock.monotonic() + REPORT_MS;
    await persistence.whileLoading(async () => {
      for (const [index, file] of files.entries()) {
        const started = clock.monotonic();
        // What comes behind it may have been made and not written to yet.
        const isLast = sizes.slice(index + 1).every((size) => size === 0);
        const loaded = await this.#loadFile(file.name, isLast);
        this.#bytesBefore += sizes[index];
        this.#reader = null;
        if (loaded === "empty") continue;
        const kind = file === manifest.base ? "base" : "incr";
        const seconds = ((clock.monotonic() - started) / 1000).toFixed(3);
        this.host.log.notice(`DB loaded from ${kind} file ${file.name}: ${seconds} seconds`);
      }
    });
    persistence.loadedReplication = this.positions.position;
    return true;
  }

  /** Whether this file is going to be written to. */
  isWrittenTo(name: string): boolean {
    return this.#manifest.increments.at(-1)?.name === name;
  }

  async #loadFile(name: string, isLast: boolean): Promise<Loaded> {
    using file = this.#open(name);
    if (file.sizeBytes() === 0) return "empty";
    try {
      const offset = await this.#loadPreamble(name, file);
      const onLine = (text: string) => this.positions.line(text);
      const reader = this.#reader = new CommandReader(file, offset, onLine);
      return await new FileRun(this, name, isLast, reader, offset).load();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      throw new Error(
        `Unrecoverable error reading the append only file ${name}: ${error.message}`,
      );
    }
  }

  #open(name: string): OpenFile {
    try {
      return this.host.runtime.files.open(this.folder.pathOf(name), "read");
    } catch (error) {
      throw new Error(
        isSystemError(error, "ENOENT")
          ? `The append log file ${name} doesn't exist: ${problemOf(error)}`
          : `Fatal error: can't open the append log file ${name} for reading: ${problemOf(error)}`,
      );
    }
  }

  /** Loads the snapshot that a file begins with, if it does; answers where commands begin. */
  async #loadPreamble(name: string, file: OpenFile): Promise<number> {
    const head = new Uint8Array(5);
    const isSnapshot = file.read(head) === 5 && String.fromCharCode(...head) === "REDIS";
    file.seek(0);
    if (!isSnapshot) return 0;
    const { log, persistence } = this.host;
    const isOld = name === this.folder.prefix;
    log.notice(
      isOld ? "Reading RDB preamble from AOF file..." : "Reading RDB base file on AOF loading...",
    );
    let offset: number;
    try {
      offset = await persistence.loadBase(file, this);
    } catch (error) {
      log.warning(problemOf(error));
      const what = isOld ? "RDB preamble of the AOF file" : "RDB base file";
      throw new Error(`Error reading the ${what} ${name}, AOF loading aborted`);
    }
    file.seek(offset);
    this.positions.position = persistence.loadedReplication;
    if (isOld) log.notice("Reading the remaining AOF tail...");
    return offset;
  }

  /** Lets others have their turn. */
  async yield(commandsDone: number): Promise<void> {
    const { host } = this;
    const { keyspace } = host;
    const nowMs = keyspace.clock.monotonic();
    if (nowMs > this.#reportMs) {
      this.#reportMs = nowMs + REPORT_MS;
      const percent = this.loadedBytes() / this.totalBytes * 100;
      host.log.notice(`Loading DB in memory: ${percent.toFixed(1)}% of the append-only file`);
    }
    const delay = () => host.config.value("key-load-delay");
    await new Promise<void>((resolve) =>
      nextSlice(host.runtime.timers, delay, commandsDone, resolve)
    );
    keyspace.refreshTime();
  }
}

/** The commands of one file. */
class FileRun {
  readonly #run: AofRun;
  /** Between MULTI and EXEC: what is to be run together. */
  #queue: Words[] | null = null;
  /** After EXEC: what of that is to be run next, and all there is. */
  #next = 0;
  #transaction: Words[] = [];
  /** Offset behind the last command that was run, or is queued; and behind the one before MULTI. */
  #validTo: number;
  #beforeMulti = 0;

  constructor(
    readonly loader: AofLoader,
    readonly name: string,
    readonly isLast: boolean,
    readonly reader: CommandReader,
    offset: number,
  ) {
    this.#run = loader.host.owner.runCommands();
    this.#validTo = offset;
  }

  get #log(): Log {
    return this.loader.host.log;
  }

  load(): Promise<Loaded> {
    return this.loader.host.keyspace.stream.muteDuring(() => this.#load());
  }

  async #load(): Promise<Loaded> {
    for (;;) {
      const outcome = this.#slice();
      if (outcome === READ_COMMAND) {
        await this.loader.yield(COMMANDS_PER_LOOK);
        continue;
      }
      if (outcome === READ_BROKEN) return this.#cutBroken();
      if (outcome === READ_END && this.#queue === null) return "whole";
      if (outcome === READ_END) {
        this.#log.warning(
          `Revert incomplete MULTI/EXEC transaction in AOF file ${this.name}`,
        );
      }
      const isWhole = outcome === READ_END;
      if (this.#queue !== null) this.#leaveTransaction(isWhole);
      return this.#cutTruncated();
    }
  }

  /**
   * What was being queued has not been run, and goes with the tail. As in Redis the whole commands of a
   * transaction whose end is missing stay in the file for now; but before anything is written behind
   * them they have to go too, or it would become a part of that transaction.
   */
  #leaveTransaction(isWhole: boolean): void {
    if (isWhole || !this.loader.isWrittenTo(this.name)) this.#validTo = this.#beforeMulti;
    else this.loader.unfinishedFrom = this.#beforeMulti;
  }

  /** Runs commands for a while; READ_COMMAND when there are more. */
  #slice(): number {
    const { host } = this.loader;
    const { clock } = host.keyspace;
    const untilMs = clock.monotonic() + SLICE_MS;
    const perLook = Math.min(COMMANDS_PER_LOOK, keysPerSlice(host.config.value("key-load-delay")));
    const isDelayed = perLook < COMMANDS_PER_LOOK;
    do {
      for (let i = 0; i < perLook; i++) {
        if (this.#run.isUnderWay) return READ_COMMAND;
        const outcome = this.#step();
        if (outcome !== READ_COMMAND) return outcome;
      }
    } while (!isDelayed && clock.monotonic() < untilMs);
    return READ_COMMAND;
  }

  /** Runs one command, or takes it for a transaction. */
  #step(): number {
    if (this.#next < this.#transaction.length) {
      this.#carryOut(this.#transaction[this.#next++]);
      return READ_COMMAND;
    }
    const outcome = this.reader.next();
    if (outcome === READ_COMMAND) this.#take(this.reader.words);
    return outcome;
  }

  #take(words: Words): void {
    this.loader.positions.command();
    if (this.#queue === null && words.is(0, "multi")) {
      this.#queue = [];
      this.#beforeMulti = this.#validTo;
    } else if (this.#queue !== null && words.is(0, "exec")) {
      this.#transaction = this.#queue;
      this.#next = 0;
      this.#queue = null;
    } else if (this.#queue !== null) this.#queue.push(words.clone());
    else this.#carryOut(words);
    this.#validTo = this.reader.offset;
  }

  #carryOut(words: Words): void {
    const problem = this.#run.run(words);
    if (problem === null) return;
    const name = words.text(0);
    throw new Error(
      problem === "unknown"
        ? `Unknown command '${name}' reading the append only file ${this.name}`
        : `Cannot carry out '${name}' reading the append only file ${this.name}: ${problem}`,
    );
  }

  // -- what is wrong at the end ------------------------------------------------------------------

  #cutTruncated(): Loaded {
    const { name } = this;
    if (!this.loader.mayCut && this.isLast) {
      this.#log.warning(`${name} ends in the midst of something: read up to byte ${this.#validTo}`);
      return "cut";
    }
    if (this.loader.host.config.value("aof-load-truncated")) {
      this.#log.warning(`!!! Warning: short read while loading the AOF file ${name}!!!`);
      // Redis cuts it off before it says so.
      if (!this.isLast) throw new Error("Fatal error: the truncated file is not the last file");
      this.#log.warning(`!!! Truncating the AOF ${name} at offset ${this.#validTo} !!!`);
      if (this.#truncate()) {
        this.#log.warning(
          `AOF ${name} loaded anyway because aof-load-truncated is enabled`,
        );
        return "cut";
      }
    }
    throw new Error(
      `Unexpected end of file reading the append only file ${name}. You can: 1) Make a backup of ` +
        "your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you " +
        "can set the 'aof-load-truncated' configuration option to yes and restart the server.",
    );
  }

  #cutBroken(): Loaded {
    const { name } = this;
    const { host } = this.loader;
    if (this.#queue !== null) this.#validTo = this.#beforeMulti;
    const brokenBytes = this.loader.folder.sizeOf(name) - this.#validTo;
    const bytesMax = host.config.value("aof-load-corrupt-tail-max-size");
    if (this.loader.mayCut && this.isLast && brokenBytes <= bytesMax) {
      this.#log.warning(
        `!!! Warning: the AOF file ${name} is corrupt from offset ${this.#validTo} on, ` +
          `${brokenBytes} bytes before its end !!!`,
      );
      const kept = this.#keepTail();
      if (kept !== null && this.#truncate()) {
        this.#log.warning(
          `AOF ${name} loaded anyway because of aof-load-corrupt-tail-max-size; ` +
            `what was cut off is in ${kept}`,
        );
        return "cut";
      }
    }
    if (!this.loader.mayCut) {
      throw new Error(`${name} has something that is no command at byte ${this.#validTo}`);
    }
    throw new Error(
      `Bad file format reading the append only file ${name}: make a backup of your AOF file, then ` +
        "use ./redis-check-aof --fix <filename.manifest>",
    );
  }

  #truncate(): boolean {
    try {
      this.loader.host.runtime.files.truncate(
        this.loader.folder.pathOf(this.name),
        this.#validTo,
      );
      return true;
    } catch (error) {
      this.#log.warning(`Error truncating the AOF file ${this.name}: ${problemOf(error)}`);
      return false;
    }
  }

  /** Copies what is going to be cut off into a file of its own, whose name it answers; null when it cannot. */
  #keepTail(): string | null {
    const { files } = this.loader.host.runtime;
    const kept = `${this.name}.cut-${this.#validTo}`;
    try {
      using from = files.open(this.loader.folder.pathOf(this.name), "read");
      using to = files.open(this.loader.folder.pathOf(kept), "write", 0o644);
      from.seek(this.#validTo);
      const bytes = new Uint8Array(COPY_BYTES);
      for (let count = from.read(bytes); count > 0; count = from.read(bytes)) {
        to.write(bytes, 0, count);
      }
      to.sync();
      return kept;
    } catch (error) {
      this.#log.warning(`Error keeping the tail of the AOF file ${this.name}: ${problemOf(error)}`);
      return null;
    }
  }
}
