/**
 * Has the engine refuse buffers, as it does when the system has no memory left: while `work` runs,
 * buffers that `refuses` says so of are not made, or not resized, but throw what the engine throws.
 */

import { blocks } from "../../src/base/blocks.ts";

const CONSTRUCTORS = [
  "ArrayBuffer",
  "Int8Array",
  "Uint8Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float64Array",
] as const;

/** `bytes` is the size of the array to be made, of a buffer with its room, or of what it is to be resized to. */
export function withRefusedAllocations<T>(refuses: (bytes: number) => boolean, work: () => T): T {
  const putBack = refuseAllocations(refuses);
  try {
    return work();
  } finally {
    putBack();
  }
}

/** The same until what it returns is called. */
export function refuseAllocations(refuses: (bytes: number) => boolean): () => void {
  const scope = globalThis as unknown as Record<string, typeof Uint8Array>;
  const originals = CONSTRUCTORS.map((name) => scope[name]);
  for (const [i, name] of CONSTRUCTORS.entries()) {
    scope[name] = new Proxy(originals[i], {
      construct(target, words, newTarget) {
        const [length, options] = words;
        const size = options?.maxByteLength ?? length;
        if (typeof size === "number" && refuses(size * (target.BYTES_PER_ELEMENT ?? 1))) {
          throw new RangeError("Array buffer allocation failed");
        }
        return Reflect.construct(target, words, newTarget);
      },
    });
  }
  const { resize } = ArrayBuffer.prototype;
  ArrayBuffer.prototype.resize = function (bytes = 0) {
    if (refuses(bytes)) throw new RangeError("Array buffer allocation failed");
    return resize.call(this, bytes);
  };
  return () => {
    ArrayBuffer.prototype.resize = resize;
    for (const [i, name] of CONSTRUCTORS.entries()) scope[name] = originals[i];
  };
}

/** Has blocks, of which the memory of large values consists, refused alone: also those that lie ready. */
export function withRefusedBlocks<T>(work: () => T): T {
  const take = blocks.take.bind(blocks);
  blocks.take = () => {
    throw new RangeError("Array buffer allocation failed");
  };
  try {
    return work();
  } finally {
    blocks.take = take;
  }
}
