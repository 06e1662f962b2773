/**
 * Walks a whole snapshot with the reader's primitives: every opcode, every value down to its
 * strings, counting what it meets. It knows the structure of all types, but not the meaning:
 * listpacks and stream entries stay blobs. Tests prove the reader with it against real files.
 */

import { toLatin1 } from "../../src/base/bytes.ts";
import * as f from "../../src/rdb/format.ts";
import { type EntryCursor, ZiplistCursor, ZipmapCursor } from "../../src/rdb/legacy.ts";
import type { RdbReader } from "../../src/rdb/reader.ts";
import { intsetCount, intsetGet, intsetValidate } from "../../src/values/intset.ts";

export type Counts = Record<string, number>;

/** A key as the file has it. Scores are doubles; null: the value is in a form that stays a blob. */
export interface WalkedKey {
  type: number;
  expiresAtMs: number | null;
  elements: (string | number)[] | null;
}

/** What a file holds, counted in the terms of the JSON beside it. */
export class Walked {
  rdbVersion = 0;
  valueTypes: Counts = {};
  opcodes: Counts = {};
  stringEncodings: Counts = {};
  lengthEncodings: Counts = {};
  quicklist2Nodes: Counts = {};
  aux: Record<string, string> = {};
  functions: string[] = [];
  frequencies: number[] = [];
  idles: number[] = [];
  checksumVerified = false;
  dbs = new Map<number, Map<string, WalkedKey>>();
}

const INTEGER_NAMES = ["int8", "int16", "int32"];

/** Walks `reader`, which reads `bytes` from the start. Throws what the reader throws. */
export function walk(reader: RdbReader, bytes: Uint8Array): Walked {
  return new Walker(reader, bytes).run();
}

class Walker {
  #out = new Walked();
  #r: RdbReader;
  #bytes: Uint8Array;
  #ziplist = new ZiplistCursor();
  #zipmap = new ZipmapCursor();

  constructor(reader: RdbReader, bytes: Uint8Array) {
    this.#r = reader;
    this.#bytes = bytes;
  }

  run(): Walked {
    const r = this.#r;
    const out = this.#out;
    out.rdbVersion = r.readHeader();
    let keys = new Map<string, WalkedKey>();
    let expiresAtMs: number | null = null;
    out.dbs.set(0, keys);
    for (;;) {
      const at = r.offset;
      const code = r.readByte();
      const name = f.codeName(code);
      if (name === undefined) {
        throw r.error(`unknown opcode 0x${code.toString(16).padStart(2, "0")}`, at);
      }
      count(code >= f.OPCODE_SLOT_IMPORT ? out.opcodes : out.valueTypes, `${code}:${name}`);

      if (code === f.OPCODE_EOF) {
        if (out.rdbVersion >= f.RDB_VERSION_CHECKSUM) out.checksumVerified = r.verifyChecksum();
        return out;
      } else if (code === f.OPCODE_SELECTDB) {
        const db = this.#length();
        keys = out.dbs.get(db) ?? new Map();
        out.dbs.set(db, keys);
      } else if (code === f.OPCODE_AUX) out.aux[this.#string()] = this.#string();
      else if (code === f.OPCODE_RESIZEDB) {
        this.#length();
        this.#length();
      } else if (code === f.OPCODE_EXPIRETIME_MS) expiresAtMs = r.readMillis();
      else if (code === f.OPCODE_EXPIRETIME) expiresAtMs = r.readSeconds() * 1000;
      else if (code === f.OPCODE_IDLE) out.idles.push(this.#length());
      else if (code === f.OPCODE_FREQ) out.frequencies.push(r.readByte());
      else if (code === f.OPCODE_FUNCTION_2) out.functions.push(this.#string());
      else if (code === f.OPCODE_SLOT_INFO) { for (let i = 0; i < 3; i++) this.#length(); }
      else if (code > f.TYPE_MAX) throw r.error(`opcode ${name} is not walked`, at, "unsupported");
      else {
        const key = this.#string();
        const elements = this.#value(code);
        keys.set(key, { type: code, expiresAtMs, elements });
        expiresAtMs = null;
      }
    }
  }

  #value(type: number): (string | number)[] | null {
    const r = this.#r;
    switch (type) {
      case f.TYPE_STRING:
        return [this.#string()];
      case f.TYPE_LIST:
      case f.TYPE_SET:
        return this.#repeat(() => [this.#string()]);
      case f.TYPE_ZSET:
        return this.#repeat(() => [this.#string(), r.readTextDouble()]);
      case f.TYPE_ZSET_2:
        return this.#repeat(() => [this.#string(), r.readBinaryDouble()]);
      case f.TYPE_HASH:
        return this.#repeat(() => [this.#string(), this.#string()]);
      case f.TYPE_HASH_ZIPMAP:
        return this.#packed(this.#zipmap);
      case f.TYPE_LIST_ZIPLIST:
      case f.TYPE_HASH_ZIPLIST:
        return this.#packed(this.#ziplist);
      case f.TYPE_ZSET_ZIPLIST:
        return this.#packed(this.#ziplist).map((e, i) => i % 2 === 1 ? score(e) : e);
      case f.TYPE_SET_INTSET:
        return this.#intset();
      case f.TYPE_LIST_QUICKLIST:
        return this.#repeat(() => this.#packed(this.#ziplist));
      case f.TYPE_HASH_LISTPACK:
      case f.TYPE_ZSET_LISTPACK:
      case f.TYPE_SET_LISTPACK:
        this.#string();
        return null;
      case f.TYPE_LIST_QUICKLIST_2:
        this.#repeat(() => {
          const container = this.#length();
          const plain = container === f.QUICKLIST_NODE_PLAIN;
          if (!plain && container !== f.QUICKLIST_NODE_PACKED) throw r.error("unknown container");
          count(this.#out.quicklist2Nodes, plain ? "plain" : "packed");
          return [this.#string()];
        });
        return null;
      case f.TYPE_HASH_METADATA:
        r.readMillis();
        return this.#repeat(() => {
          this.#length();
          return [this.#string(), this.#string()];
        });
      case f.TYPE_HASH_LISTPACK_EX:
        r.readMillis();
        this.#string();
        return null;
      case f.TYPE_STREAM_LISTPACKS:
      case f.TYPE_STREAM_LISTPACKS_2:
      case f.TYPE_STREAM_LISTPACKS_3:
        this.#stream(type);
        return null;
      default:
        throw r.error(`type ${f.TYPE_NAMES[type]} is not walked`, r.offset, "unsupported");
    }
  }

  #stream(type: number): void {
    const r = this.#r;
    const since7 = type !== f.TYPE_STREAM_LISTPACKS;
    this.#repeat(() => {
      this.#count();
      r.readStringOf(16, "the id of a node");
      this.#string();
      return [];
    });
    for (let i = 0; i < (since7 ? 8 : 3); i++) this.#length();
    const id = new Uint8Array(16);
    this.#repeat(() => {
      this.#string();
      for (let i = 0; i < (since7 ? 3 : 2); i++) this.#length();
      this.#repeat(() => {
        r.readInto(id, 0, 16);
        r.readMillis();
        this.#length();
        return [];
      });
      this.#repeat(() => {
        this.#string();
        r.readMillis();
        if (type === f.TYPE_STREAM_LISTPACKS_3) r.readMillis();
        this.#repeat(() => {
          r.skip(16);
          return [];
        });
        return [];
      });
      return [];
    });
  }

  #repeat(one: () => (string | number)[]): (string | number)[] {
    this.#countLength(this.#r.offset);
    const elements: (string | number)[] = [];
    for (let left = this.#r.readCount("elements"); left > 0; left--) elements.push(...one());
    return elements;
  }

  #packed(cursor: EntryCursor): string[] {
    this.#count();
    const r = this.#r;
    r.readString();
    cursor.open(r.strBuf, r.strOff, r.strLen, r.strAt);
    const elements: string[] = [];
    while (cursor.next()) {
      const wide = cursor.isInt ? String(cursor.wideInt()) : "";
      cursor.toText();
      const text = toLatin1(cursor.buf, cursor.off, cursor.len);
      if (cursor.isInt && text !== wide) throw new Error(`${text} is not ${wide}`);
      elements.push(text);
    }
    return elements;
  }

  #intset(): string[] {
    this.#count();
    const r = this.#r;
    r.readString();
    if (!intsetValidate(r.strBuf, r.strOff, r.strLen)) throw r.error("damaged intset", r.strAt);
    return Array.from(
      { length: intsetCount(r.strBuf, r.strOff) },
      (_, i) => String(intsetGet(r.strBuf, r.strOff, i)),
    );
  }

  #length(): number {
    this.#countLength(this.#r.offset);
    return this.#r.readPlainLength("a length");
  }

  #string(): string {
    this.#count();
    const r = this.#r;
    r.readString();
    return toLatin1(r.strBuf, r.strOff, r.strLen);
  }

  // Counting looks at the bytes themselves, so that it does not repeat a mistake of the reader.

  #count(): void {
    const at = this.#r.offset;
    const first = this.#bytes[at];
    if (first === 0xc3) {
      count(this.#out.stringEncodings, "lzf");
      this.#countLength(this.#countLength(at + 1));
    } else if (first >= 0xc0) count(this.#out.stringEncodings, INTEGER_NAMES[first & 0x3f]);
    else {
      count(this.#out.stringEncodings, "raw");
      this.#countLength(at);
    }
  }

  #countLength(at: number): number {
    const first = this.#bytes[at];
    const [name, size] = first < 0x40
      ? ["6bit", 1]
      : first < 0x80
      ? ["14bit", 2]
      : first === 0x80
      ? ["32bit", 5]
      : ["64bit", 9];
    count(this.#out.lengthEncodings, name as string);
    return at + (size as number);
  }
}

/** A score as ziplists and the JSON spell it. */
export function score(text: string): number {
  if (text === "inf") return Infinity;
  return text === "-inf" ? -Infinity : Number(text);
}

function count(counts: Counts, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
