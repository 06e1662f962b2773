/** Drawn bytes as a client's input, for the fuzzers of the parser and of connections. */

import type { Random } from "../support/random.ts";

const NUMBERS = [
  ...["0", "1", "2", "3", "10", "99", "100", "-1", "-0", "00", "07", "", "+1", " 1", "1 ", "x"],
  ...["65536", "1048576", "2147483647", "2147483648", "536870912", "536870913"],
  ...["9223372036854775807", "9223372036854775808", "18446744073709551616", "1".repeat(40)],
];
const LINES = [
  "PING",
  'ECHO "a',
  "ECHO 'a'",
  "",
  " ",
  "\t",
  'ECHO "\\x0g"',
  "GET\0",
  "*",
  "$",
  "\\",
];

function bytesOf(random: Random, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode(random.below(256));
  return text;
}

/** The words of a request, of any bytes. */
export function wordsOf(random: Random): string[] {
  return Array.from(
    { length: 1 + random.below(5) },
    () => bytesOf(random, random.below(8) === 0 ? random.below(20_000) : random.below(20)),
  );
}

/** Words as a client sends them. */
export function requestOf(words: readonly string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

/** A run of input, mostly near to what requests look like. */
export function inputOf(random: Random): string {
  let text = "";
  for (let parts = 1 + random.below(6); parts > 0; parts--) {
    switch (random.below(6)) {
      case 0:
        text += bytesOf(random, random.below(200));
        break;
      case 1:
        text += `*${random.pick(NUMBERS)}\r\n`;
        break;
      case 2:
        text += `*${1 + random.below(3)}\r\n$${random.pick(NUMBERS)}\r\n${
          bytesOf(random, random.below(9))
        }`;
        break;
      case 3:
        text += random.pick(LINES) + random.pick(["\r\n", "\n", "\r", ""]);
        break;
      default:
        text += requestOf(wordsOf(random));
    }
  }
  // Damage.
  for (let flips = random.below(4); flips > 0 && text.length > 0; flips--) {
    const at = random.below(text.length);
    text = text.slice(0, at) + String.fromCharCode(random.below(256)) +
      text.slice(at + random.below(3));
  }
  return text;
}
