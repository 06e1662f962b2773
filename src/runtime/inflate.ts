/** Undoing DEFLATE, with the zlib that every runtime has built in. */

import { nodeZlib } from "./builtin_modules.ts";

/**
 * Inflates what is deflated without a header.
 * @throws Error where it is damaged, or would be larger than `sizeMax` bytes
 */
export function inflateRaw(deflated: Uint8Array, sizeMax: number): Uint8Array<ArrayBuffer> {
  const buffer = nodeZlib().inflateRawSync(deflated, { maxOutputLength: sizeMax });
  return new Uint8Array(buffer);
}
