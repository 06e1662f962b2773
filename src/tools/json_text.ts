/**
 * Byte strings as JSON. What is UTF-8 is a JSON string; whatever is not is an object with its base64, so that each
 * string of a dataset has one form and is told apart from the other:
 *
 *     "text"    {"base64": "/w=="}
 */

import { toLatin1 } from "../base/bytes.ts";
import type { ByteWriter } from "./byte_writer.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = "0123456789abcdef";
const DIGITS = Uint8Array.from(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
  (c) => c.charCodeAt(0),
);
const PADDING = 0x3d;
/** Characters that have an escape of their own, by their code. */
const ESCAPES = new Map([[8, "\\b"], [9, "\\t"], [10, "\\n"], [12, "\\f"], [13, "\\r"]]);

/** Writes a byte string. */
export function writeJsonString(
  out: ByteWriter,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  if (isUtf8(bytes, offset, length)) return writeText(out, bytes, offset, length);
  out.ascii('{"base64":"');
  writeBase64(out, bytes, offset, length);
  out.ascii('"}');
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The same of bytes that are few, as text. */
export function jsonOfBytes(bytes: Uint8Array): string {
  if (isUtf8(bytes, 0, bytes.length)) return JSON.stringify(utf8.decode(bytes));
  return JSON.stringify({ base64: btoa(toLatin1(bytes)) });
}

function writeText(out: ByteWriter, bytes: Uint8Array, offset: number, length: number): void {
  const end = offset + length;
  out.byte(QUOTE);
  let from = offset;
  for (let at = offset; at < end; at++) {
    const byte = bytes[at];
    if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) continue;
    out.bytes(bytes, from, at - from);
    from = at + 1;
    writeEscaped(out, byte);
  }
  out.bytes(bytes, from, end - from);
  out.byte(QUOTE);
}

function writeEscaped(out: ByteWriter, byte: number): void {
  if (byte >= 0x20) {
    out.byte(BACKSLASH);
    return out.byte(byte);
  }
  out.ascii(ESCAPES.get(byte) ?? `\\u00${HEX[byte >> 4]}${HEX[byte & 15]}`);
}

function writeBase64(out: ByteWriter, bytes: Uint8Array, offset: number, length: number): void {
  const end = offset + length;
  for (let at = offset; at < end; at += 3) {
    const left = end - at;
    const three = (bytes[at] << 16) | ((left > 1 ? bytes[at + 1] : 0) << 8) |
      (left > 2 ? bytes[at + 2] : 0);
    out.byte(DIGITS[three >> 18]);
    out.byte(DIGITS[(three >> 12) & 63]);
    out.byte(left > 1 ? DIGITS[(three >> 6) & 63] : PADDING);
    out.byte(left > 2 ? DIGITS[three & 63] : PADDING);
  }
}

/** Whether bytes are UTF-8: each character in its shortest form, none of them half of a pair (U+D800 to U+DFFF). */
export function isUtf8(bytes: Uint8Array, offset: number, length: number): boolean {
  const end = offset + length;
  for (let at = offset; at < end;) {
    if (bytes[at] < 0x80) {
      at++;
      continue;
    }
    const more = bytesBehind(bytes[at], at + 1 < end ? bytes[at + 1] : 0);
    if (more === 0 || at + more >= end) return false;
    for (let i = 2; i <= more; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return false;
    at += 1 + more;
  }
  return true;
}

/** How many bytes come behind the first one of a character, the second being this; 0 where there is none such. */
function bytesBehind(first: number, second: number): number {
  if ((second & 0xc0) !== 0x80) return 0;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 1;
  if (first < 0xf0) {
    if (first === 0xe0 && second < 0xa0) return 0;
    return first === 0xed && second >= 0xa0 ? 0 : 2;
  }
  if (first === 0xf0 && second < 0x90) return 0;
  return first > 0xf4 || (first === 0xf4 && second >= 0x90) ? 0 : 3;
}
