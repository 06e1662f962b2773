/**
 * The server's log, in Redis's line format: `pid:role day month year time.ms level message`. It
 * goes to standard output or to the file that `logfile` names.
 *
 * Messages may hold text from outside (names, hosts, what a peer has sent): whatever it is, a message
 * is one line and begins as all do. What has several lines by itself is given line by line.
 */

import type { Clock } from "../base/clock.ts";
import { oneLine } from "../base/printable.ts";
import type { Files, HostProcess } from "../runtime/runtime.ts";

export type LogLevel = "debug" | "verbose" | "notice" | "warning" | "nothing";

const LEVELS: LogLevel[] = ["debug", "verbose", "notice", "warning", "nothing"];
const MARKS = [".", "-", "*", "#"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Longest message that is kept whole. */
const MESSAGE_MAX = 4096;

export class Log {
  level: LogLevel = "notice";
  /** "M" master, "S" replica, "C" a child's work (saving). */
  role: "M" | "S" | "C" = "M";
  readonly #encoder = new TextEncoder();

  constructor(
    readonly clock: Clock,
    readonly processId: number,
    public sink: LogSink,
  ) {}

  debug(message: string): void {
    this.#write(0, message);
  }

  verbose(message: string): void {
    this.#write(1, message);
  }

  notice(message: string): void {
    this.#write(2, message);
  }

  warning(message: string): void {
    this.#write(3, message);
  }

  /** A fault of ours, with where it happened: as many warnings as that has lines. */
  fault(message: string, error: unknown): void {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    const [first, ...stack] = text.split("\n");
    this.warning(`${message}: ${first}`);
    for (const line of stack) this.warning(`    ${line.trim()}`);
  }

  #write(level: number, message: string): void {
    if (level < LEVELS.indexOf(this.level)) return;
    const now = new Date(this.clock.now());
    const pad = (n: number, width = 2) => String(n).padStart(width, "0");
    const day = `${pad(now.getDate())} ${MONTHS[now.getMonth()]} ${now.getFullYear()}`;
    const time = `${pad(now.getHours())}:${pad(now.getMinutes())}:${pad(now.getSeconds())}.` +
      pad(now.getMilliseconds(), 3);
    const text = oneLine(message.slice(0, MESSAGE_MAX));
    const line = `${this.processId}:${this.role} ${day} ${time} ${MARKS[level]} ${text}\n`;
    this.sink(this.#encoder.encode(line));
  }
}

/** Takes a whole line's bytes. */
export type LogSink = (line: Uint8Array<ArrayBuffer>) => void;

/** Writes lines to standard output. A reader that went away does not end the server. */
export function standardOutputSink(process: HostProcess): LogSink {
  return (line) => {
    try {
      process.writeStandardOutput(line);
    } catch {
      // Nobody reads; the log has nowhere else to go.
    }
  };
}

/** Appends lines to a file, opened anew for each one so that it can be rotated away. */
export function fileSink(files: Files, path: string): LogSink {
  return (line) => {
    try {
      using file = files.open(path, "append");
      file.write(line, 0, line.length);
    } catch {
      // As Redis: a log that cannot be written is left out, the server goes on.
    }
  };
}
