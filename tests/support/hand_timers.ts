/**
 * Timers of a runtime, and its clock, that only move when a test says so: what would happen in other
 * turns of the event loop waits until then, so that a verdict never hangs on the speed of a machine.
 */

import type { Clock } from "../../src/base/clock.ts";
import type { Timer, Timers } from "../../src/runtime/runtime.ts";

interface Due {
  dueMs: number;
  readonly everyMs: number;
  readonly work: () => void;
}

export class HandTimers implements Timers {
  nowMs = 0;
  readonly clock: Clock = { now: () => this.nowMs, monotonic: () => this.nowMs };
  #soon: (() => void)[] = [];
  #afterOthers: (() => void)[] = [];
  readonly #timers = new Set<Due>();

  after(ms: number, work: () => void): Timer {
    return this.#add({ dueMs: this.nowMs + ms, everyMs: 0, work });
  }

  every(ms: number, work: () => void): Timer {
    return this.#add({ dueMs: this.nowMs + ms, everyMs: ms, work });
  }

  cancel(timer: Timer | null): void {
    this.#timers.delete(timer as Due);
  }

  soon(work: () => void): void {
    this.#soon.push(work);
  }

  afterInput(work: () => void): void {
    this.#soon.push(work);
  }

  afterOthers(work: () => void): void {
    this.#afterOthers.push(work);
  }

  /** Ends the present turn: runs what waits for that, and what that has put off until then. */
  endTurn(): void {
    while (this.#soon.length > 0) for (const work of this.#soon.splice(0)) work();
  }

  /** Whether something waits until others have had their turns. */
  get waitsForOthers(): boolean {
    return this.#afterOthers.length > 0;
  }

  /** Runs what waits until others have had their turns, as of now, and ends that turn. */
  othersDone(): void {
    for (const work of this.#afterOthers.splice(0)) work();
    this.endTurn();
  }

  /** Lets time pass, and each timer that becomes due in it run at its instant, in a turn of its own. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      let next: Due | null = null;
      for (const due of this.#timers) {
        if (due.dueMs <= untilMs && (next === null || due.dueMs < next.dueMs)) next = due;
      }
      if (next === null) break;
      this.nowMs = next.dueMs;
      if (next.everyMs > 0) next.dueMs += next.everyMs;
      else this.#timers.delete(next);
      next.work();
      this.endTurn();
    }
    this.nowMs = untilMs;
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  #add(due: Due): Timer {
    this.#timers.add(due);
    return due;
  }
}
