/**
 * The words of `notify-keyspace-events`: a letter for each class of keyspace events, and for each
 * place where they are published. They are kept as bits, so that whoever raises an event tests one
 * number.
 */

import {
  EVENT_EVICTED,
  EVENT_EXPIRED,
  EVENT_GENERIC,
  EVENT_HASH,
  EVENT_KEY_MISS,
  EVENT_LIST,
  EVENT_MODULE,
  EVENT_NEW,
  EVENT_SET,
  EVENT_STREAM,
  EVENT_STRING,
  EVENT_ZSET,
} from "../base/event_classes.ts";

/** K: publish on `__keyspace@<db>__:<key>`. */
export const NOTIFY_KEYSPACE = 1 << 0;
/** E: publish on `__keyevent@<db>__:<event>`. */
export const NOTIFY_KEYEVENT = 1 << 1;

const CLASSES: readonly [letter: string, bit: number][] = [
  ["g", EVENT_GENERIC],
  ["$", EVENT_STRING],
  ["l", EVENT_LIST],
  ["s", EVENT_SET],
  ["h", EVENT_HASH],
  ["z", EVENT_ZSET],
  ["x", EVENT_EXPIRED],
  ["e", EVENT_EVICTED],
  ["t", EVENT_STREAM],
  ["d", EVENT_MODULE],
];

/** A: every class except key misses and new keys. */
export const EVENT_ALL = CLASSES.reduce((all, [, bit]) => all | bit, 0);

const LETTERS = new Map<string, number>([
  ...CLASSES,
  ["A", EVENT_ALL],
  ["K", NOTIFY_KEYSPACE],
  ["E", NOTIFY_KEYEVENT],
  ["m", EVENT_KEY_MISS],
  ["n", EVENT_NEW],
]);

/** The bits of a word such as `KEA`; null if a letter names no class. */
export function notifyFlags(word: string): number | null {
  let flags = 0;
  for (const letter of word) {
    const bits = LETTERS.get(letter);
    if (bits === undefined) return null;
    flags |= bits;
  }
  return flags;
}

/**
 * The letters of these bits in the order of CONFIG GET. A real server leaves out `n` beside `A`;
 * `complete` keeps it, for the file that CONFIG REWRITE writes and a restart reads.
 */
export function notifyLetters(flags: number, complete = false): string {
  const all = (flags & EVENT_ALL) === EVENT_ALL;
  let letters = all ? "A" : "";
  if (!all) { for (const [letter, bit] of CLASSES) if (flags & bit) letters += letter; }
  if (flags & EVENT_NEW && (!all || complete)) letters += "n";
  if (flags & NOTIFY_KEYSPACE) letters += "K";
  if (flags & NOTIFY_KEYEVENT) letters += "E";
  if (flags & EVENT_KEY_MISS) letters += "m";
  return letters;
}
