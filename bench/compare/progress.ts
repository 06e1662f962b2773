/**
 * What a long comparison says of itself on standard error: what is being measured, how far it is and about
 * how long the rest will take.
 *
 * The work is told beforehand as expected times. They need not be right for the machine, only in proportion:
 * the rest is scaled by how long the part that is done has taken.
 */

export class Progress {
  readonly #startedAtMs: number;
  readonly #expectedMs: number;
  readonly #steps: number;
  #doneMs = 0;
  #doneSteps = 0;

  /** `steps` are the expected times of all steps, in their order. */
  constructor(
    steps: readonly number[],
    private readonly now: () => number = () => performance.now(),
    private readonly print: (text: string) => void = printError,
    private readonly isTerminal: boolean = Deno.stderr.isTerminal(),
  ) {
    this.#startedAtMs = now();
    this.#steps = steps.length;
    this.#expectedMs = steps.reduce((sum, ms) => sum + ms, 0);
  }

  /** A step begins. At a terminal its line gives way to the result. */
  begin(what: string): void {
    const line = `${this.#place()} ${what}`;
    this.print(this.isTerminal ? `\r\x1b[K${line} …` : `${line}\n`);
  }

  /** The step that had been expected to take `expectedMs` is over; its result, where it has one. */
  end(expectedMs: number, result = ""): void {
    this.#doneMs += expectedMs;
    this.#doneSteps++;
    const cleared = this.isTerminal ? "\r\x1b[K" : "";
    this.print(cleared + (result === "" ? "" : `${result}\n`));
  }

  /** `[3 of 67, about 12 min left]`. */
  #place(): string {
    const takenMs = this.now() - this.#startedAtMs;
    const pace = this.#doneMs === 0 ? 1 : takenMs / this.#doneMs;
    const leftMs = (this.#expectedMs - this.#doneMs) * pace;
    return `[${this.#doneSteps + 1} of ${this.#steps}, about ${durationText(leftMs)} left]`;
  }
}

/** A duration as a person says it: `40 s`, `12 min`. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function printError(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
