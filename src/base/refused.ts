/**
 * Memory that the engine refuses: what is not needed for a request to be right (a smaller table after a
 * removal, a larger one ahead of need) is left out then, and what is needed is an answer. See "Reserve,
 * then commit" in NOTES.
 */

/** Whether this is what the engine throws when there is no memory for a buffer. */
export function isRefusal(error: unknown): boolean {
  return error instanceof RangeError;
}

/**
 * Does work that takes memory and may be left out; false when the memory was refused. `work` must
 * change nothing before it has all that it needs.
 */
export function tryAllocating(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return false;
  }
}
