/** Commands as the bytes of an array of bulk strings, for what a translated stream says. */

import { latin1 } from "../../base/bytes.ts";
import type { StreamPart } from "../../propagation/write_stream.ts";

/** The RESP bytes of a command made of these parts. */
export function commandBytes(parts: readonly StreamPart[]): Uint8Array<ArrayBuffer> {
  const words = parts.map((part) => typeof part === "object" ? part : latin1(String(part)));
  const heads = words.map(({ length }, i) =>
    latin1(`${i === 0 ? `*${words.length}\r\n` : "\r\n"}$${length}\r\n`)
  );
  const sizeBytes = words.reduce((sum, { length }, i) => sum + heads[i].length + length, 2);
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const [i, word] of words.entries()) {
    bytes.set(heads[i], at);
    bytes.set(word, at + heads[i].length);
    at += heads[i].length + word.length;
  }
  bytes[at] = 13;
  bytes[at + 1] = 10;
  return bytes;
}
