/**
 * `oom-score-adj`: tells Linux which processes to end first when memory runs out. The kernel adds a number
 * to what it thinks of the process; which one goes by the role, so that a replica goes before a master.
 * `oom-score-adj-values` has a third, for Redis's child process, of which there is none here.
 *
 * Deno lets only those write there who have all permissions; other systems have no such file. Then the
 * log says so, and CONFIG SET is refused.
 */

import { latin1, toLatin1 } from "../base/bytes.ts";
import type { Config } from "../config/config.ts";
import type { Files } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import type { Log } from "./log.ts";

const PATH = "/proc/self/oom_score_adj";
/** The kernel's bounds. */
const SCORE_MIN = -1000;
const SCORE_MAX = 1000;
/** Text of Redis. */
const NOT_APPLIED = "Failed to apply new oom_score_adj configuration, check server logs.";

export class OomScore {
  /** What the process was started with; null while that is what it has. */
  #base: number | null = null;

  constructor(readonly config: Config, readonly log: Log, readonly files: Files) {}

  /** Sets what the configuration says for this role. Answers null, or the error for CONFIG SET. */
  apply(isReplica: boolean): string | null {
    const mode = this.config.value("oom-score-adj");
    if (mode === "no") return this.restore();
    const [ofMaster, ofReplica] = this.config.value("oom-score-adj-values");
    const value = isReplica ? ofReplica : ofMaster;
    return this.#attempt(() => {
      const base = this.#base ?? this.#read();
      const score = mode === "absolute" ? value : base + value;
      this.#write(Math.min(SCORE_MAX, Math.max(SCORE_MIN, score)));
      this.#base = base;
    });
  }

  /** Sets what the process was started with, if that has been changed. Answers likewise. */
  restore(): string | null {
    const base = this.#base;
    if (base === null) return null;
    return this.#attempt(() => {
      this.#write(base);
      this.#base = null;
    });
  }

  #read(): number {
    return Number(toLatin1(this.files.read(PATH)));
  }

  #write(score: number): void {
    const text = latin1(String(score));
    using file = this.files.open(PATH, "write");
    file.write(text, 0, text.length);
  }

  #attempt(change: () => void): string | null {
    try {
      change();
      return null;
    } catch (error) {
      this.log.warning(`Unable to set oom_score_adj: ${problemOf(error)}`);
      return NOT_APPLIED;
    }
  }
}
