/** Comparing secrets with the library that every runtime has for it. */

import { sha256 } from "../base/sha256.ts";
import { nodeCrypto } from "./builtin_modules.ts";

/** See Runtime.isSameSecret. The digests are of one length, so that not even the length can be told. */
export function isSameSecret(given: Uint8Array, secret: Uint8Array): boolean {
  return nodeCrypto().timingSafeEqual(sha256(given), sha256(secret));
}
