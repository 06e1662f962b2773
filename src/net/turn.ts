/**
 * The end of a turn, for all connections of a server at once: what has to be done before the answers
 * to the commands of a turn may leave (a log brought to the disk, say) is done once for all of them.
 *
 * While nobody has asked for that, connections send at once, and nothing of this costs anything.
 */

import type { Timers } from "../runtime/runtime.ts";

/** Who has something to send. */
export interface TurnOutput {
  /** The turn has ended: sends it. */
  sendHeld(): void;
}

export class Turn {
  /** Whether output is to be handed in with `hold` rather than be sent. */
  isAwaited = false;
  readonly #timers: Timers;
  #listeners: readonly (() => void)[] = [];
  #held: TurnOutput[] = [];

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /**
   * From now on `listener` is called at the end of each turn that has output, before any of it is
   * sent. An error that it throws keeps all of it back. Returns what ends this.
   */
  beforeReplies(listener: () => void): () => void {
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

  readonly #end = (): void => {
    const held = this.#held;
    this.#held = [];
    for (const listener of this.#listeners) listener();
    for (const output of held) output.sendHeld();
  };
}
