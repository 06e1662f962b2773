/**
 * Writes what Redis 8.6 to 8.10 write into snapshots and payloads, and this server does not: versions 13 to 15, streams
 * that know producers and entries of nobody, arrays, hashes with templates, metadata of modules. Bytes are strings here,
 * one character each.
 */

import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { Crc64 } from "../../src/rdb/crc64.ts";
import { lpAppend, lpAppendInteger, lpBytes, lpNew } from "../../src/values/listpack.ts";
import { testServer } from "./test_server.ts";

export const NO_SUM = "\0".repeat(8);

/** A length. */
export function length(n: number): string {
  if (n < 0x40) return String.fromCharCode(n);
  if (n < 0x4000) return String.fromCharCode(0x40 | (n >> 8), n & 0xff);
  return "\x81" + bigEndian(BigInt(n));
}

/** A string. */
export function text(s: string): string {
  return length(s.length) + s;
}

function bigEndian(n: bigint): string {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, n);
  return toLatin1(bytes);
}

function littleEndian(n: number, size: 4 | 8): string {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(n), true);
  return toLatin1(bytes).slice(0, size);
}

/** A listpack as a string of a snapshot; numbers are integers in it. */
export function listpack(...entries: (string | number)[]): string {
  const bytes = new Uint8Array(64 + entries.reduce<number>((n, e) => n + 20 + `${e}`.length, 0));
  lpNew(bytes, 0);
  for (const entry of entries) {
    const word = latin1(`${entry}`);
    if (typeof entry === "number") lpAppendInteger(bytes, 0, bytes.length, entry);
    else lpAppend(bytes, 0, bytes.length, word, 0, word.length);
  }
  return text(toLatin1(bytes.slice(0, lpBytes(bytes, 0))));
}

/** A file of this version with these records, without a checksum. */
export function snapshot(records: string, version = 15): Uint8Array<ArrayBuffer> {
  const digits = String(version).padStart(4, "0");
  const magic = version < 80 ? `REDIS${digits}` : `VALKEY${digits.slice(1)}`;
  return latin1(`${magic}\xfe\0${records}\xff${NO_SUM}`);
}

/** A payload as DUMP gives it. */
export function payload(value: string, version = 15): string {
  const body = value + littleEndian(version, 8).slice(0, 2);
  const crc = new Crc64();
  const bytes = latin1(body + NO_SUM);
  crc.update(bytes, 0, body.length);
  crc.writeTo(bytes, body.length);
  return toLatin1(bytes);
}

// -- streams --------------------------------------------------------------------------------

export const STREAM_4 = "\x1a";
export const STREAM_5 = "\x1b";

/** The ids 1-1 to n-1, and the last of them, as bytes. */
const ENTRIES = 4;

/** A stream of four entries, 1-1 to 4-1, up to where the number of its groups stands. */
function streamHead(): string {
  const s = testServer({ directives: { "rdb-version": "11" } });
  for (let i = 1; i <= ENTRIES; i++) s.run("XADD", "s", `${i}-1`, "f", `v${i}`);
  // Without the type, the number of groups, and the footer.
  return (s.run("DUMP", "s") as string).slice(1, -11);
}

function id16(ms: number): string {
  return bigEndian(BigInt(ms)) + bigEndian(1n);
}

export interface GroupParts {
  /** For the consumer "c". */
  owned?: number[];
  /** Of nobody, in the order in which they come. */
  givenBack?: number[];
}

/** A group "g" that has read all. */
function group({ owned = [], givenBack = [] }: GroupParts, type: string): string {
  const pending = [...owned, ...givenBack].toSorted((a, b) => a - b);
  const details = pending.map((ms) => id16(ms) + littleEndian(1000 + ms, 8) + length(ms));
  const consumer = text("c") + littleEndian(5000, 8) + littleEndian(4000, 8) +
    length(owned.length) + owned.map(id16).join("");
  const nobodys = type === STREAM_5 ? length(givenBack.length) + givenBack.map(id16).join("") : "";
  return text("g") + length(ENTRIES) + length(1) + length(ENTRIES) +
    length(pending.length) + details.join("") + length(1) + consumer + nobodys;
}

/** What is known of producers: of each its name and ids with the entries they stand for. */
export function producers(
  of: Record<string, [string, number][]>,
  seconds = 100,
  most = 100,
): string {
  const names = Object.keys(of);
  const each = names.map((name) =>
    text(name) + length(of[name].length) +
    of[name].map(([id, ms]) => text(id) + length(ms) + length(1)).join("")
  );
  return length(seconds) + length(most) + length(names.length) + each.join("") +
    length(names.length) + length(0);
}

/** A stream with this group, and what is known of producers. */
export function stream(type: string, parts: GroupParts | null, known = producers({})): string {
  const groups = parts === null ? length(0) : length(1) + group(parts, type);
  return streamHead() + groups + known;
}

// -- others -----------------------------------------------------------------------------------

export const ARRAY = "\x1c";
export const GCRA = "\x21";

/** An array with an element of each kind. */
export function array(hasPlace = true): string {
  return length(4) + (hasPlace ? length(1) + length(500) : length(0)) +
    length(0) + length(0) + text("a string") +
    length(1) + length(1) + littleEndian(77, 8) +
    length(100) + length(2) + "\0\0\0\0\0\0\xf8\x3f" +
    length(70_000) + length(3) + text("short");
}

export const TEMPLATE = "\xf2";
export const HASH_PACKED = "\x1d";
export const HASH_PACKED_REF = "\x1e";
export const HASH_ARRAY = "\x1f";
export const HASH_ARRAY_REF = "\x20";

/** The record of a template. */
export function template(number: number, ...names: string[]): string {
  return TEMPLATE + length(number) + length(names.length) + names.map(text).join("");
}

/** Names of fields before their values, in one string or each as one. */
export function names(isPacked: boolean, ...of: string[]): string {
  return isPacked
    ? length(0) + listpack(...of)
    : length(1) + length(of.length) + of.map(text).join("");
}

export function key(type: string, name: string, value: string): string {
  return type + text(name) + value;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** What modules of these classes keep with the key that follows. */
export function metadata(...classes: string[]): string {
  const each = classes.map((name) => {
    let number = 0;
    for (const letter of name) number = number * 64 + LETTERS.indexOf(letter);
    return littleEndian((number * 32 + 3) * 8 + 1, 4) + "\x02\x05" + "\x05" + text("some") + "\0";
  });
  return "\xf3" + length(classes.length) + each.join("");
}

/** The state of slots on their way to a server of Valkey 9. */
export function slotImport(job: string, ...ranges: [number, number][]): string {
  return "\xf3" + text(job) + length(ranges.length) +
    ranges.map(([first, last]) => length(first) + length(last)).join("");
}

// -- all of it --------------------------------------------------------------------------------

export const BEFORE = key("\0", "before", text("value"));
export const AFTER = key("\0", "after", text("value"));

const FIELDS = ["age", "name", "email"];
export const VALUES = ["42", "Edijs", "x".repeat(30)];
export const HASH = ["age", "42", "name", "Edijs", "email", "x".repeat(30)];

/** Hashes with a template: the type, the records of one of this name, and where there is one the value of a payload. */
export const TEMPLATED: [type: string, records: (name: string) => string, value: string | null][] =
  [
    [
      HASH_PACKED,
      (name) => key(HASH_PACKED, name, names(true, ...FIELDS) + listpack(0, ...VALUES)),
      names(true, ...FIELDS) + listpack(0, ...VALUES),
    ],
    [
      HASH_PACKED,
      (name) => key(HASH_PACKED, name, names(false, ...FIELDS) + listpack(9, ...VALUES)),
      names(false, ...FIELDS) + listpack(9, ...VALUES),
    ],
    [
      HASH_ARRAY,
      (name) => key(HASH_ARRAY, name, names(true, ...FIELDS) + VALUES.map(text).join("")),
      names(true, ...FIELDS) + VALUES.map(text).join(""),
    ],
    [
      HASH_ARRAY,
      (name) =>
        key(
          HASH_ARRAY,
          name,
          names(false, ...FIELDS) + "\xc0\x2a" + VALUES.slice(1).map(text).join(""),
        ),
      names(false, ...FIELDS) + VALUES.map(text).join(""),
    ],
    [
      HASH_PACKED_REF,
      (name) =>
        template(3, ...FIELDS) + key(HASH_PACKED_REF, name, listpack(3, 42, ...VALUES.slice(1))),
      null,
    ],
    [
      HASH_ARRAY_REF,
      (name) =>
        template(70, "other") + template(3, ...FIELDS) +
        key(HASH_ARRAY_REF, name, length(3) + VALUES.map(text).join("")),
      null,
    ],
  ];

/** A snapshot with everything. */
export const EVERYTHING = BEFORE + template(3, ...FIELDS) +
  TEMPLATED.map(([, records], i) => records(`h${i}`).replaceAll(template(3, ...FIELDS), "")).join(
    "",
  ) +
  key(STREAM_4, "s4", stream(STREAM_4, { owned: [1, 3] }, producers({ p: [["id", 3]] }))) +
  key(STREAM_5, "s5", stream(STREAM_5, { owned: [1], givenBack: [4, 2] })) +
  key(ARRAY, "array", array()) + key(GCRA, "gcra", length(17_000)) +
  metadata("BLES") + key("\0", "with metadata", text("value")) + AFTER;

/** Payloads of Redis 8.10 that are taken. */
export const NEWER_PAYLOADS = [
  payload(STREAM_5 + stream(STREAM_5, { owned: [1, 3, 4] })),
  ...TEMPLATED.flatMap(([type, _, value]) => value === null ? [] : payload(type + value)),
];
