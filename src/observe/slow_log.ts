/** SLOWLOG: the latest commands that took longer than `slowlog-log-slower-than`. */

import { toLatin1 } from "../base/bytes.ts";
import type { Words } from "../resp/words.ts";

/** Most words kept of a command, and most bytes of a word. */
const WORDS_MAX = 32;
const WORD_BYTES_MAX = 128;

export interface SlowLogEntry {
  readonly id: number;
  /** Unix time in seconds. */
  readonly time: number;
  readonly usec: number;
  /** Latin1. */
  readonly words: string[];
  readonly address: string;
  readonly name: string;
}

export class SlowLog {
  /** In µs; negative turns the log off, 0 logs everything. */
  thresholdUsec = 10_000;
  lengthMax = 128;
  /** Newest first. */
  entries: SlowLogEntry[] = [];
  #nextId = 0;

  add(words: Words, usec: number, nowMs: number, address: string, name: string): void {
    if (this.lengthMax > 0) {
      this.entries.unshift({
        id: this.#nextId++,
        time: Math.floor(nowMs / 1000),
        usec: Math.floor(usec),
        words: shorten(words),
        address,
        name,
      });
    }
    this.trim();
  }

  /** Drops the oldest entries beyond `lengthMax`. */
  trim(): void {
    if (this.entries.length > this.lengthMax) this.entries.length = this.lengthMax;
  }

  reset(): void {
    this.entries = [];
  }
}

function shorten(words: Words): string[] {
  const kept: string[] = [];
  for (let i = 0; i < words.count; i++) {
    if (i === WORDS_MAX - 1 && words.count > WORDS_MAX) {
      kept.push(`... (${words.count - WORDS_MAX + 1} more arguments)`);
      break;
    }
    const length = words.lengths[i];
    const shown = Math.min(length, WORD_BYTES_MAX);
    const text = toLatin1(words.bytes, words.starts[i], shown);
    kept.push(length > shown ? `${text}... (${length - shown} more bytes)` : text);
  }
  return kept;
}
