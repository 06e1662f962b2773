/**
 * Compare, copy and convert runs of bytes given as (buffer, offset, length).
 *
 * Everything on the request path (resp, keyspace, values) works on such triples rather than on
 * strings or slices. A slice is an object: for the short runs that keys and small values are, making
 * one costs more than the work itself, so short runs are walked by a loop and only long ones go
 * through the engine's block operations.
 */

/** Runs of at least this many bytes are copied by block; measured, see bench/integers.bench.ts. */
const BLOCK_COPY_MIN = 48;

/**
 * Orders two runs as unsigned bytes, and on a tie by length (a prefix comes first).
 * Answers a negative number, 0 or a positive number.
 */
export function compareBytes(
  a: Uint8Array,
  aOff: number,
  aLen: number,
  b: Uint8Array,
  bOff: number,
  bLen: number,
): number {
  const shared = aLen < bLen ? aLen : bLen;
  for (let i = 0; i < shared; i++) {
    const difference = a[aOff + i] - b[bOff + i];
    if (difference !== 0) return difference;
  }
  return aLen - bLen;
}

/** Whether two runs have the same length and the same bytes. */
export function equalBytes(
  a: Uint8Array,
  aOff: number,
  aLen: number,
  b: Uint8Array,
  bOff: number,
  bLen: number,
): boolean {
  if (aLen !== bLen) return false;
  for (let i = 0; i < aLen; i++) {
    if (a[aOff + i] !== b[bOff + i]) return false;
  }
  return true;
}

/**
 * Copies `len` bytes. The runs may overlap when `dst` and `src` are the same object; two different
 * views of one ArrayBuffer must not be given overlapping runs.
 */
export function copyBytes(
  dst: Uint8Array,
  dOff: number,
  src: Uint8Array,
  sOff: number,
  len: number,
): void {
  if (len >= BLOCK_COPY_MIN) {
    if (dst === src) dst.copyWithin(dOff, sOff, sOff + len);
    else dst.set(src.subarray(sOff, sOff + len), dOff);
  } else if (dst === src && sOff < dOff) {
    for (let i = len - 1; i >= 0; i--) dst[dOff + i] = src[sOff + i];
  } else {
    for (let i = 0; i < len; i++) dst[dOff + i] = src[sOff + i];
  }
}

/** These bytes one after the other, copied. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const encoder = new TextEncoder();
/** From this length on, native code writes a text faster than a loop. */
const ENCODED_TEXT_MIN = 64;

/** The bytes of a string whose characters are all below 256; higher ones lose their upper bits. */
export function latin1(str: string): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(str.length);
  writeText(out, 0, str);
  return out;
}

/** Writes the bytes of such a string, for which there must be room; returns where they end. */
export function writeText(to: Uint8Array, at: number, str: string): number {
  if (str.length >= ENCODED_TEXT_MIN) {
    // Native code for UTF-8: other bytes than ASCII take more room there than there is, and end it early.
    const { read } = encoder.encodeInto(str, to.subarray(at, at + str.length));
    if (read === str.length) return at + read;
  }
  for (let i = 0; i < str.length; i++) to[at++] = str.charCodeAt(i);
  return at;
}

/**
 * At most `length` characters of a text (latin1) from its beginning, as a text of its own: what `slice` gives keeps
 * all of the longer one in memory.
 */
export function keptPart(text: string, length: number): string {
  return text.length <= length ? text : toLatin1(latin1(text.slice(0, length)));
}

/**
 * A string with one character per byte: what `latin1` turns back into the same bytes. For names,
 * logs and tests, not for the request path.
 */
export function toLatin1(buf: Uint8Array, off = 0, len = buf.length - off): string {
  let out = "";
  // A call takes a bounded number of arguments, so long runs go in pieces.
  for (let done = 0; done < len; done += 4096) {
    const end = Math.min(done + 4096, len);
    out += String.fromCharCode.apply(
      null,
      buf.subarray(off + done, off + end) as unknown as number[],
    );
  }
  return out;
}
