/**
 * What commands that are put into a stream are made of. On the path of each write whose outcome has other words than
 * its request, so nothing is made of a word: see "Bytes, not strings" in NOTES.
 */

/** A word of the request, or the command, at hand, as it came: its bytes are not copied on the way. */
export class WordAt {
  constructor(readonly index: number) {}
}

const FIRST_WORDS = Array.from({ length: 16 }, (_, index) => new WordAt(index));

/** The word with this number of the request, or the command, at hand. */
export function word(index: number): WordAt {
  return index < FIRST_WORDS.length ? FIRST_WORDS[index] : new WordAt(index);
}

/** A part of a command: bytes, text (latin1), a number, or a word of the request. */
export type StreamPart = Uint8Array | string | number | WordAt;
