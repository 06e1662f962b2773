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

/** Runs of at most so many bytes are copied by `copyWords` faster than by block; measured on both engines. */
const WORD_COPY_MAX = 160;
/**
 * What `copyWords` has written to and read from last, each with a view that reads and writes words anywhere. They are
 * variables, as looking them up in an array took longer than the copy.
 */
let to0: Uint8Array = new Uint8Array(0);
let to1 = to0;
let from0 = to0;
let from1 = to0;
let from2 = to0;
let toView0: DataView = new DataView(to0.buffer);
let toView1 = toView0;
let fromView0 = toView0;
let fromView1 = toView0;
let fromView2 = toView0;

function viewOfTarget(bytes: Uint8Array): DataView {
  if (bytes === to0) return toView0;
  if (bytes === to1) return toView1;
  to1 = to0;
  toView1 = toView0;
  to0 = bytes;
  return toView0 = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function viewOfSource(bytes: Uint8Array): DataView {
  if (bytes === from0) return fromView0;
  if (bytes === from1) return fromView1;
  if (bytes === from2) return fromView2;
  from2 = from1;
  fromView2 = fromView1;
  from1 = from0;
  fromView1 = fromView0;
  from0 = bytes;
  return fromView0 = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * `copyBytes` for many short runs between a few objects that do not overlap: four bytes at a time. Of each object it
 * meets for the first time, or again after some others, it makes a view.
 */
export function copyWords(
  dst: Uint8Array,
  dOff: number,
  src: Uint8Array,
  sOff: number,
  len: number,
): void {
  if (len < 4 || len > WORD_COPY_MAX) {
    copyBytes(dst, dOff, src, sOff, len);
    return;
  }
  const to = viewOfTarget(dst);
  const from = viewOfSource(src);
  const last = len - 4;
  for (let i = 0; i < last; i += 4) to.setInt32(dOff + i, from.getInt32(sOff + i, true), true);
  // The last four bytes, of which up to three have been copied.
  to.setInt32(dOff + last, from.getInt32(sOff + last, true), true);
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
