/** Waiting for something to come true, with a bound: the only way a test waits. */

/**
 * Calls `probe` until it gives something truthy and returns that. What it throws counts as "not
 * yet". After `timeoutMs` (10 s unless given) fails with `what` and the last failure seen.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  { timeoutMs = 10_000, what = "a condition" }: { timeoutMs?: number; what?: string } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let pauseMs = 2;
  while (true) {
    let seen: unknown;
    try {
      const value = await probe();
      if (value) return value;
      seen = value;
    } catch (thrown) {
      seen = thrown;
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeoutMs} ms for ${what}; last seen: ${seen}`, { cause: seen });
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(pauseMs * 2, 100);
  }
}
