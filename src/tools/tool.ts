/**
 * What the tools of the executable (`tsredis check` and its kin) have in common: how they are described, what they are
 * handed, how they end. A tool is an object in a file of its own, and a line of index.ts; command line, help, signals
 * and exit codes are the same for all (command_line.ts). They start no part of the server.
 *
 * Results go to standard output, remarks, errors and progress to standard error, so that a pipe gets results alone.
 */

import type { AofRun } from "../aof/loader.ts";
import type { Manifest } from "../aof/manifest.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { isSystemError, SystemError } from "../runtime/system_error.ts";

// How a tool ends, for scripts. A tool may not use others.

/** All is well: sound, no difference, done. */
export const EXIT_WELL = 0;
/** What a tool looks for is there: damage, a difference, something lost. */
export const EXIT_FOUND = 1;
/** The command line is not understood; nothing was done. */
export const EXIT_USAGE = 2;
/** It could not be done: a file is missing or may not be read, a disk is full, no memory. */
export const EXIT_FAILED = 3;
/** Ended by Ctrl-C (128 + SIGINT, as a shell has it) or SIGTERM. Nothing half-done is left. */
export const EXIT_INTERRUPTED = 130;

/** An option of a tool: `--name`, or `--name VALUE` where `value` says what its value is called in the help. */
export interface ToolOption {
  readonly name: string;
  readonly value?: string;
  /** Half a line for the help, without a capital and a full stop. */
  readonly help: string;
}

export interface Tool {
  readonly name: string;
  /** What stands behind the name in the first line of the help: "FILE|DIR". */
  readonly operands: string;
  /** How many operands it takes. */
  readonly operandsMin: number;
  readonly operandsMax: number;
  /** Half a line for the list of tools. */
  readonly summary: string;
  readonly options: readonly ToolOption[];
  /** The page of the help behind its first line and before its options, in lines of at most 78 characters. */
  readonly description: string;
  /** What the exit codes mean here, EXIT_WELL and EXIT_FOUND at least; the others mean the same for all. */
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[];
  /**
   * Does it; answers an exit code. @throws UsageError, ToolFailure, Interrupted, SystemError: command_line.ts says
   * so and knows their exit codes. What it has begun is undone by then.
   */
  run(call: ToolCall): Promise<number>;
}

/** What a tool was called with, and what it may use. */
export interface ToolCall {
  readonly host: ToolHost;
  readonly operands: readonly string[];
  /** The value of an option, or null where it was not given. */
  option(name: string): string | null;
  /** Whether an option without a value was given. */
  has(name: string): boolean;
}

/** The command line is wrong: EXIT_USAGE. The message is a line for the user. */
export class UsageError extends Error {}

/** It cannot be done: EXIT_FAILED. The message is a line for the user. */
export class ToolFailure extends Error {}

/** Ctrl-C was pressed: EXIT_INTERRUPTED, without a message. */
export class Interrupted extends Error {}

/**
 * A dataset in memory as a server has it, with its limits at their defaults, and nothing else of a server. For tools
 * that have to know what commands come to (an append-only file), or need all data at once.
 */
export interface ToolDataset {
  readonly keyspace: Keyspace;
  /** Begins to run commands, in database 0. */
  runCommands(): AofRun;
  /** Runs `work`, which runs commands: nothing of it enters a stream of writes. To be called slice by slice. */
  replay(work: () => void): void;
  /**
   * Loads the files that a manifest names, as a server would at its start, but leaves them as they are. Rejects with an
   * Error that says why a server would not start on them, or with what `atWork` throws.
   */
  load(load: LogLoad): Promise<void>;
  close(): void;
}

/** An append-only file that is to be loaded. */
export interface LogLoad {
  /** The folder that its files are in, with a slash at the end; empty for the working folder. */
  readonly folder: string;
  readonly manifest: Manifest;
  /** Called between two slices: bytes read so far, keys. */
  readonly atWork: (bytes: number, keys: number) => Promise<void>;
}

/** Makes an empty dataset; `onRemark` hears of commands that fail where a server would go on. */
export type DatasetOpener = (onRemark: (line: string) => void) => ToolDataset;

const text = new TextEncoder();

/** What a tool has of the world: the runtime, two streams of text, and whether it is to stop. */
export class ToolHost {
  /** Whether progress is shown. */
  readonly isTerminal: boolean;
  #isInterrupted = false;

  constructor(readonly runtime: Runtime, readonly openDataset: DatasetOpener) {
    this.isTerminal = runtime.process.isErrorTerminal();
  }

  /** Has Ctrl-C and SIGTERM end the tool at its next `checkpoint`, in place of ending the process. */
  listenToSignals(): void {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      this.runtime.process.onSignal(signal, () => this.interrupt());
    }
  }

  interrupt(): void {
    this.#isInterrupted = true;
  }

  /** Results. @throws SystemError, EPIPE when nobody reads */
  print(what: string): void {
    this.runtime.process.writeStandardOutput(text.encode(what));
  }

  /** Remarks, errors, progress. Never throws: there is nobody left to tell. */
  remark(what: string): void {
    try {
      this.runtime.process.writeStandardError(text.encode(what));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  /** Lets signals in: long work calls it every tenth of a second or so. @throws Interrupted */
  async checkpoint(): Promise<void> {
    await new Promise<void>((resolve) => this.runtime.timers.afterOthers(resolve));
    if (this.#isInterrupted) throw new Interrupted();
  }
}

/** Whether an error only says that the reader of the output has gone (`tsredis … | head`). */
export function isReaderGone(error: unknown): boolean {
  return isSystemError(error, "EPIPE");
}
