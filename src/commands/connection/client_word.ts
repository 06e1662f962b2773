/** What a client says of itself (CLIENT SETNAME, CLIENT SETINFO, HELLO): one word of visible ASCII. */

import { ReplyError } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";

/** Throws unless word `index` fits into a field of CLIENT LIST; `what` begins the error's sentence. */
export function checkClientWord(words: Words, index: number, what: string): void {
  const start = words.starts[index];
  const end = start + words.lengths[index];
  for (let i = start; i < end; i++) {
    const c = words.bytes[i];
    if (c < 0x21 || c > 0x7e) {
      throw new ReplyError(`ERR ${what} cannot contain spaces, newlines or special characters.`);
    }
  }
}
