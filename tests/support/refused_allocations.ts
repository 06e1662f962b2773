/**
 * Has the engine refuse buffers, as it does when the system has no memory left: while `work` runs,
 * buffers that `refuses` says so of are not made, but throw what the engine throws.
 */

const CONSTRUCTORS = [
  "ArrayBuffer",
  "Int8Array",
  "Uint8Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float64Array",
] as const;

/** `bytes` is the size of the array to be made. */
export function withRefusedAllocations<T>(refuses: (bytes: number) => boolean, work: () => T): T {
  const scope = globalThis as unknown as Record<string, typeof Uint8Array>;
  const originals = CONSTRUCTORS.map((name) => scope[name]);
  for (const [i, name] of CONSTRUCTORS.entries()) {
    scope[name] = new Proxy(originals[i], {
      construct(target, words, newTarget) {
        const [length] = words;
        if (typeof length === "number" && refuses(length * (target.BYTES_PER_ELEMENT ?? 1))) {
          throw new RangeError("Array buffer allocation failed");
        }
        return Reflect.construct(target, words, newTarget);
      },
    });
  }
  try {
    return work();
  } finally {
    for (const [i, name] of CONSTRUCTORS.entries()) scope[name] = originals[i];
  }
}
