/**
 * Reads hashes that Redis 8.10 has written with a template: the values apart from the names of the fields, which come
 * before them (types 29 and 31, payloads) or are those of a template of the snapshot (30 and 32). format.ts draws all
 * four. What is made of the fields is decided by who extends this.
 */

import { parseInteger } from "../../base/integers.ts";
import * as format from "../format.ts";
import type { EntryCursor } from "../legacy.ts";
import type { RdbReader } from "../reader.ts";
import { HashTemplate } from "./hash_templates.ts";
import type { LoadedValue } from "./loaded_value.ts";
import { LOAD_EMPTY, LOAD_PART, LOAD_WHOLE, ValueLoad } from "./value_load.ts";

// What comes next.
const BEGIN = 0;
const FORMAT = 1;
const NAME_COUNT = 2;
const NAME = 3;
const NAMES = 4;
const NUMBER = 5;
const VALUE = 6;
const VALUES = 7;
const END = 8;

// How the names are written, where they come with the value.
const NAMES_PACKED = 0;
const NAMES_PLAIN = 1;

export abstract class TemplateHashLoad extends ValueLoad {
  #next = BEGIN;
  #template = new HashTemplate();
  /** Names that are still to come with the value. */
  #left = 0;
  /** Which field's value comes next. */
  #index = 0;
  /** Where the value lies in the snapshot. */
  #at = 0;
  /** Set while a packed string is gone through. */
  #cursor: EntryCursor | null = null;
  readonly #isPacked: boolean;
  readonly #isReference: boolean;

  constructor(rdbType: number) {
    super();
    this.#isPacked = rdbType === format.TYPE_HASH_TMPL_LP ||
      rdbType === format.TYPE_HASH_TMPL_LP_REF;
    this.#isReference = rdbType === format.TYPE_HASH_TMPL_LP_REF ||
      rdbType === format.TYPE_HASH_TMPL_ARRAY_REF;
  }

  /** So many fields are to come; the value lies at `at` of the snapshot. */
  protected abstract beginFields(value: LoadedValue, count: number, at: number): void;
  /** Adds the field whose name is the `index`th of the template, with this value. */
  protected abstract addField(
    value: LoadedValue,
    reader: RdbReader,
    template: HashTemplate,
    index: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  /** Reads the value of that field and adds both. */
  protected abstract readField(
    value: LoadedValue,
    reader: RdbReader,
    template: HashTemplate,
    index: number,
  ): void;
  /** Makes what has been read the value; false when it is empty. */
  protected abstract finish(value: LoadedValue, reader: RdbReader): boolean;

  override begin(): void {
    this.#next = BEGIN;
    this.#cursor = null;
  }

  override step(value: LoadedValue, reader: RdbReader): number {
    value.beginPiece(reader);
    if (this.#next === BEGIN) this.#begin(reader);
    while (this.#next !== END) {
      if (value.isPieceOver(reader)) return LOAD_PART;
      this.#readNext(value, reader);
      // A packed string stays where it is until the reader reads on.
      reader.mark();
    }
    this.#template = new HashTemplate();
    return this.finish(value, reader) ? LOAD_WHOLE : LOAD_EMPTY;
  }

  #begin(reader: RdbReader): void {
    this.#at = reader.offset;
    this.#template = new HashTemplate();
    if (!this.#isReference) this.#next = FORMAT;
    else this.#next = this.#isPacked ? VALUES : NUMBER;
  }

  #readNext(value: LoadedValue, reader: RdbReader): void {
    switch (this.#next) {
      case FORMAT:
        this.#readFormat(reader);
        break;
      case NAME_COUNT:
        this.#left = reader.readCount("fields");
        if (this.#left > 0) this.#next = NAME;
        else this.#endNames(value, reader);
        break;
      case NAME:
        reader.readString();
        this.#template.add(reader.strBuf, reader.strOff, reader.strLen);
        if (--this.#left === 0) this.#endNames(value, reader);
        break;
      case NAMES:
        this.#readNames(value, reader);
        break;
      case NUMBER:
        this.#template = value.templates.get(
          reader.readPlainLength("the number of a hash template"),
          reader,
          this.#at,
        );
        this.#beginValues(value);
        break;
      case VALUE:
        this.readField(value, reader, this.#template, this.#index);
        if (++this.#index === this.#template.count) this.#next = END;
        break;
      default:
        this.#readValues(value, reader);
    }
  }

  #readFormat(reader: RdbReader): void {
    const names = reader.readPlainLength("how names are written");
    if (names !== NAMES_PACKED && names !== NAMES_PLAIN) {
      throw reader.error(`unknown form ${names} of the names of a hash template`, this.#at);
    }
    this.#next = names === NAMES_PACKED ? NAMES : NAME_COUNT;
  }

  /** The next of the names that are packed in one string. */
  #readNames(value: LoadedValue, reader: RdbReader): void {
    this.#cursor ??= this.#open(value, reader);
    const cursor = this.#cursor;
    if (!cursor.next()) return this.#endNames(value, reader);
    cursor.toText();
    this.#template.add(cursor.buf, cursor.off, cursor.len);
  }

  #open({ listpack }: LoadedValue, reader: RdbReader): EntryCursor {
    reader.readString();
    const { strBuf, strOff, strLen, strAt } = reader;
    listpack.open(strBuf, strOff, strLen, strAt, "Hash template listpack");
    return listpack;
  }

  #endNames(value: LoadedValue, reader: RdbReader): void {
    this.#cursor = null;
    if (this.#template.count === 0) throw reader.error("a hash template without fields", this.#at);
    if (this.#isPacked) this.#next = VALUES;
    else this.#beginValues(value);
  }

  #beginValues(value: LoadedValue): void {
    this.#index = 0;
    this.#next = VALUE;
    this.beginFields(value, this.#template.count, this.#at);
  }

  /** The next of the values that are packed in one string, which the number of a template begins. */
  #readValues(value: LoadedValue, reader: RdbReader): void {
    if (this.#cursor === null) return this.#openValues(value, reader);
    const cursor = this.#cursor;
    if (!cursor.next()) {
      if (this.#index < this.#template.count) this.#refuseCount(reader);
      this.#cursor = null;
      this.#next = END;
      return;
    }
    if (this.#index === this.#template.count) this.#refuseCount(reader);
    cursor.toText();
    this.addField(
      value,
      reader,
      this.#template,
      this.#index++,
      cursor.buf,
      cursor.off,
      cursor.len,
    );
  }

  #openValues(value: LoadedValue, reader: RdbReader): void {
    const cursor = this.#open(value, reader);
    const hasNumber = cursor.next();
    if (hasNumber) cursor.toText();
    const number = hasNumber ? parseInteger(cursor.buf, cursor.off, cursor.len) : NaN;
    if (!(number >= 0)) {
      throw reader.error("values without the number of a hash template", this.#at);
    }
    if (this.#isReference) this.#template = value.templates.get(number, reader, this.#at);
    this.#beginValues(value);
    this.#next = VALUES;
    this.#cursor = cursor;
  }

  #refuseCount(reader: RdbReader): never {
    throw reader.error("a hash with other fields than its template", this.#at);
  }
}
