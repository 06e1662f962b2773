/**
 * The end of a turn, for all connections of a server at once: what has to be done before the answers
 * to the commands of a turn may leave (a log brought to the disk, say) is done once for all of them.
 *
 * Who has not come to an end with that keeps back the answers to what it concerns, until it says that
 * they may leave; all others leave.
 *
 * While nobody has asked for that, connections send at once, and nothing of this costs anything.
 */

import type { Timers } from "../runtime/runtime.ts";

/** Who has something to send. */
export interface TurnOutput {
  /** How far what was applied here (`WriteStream.appliedOffset`) had come with the last change it may tell of. */
  readonly appliedOffset: number;
  /** The turn has ended: sends it. */
  sendHeld(): void;
}

export class Turn {
  /** Whether output is to be handed in with `hold` rather than be sent. */
  isAwaited = false;
  readonly #timers: Timers;
  #listeners: readonly (() => number)[] = [];
  #held: TurnOutput[] = [];
  /** Output of turns that have ended, and what they tell of has not been done. */
  #keptBack: TurnOutput[] = [];

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /**
   * From now on `listener` is called at the end of each turn that has output, before any of it is
   * sent; it answers up to which offset changes may be told of, Infinity for all. What it keeps back
   * waits for `release`. Returns what ends this.
   */
  beforeReplies(listener: () => number): () => void {
    this.#listeners = [...this.#listeners, listener];
    this.isAwaited = true;
    return () => {
      this.#listeners = this.#listeners.filter((each) => each !== listener);
      this.isAwaited = this.#listeners.length > 0;
    };
  }

  /** Has this output sent at the end of the turn. Each is handed in once for a turn. */
  hold(output: TurnOutput): void {
    if (this.#held.length === 0) this.#timers.afterInput(this.#end);
    this.#held.push(output);
  }

  /** What has been kept back may leave. */
  release(): void {
    const kept = this.#keptBack;
    this.#keptBack = [];
    for (const output of kept) output.sendHeld();
  }

  readonly #end = (): void => {
    const held = this.#held;
    this.#held = [];
    let offsetMax = Infinity;
    for (const listener of this.#listeners) offsetMax = Math.min(offsetMax, listener());
    for (const output of held) {
      if (output.appliedOffset <= offsetMax) output.sendHeld();
      else this.#keptBack.push(output);
    }
  };
}
