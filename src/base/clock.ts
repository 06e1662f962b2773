/** Time and chance as interfaces, so that tests hand in their own. */

export interface Clock {
  /** Unix time in milliseconds. */
  now(): number;
  /** Monotonic time in milliseconds with fractions. */
  monotonic(): number;
}

/** A number in [0, 1). */
export type Draw = () => number;
