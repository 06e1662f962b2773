/**
 * Glob matching over bytes: what KEYS, SCAN ... MATCH, PSUBSCRIBE and CONFIG GET take as a pattern.
 *
 * The pattern language, each element but `*` standing for exactly one byte:
 *
 *   *        any run of bytes, also none
 *   ?        any byte
 *   [abc]    one of these; [a-z] a range (either way round); [^...] none of these;
 *            a backslash inside takes the next byte as it is (and with its case);
 *            a class without its closing bracket ends where the pattern ends
 *   \x       the byte x
 *   x        any other byte is itself
 *
 * Why matching cannot blow up: since each element takes exactly one byte, a failure after the last
 * `*` seen can only be mended by letting that one take a byte more. Letting an earlier one take
 * more would hand the later elements a suffix of what the last `*` has tried already. So there is
 * one place to go back to, no recursion, and the cost is at most pattern length times text length.
 */

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const CARET = 0x5e;
const DASH = 0x2d;

/**
 * Whether the pattern matches the whole text; `nocase` folds ASCII letters.
 *
 * An empty text is matched by the empty pattern only, not by `*`: real servers answer so, and the
 * commands that list everything test for the pattern `*` before they come here.
 */
export function globMatch(
  pattern: Uint8Array,
  pOff: number,
  pLen: number,
  str: Uint8Array,
  sOff: number,
  sLen: number,
  nocase: boolean,
): boolean {
  if (sLen === 0) return pLen === 0;
  const pEnd = pOff + pLen;
  const sEnd = sOff + sLen;
  let p = pOff;
  let s = sOff;
  let afterStar = -1; // the element behind the last `*`, or -1 before the first
  let retryAt = 0; // where in the text that element is to be tried next

  while (s < sEnd) {
    // Most elements are plain bytes: those that match are told from all others right here.
    const first = p < pEnd ? pattern[p] : -1;
    if (first === str[s] && first !== STAR && first !== OPEN && first !== BACKSLASH) {
      p++;
      s++;
      continue;
    }
    if (first === STAR) {
      do p++; while (p < pEnd && pattern[p] === STAR);
      if (p === pEnd) return true;
      afterStar = p;
      retryAt = s + 1;
      continue;
    }
    if (p < pEnd && matchesElement(pattern, p, pEnd, str[s], nocase)) {
      p = elementEnd(pattern, p, pEnd);
      s++;
      continue;
    }
    if (afterStar < 0) return false;
    p = afterStar;
    s = retryAt++;
  }
  while (p < pEnd && pattern[p] === STAR) p++;
  return p === pEnd;
}

/** Whether the element that starts at `p` (not a `*`) accepts the byte. */
function matchesElement(
  pattern: Uint8Array,
  p: number,
  pEnd: number,
  byte: number,
  nocase: boolean,
): boolean {
  const first = pattern[p];
  if (first === QUESTION) return true;
  if (first === OPEN) return matchesClass(pattern, p, pEnd, byte, nocase);
  const literal = first === BACKSLASH && p + 1 < pEnd ? pattern[p + 1] : first;
  return literal === byte || (nocase && lower(literal) === lower(byte));
}

function matchesClass(
  pattern: Uint8Array,
  open: number,
  pEnd: number,
  byte: number,
  nocase: boolean,
): boolean {
  let p = open + 1;
  const negated = p < pEnd && pattern[p] === CARET;
  if (negated) p++;
  const folded = nocase ? lower(byte) : byte;
  while (p < pEnd && pattern[p] !== CLOSE) {
    if (pattern[p] === BACKSLASH && p + 1 < pEnd) {
      if (pattern[p + 1] === byte) return !negated;
      p += 2;
    } else if (p + 2 < pEnd && pattern[p + 1] === DASH) {
      // The third byte closes the range even if it is a bracket: in [a-] the range runs to "]".
      let from = Math.min(pattern[p], pattern[p + 2]);
      let to = Math.max(pattern[p], pattern[p + 2]);
      if (nocase) {
        from = lower(from);
        to = lower(to);
      }
      if (folded >= from && folded <= to) return !negated;
      p += 3;
    } else {
      const single = nocase ? lower(pattern[p]) : pattern[p];
      if (single === folded) return !negated;
      p++;
    }
  }
  return negated;
}

/** The position behind the element that starts at `p` (not a `*`). */
export function elementEnd(pattern: Uint8Array, p: number, pEnd: number): number {
  if (pattern[p] === BACKSLASH) return p + 1 < pEnd ? p + 2 : p + 1;
  if (pattern[p] !== OPEN) return p + 1;
  p++;
  if (p < pEnd && pattern[p] === CARET) p++;
  while (p < pEnd && pattern[p] !== CLOSE) {
    if (pattern[p] === BACKSLASH && p + 1 < pEnd) p += 2;
    else if (p + 2 < pEnd && pattern[p + 1] === DASH) p += 3;
    else p++;
  }
  return p < pEnd ? p + 1 : p;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
}
