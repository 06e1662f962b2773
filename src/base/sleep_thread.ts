/** Holds the whole thread up for so many milliseconds: only for the commands of DEBUG that are to do that. */
export function sleepThread(ms: number): void {
  if (!(ms > 0)) return;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
