/** Damage to files that were written well: what disks, transfers and people do to them. */

import { latin1 } from "../../src/base/bytes.ts";
import type { Random } from "../support/random.ts";

/** Lengths that nobody has so many bytes for, as RDB writes them: 2^60, 2^32 - 1, 2^31, 2^63. */
export const ABSURD_LENGTHS: readonly Uint8Array[] = [
  Uint8Array.of(0x81, 0x10, 0, 0, 0, 0, 0, 0, 0),
  Uint8Array.of(0x80, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0x80, 0x80, 0, 0, 0),
  Uint8Array.of(0x81, 0x80, 0, 0, 0, 0, 0, 0, 0),
];

/** The same as the texts in which commands have them. */
const ABSURD_NUMBERS = [
  "1152921504606846976",
  "4294967295",
  "2147483648",
  "9223372036854775808",
  "1".repeat(40),
];

/** A single allocation of who reads so many bytes is not to be larger: LZF makes 3 bytes up to 264. */
export function allocationMax(fileBytes: number): number {
  return 32 * 1024 * 1024 + 128 * fileBytes;
}

/** Puts bytes over those that are there, as far as there are any. */
export function overwritten(whole: Uint8Array, at: number, bytes: Uint8Array): Uint8Array {
  const copy = whole.slice();
  copy.set(bytes.subarray(0, copy.length - at), at);
  return copy;
}

/** One damage at a place that is drawn. */
export function damaged(whole: Uint8Array, random: Random): Uint8Array {
  const at = random.below(whole.length + 1);
  const length = random.between(1, 12);
  const before = whole.subarray(0, at);
  const after = whole.subarray(at);
  switch (random.below(8)) {
    case 0:
      return before.slice();
    case 1:
    case 2: {
      const copy = whole.slice();
      if (at < copy.length) copy[at] ^= 1 << random.below(8);
      return copy;
    }
    case 3:
      return overwritten(whole, at, new Uint8Array(random.bytes(length)));
    case 4:
      return joined(before, whole.subarray(at + length));
    case 5:
      return joined(whole.subarray(0, at + length), after);
    case 6:
      return overwritten(whole, at, random.pick(ABSURD_LENGTHS));
    default:
      return withOtherNumber(whole, random);
  }
}

/** One of the numbers in a text, such as those before words of commands, is another. */
function withOtherNumber(whole: Uint8Array, random: Random): Uint8Array {
  let at = random.below(whole.length + 1);
  while (at < whole.length && !isDigit(whole[at])) at++;
  let end = at;
  while (end < whole.length && isDigit(whole[end])) end++;
  const number = random.below(2) === 0
    ? random.pick(ABSURD_NUMBERS)
    : String(random.between(-2, 70_000));
  return joined(joined(whole.subarray(0, at), latin1(number)), whole.subarray(end));
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

export function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}
