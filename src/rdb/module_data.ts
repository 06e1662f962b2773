/**
 * What modules write into snapshots and DUMP payloads, beside the path of loading: this server has no modules, so a value
 * of a module's type is refused, by the name of that type, or with `rdb-skip-unknown-modules yes` left out of a
 * snapshot with its key; and what a module keeps beside keys is passed over.
 *
 *     value   7   <length: number of the type> <parts>
 *     aux   247   <length: number of the type> <parts>, of which the first says where in the file it stands
 *     with a key  243   <length: n> n times <int32le: number of the class> <parts>
 *     parts       <length: a mark> and what belongs to it, up to the mark MODULE_EOF
 *
 * The number of a type is its name, nine letters of six bits each, above ten bits of the version of its values; that of
 * a class four letters above five bits of version and three of flags.
 */

import type { LoadedValue } from "./kinds/loaded_value.ts";
import { LOAD_LEFT_OUT, LOAD_PART, ValueLoad } from "./kinds/value_load.ts";
import { OPCODE_KEY_META } from "./format.ts";
import { RdbReader } from "./reader.ts";

const MODULE_EOF = 0;
const MODULE_SIGNED = 1;
const MODULE_UNSIGNED = 2;
const MODULE_FLOAT = 3;
const MODULE_DOUBLE = 4;
const MODULE_STRING = 5;

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NAME_LETTERS = 9;
const LETTER_BITS = 6n;
const VERSION_BITS = 10n;
const CLASS_LETTERS = 4;
/** With those of the flags. */
const CLASS_VERSION_BITS = 8n;

/** Reads the number of a module's type; its name. @throws RdbError */
export function readModuleName(reader: RdbReader): string {
  reader.readPlainLength("the number of a module");
  const id = (BigInt(reader.lengthHigh) << 32n) | BigInt(reader.lengthLow);
  return lettersOf(id >> VERSION_BITS, NAME_LETTERS);
}

/** Reads the number of a class of what modules keep with keys; its name. @throws RdbError */
export function readClassName(reader: RdbReader): string {
  const number = BigInt(reader.readSeconds() >>> 0);
  return lettersOf(number >> CLASS_VERSION_BITS, CLASS_LETTERS);
}

function lettersOf(letters: bigint, count: number): string {
  let name = "";
  for (let i = 0; i < count; i++) {
    name = LETTERS[Number(letters & 63n)] + name;
    letters >>= LETTER_BITS;
  }
  return name;
}

/**
 * Passes over the next part of a module's data, which names the kind of each for this purpose; false when there is none
 * any more. A string is only begun: `RdbReader.finishSkip` does the rest. @throws RdbError
 */
export function skipModulePart(reader: RdbReader): boolean {
  reader.mark();
  const at = reader.offset;
  const mark = reader.readPlainLength("a mark in the data of a module");
  if (mark === MODULE_EOF) return false;
  if (mark === MODULE_SIGNED || mark === MODULE_UNSIGNED) reader.readPlainLength("a number");
  else if (mark === MODULE_FLOAT) reader.skip(4);
  else if (mark === MODULE_DOUBLE) reader.skip(8);
  else if (mark === MODULE_STRING) reader.skipString();
  else throw reader.error(`unknown mark ${mark} in the data of a module`, at);
  return true;
}

/**
 * How many bytes of a payload of Redis come before the type byte of its value: what modules keep with the key.
 * @throws RdbError
 */
export function metadataBytes(payload: Uint8Array): number {
  if (payload[0] !== OPCODE_KEY_META) return 0;
  const reader = RdbReader.fromBytes(payload, 0, payload.length, {
    checksum: false,
    pauses: false,
  });
  reader.readByte();
  for (let classes = reader.readCount("classes of metadata", 5); classes > 0; classes--) {
    readClassName(reader);
    while (skipModulePart(reader));
  }
  return reader.offset;
}

/** What to tell of a module whose data beside keys are passed over. */
export function moduleLeftOut(name: string): string {
  return `The RDB file contains AUX module data I can't load: no matching module '${name}'. ` +
    "They are left out.";
}

/** Parts of a value that are passed over before others have their turn. */
const PARTS_AT_ONCE = 4096;

/** Refuses a value of a module's type, or passes over it, as `LoadedValue.leavesOut` says. */
export class ModuleLoad extends ValueLoad {
  #hasName = false;

  override begin(): void {
    this.#hasName = false;
  }

  override step(value: LoadedValue, reader: RdbReader): number {
    if (!this.#hasName) {
      const at = reader.offset;
      value.leaveOut({ kind: "module", name: readModuleName(reader) }, reader, at);
      this.#hasName = true;
      reader.mark();
    }
    for (let parts = 0; skipModulePart(reader); parts++) {
      if (parts === PARTS_AT_ONCE) return LOAD_PART;
    }
    return LOAD_LEFT_OUT;
  }
}

/** Refuses a value of a module's type as it was written before 4.0 was released: it does not name that type. */
export class EarlyModuleLoad extends ValueLoad {
  override begin(): void {}

  override step(_value: LoadedValue, reader: RdbReader): number {
    throw reader.error("Pre-release module format not supported,", reader.offset, "unsupported");
  }
}
