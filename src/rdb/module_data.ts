/**
 * What modules write into snapshots and DUMP payloads, beside the path of loading: this server has no modules, so a value
 * of a module's type is refused, by the name of that type, or with `rdb-skip-unknown-modules yes` left out of a
 * snapshot with its key; and what a module keeps beside keys is passed over.
 *
 *     value   7   <length: number of the type> <parts>
 *     aux   247   <length: number of the type> <parts>, of which the first says where in the file it stands
 *     parts       <length: a mark> and what belongs to it, up to the mark MODULE_EOF
 *
 * The number of a type is its name, nine letters of six bits each, above ten bits of the version of its values.
 */

import type { LoadedValue } from "./kinds/loaded_value.ts";
import { quoted } from "../base/printable.ts";
import { LOAD_LEFT_OUT, LOAD_PART, ValueLoad } from "./kinds/value_load.ts";
import type { RdbReader } from "./reader.ts";

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

/** Reads the number of a module's type; its name. @throws RdbError */
export function readModuleName(reader: RdbReader): string {
  reader.readPlainLength("the number of a module");
  let id = ((BigInt(reader.lengthHigh) << 32n) | BigInt(reader.lengthLow)) >> VERSION_BITS;
  let name = "";
  for (let i = 0; i < NAME_LETTERS; i++) {
    name = LETTERS[Number(id & 63n)] + name;
    id >>= LETTER_BITS;
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

/** What to tell of a module whose data beside keys are passed over. */
export function moduleLeftOut(name: string): string {
  return `The RDB file contains AUX module data I can't load: no matching module '${name}'. ` +
    "They are left out.";
}

/** What to tell of a key that is left out because its value is of a module's type. */
export function moduleKeyLeftOut(name: string, database: number, key: string): string {
  return `The RDB file contains module data I can't load: no matching module type '${name}'. ` +
    `The key ${quoted(key)} (database ${database}) is left out.`;
}

/** Parts of a value that are passed over before others have their turn. */
const PARTS_AT_ONCE = 4096;

/** Refuses a value of a module's type, or passes over it, as `LoadedValue.leavesOutModules` says. */
export class ModuleLoad extends ValueLoad {
  #hasName = false;

  override begin(): void {
    this.#hasName = false;
  }

  override step(value: LoadedValue, reader: RdbReader): number {
    if (!this.#hasName) {
      const at = reader.offset;
      value.module = readModuleName(reader);
      if (!value.leavesOutModules) this.#refuse(value.module, reader, at);
      this.#hasName = true;
      reader.mark();
    }
    for (let parts = 0; skipModulePart(reader); parts++) {
      if (parts === PARTS_AT_ONCE) return LOAD_PART;
    }
    return LOAD_LEFT_OUT;
  }

  #refuse(name: string, reader: RdbReader, at: number): never {
    throw reader.error(
      `The RDB file contains module data I can't load: no matching module type '${name}',`,
      at,
      "unsupported",
    );
  }
}

/** Refuses a value of a module's type as it was written before 4.0 was released: it does not name that type. */
export class EarlyModuleLoad extends ValueLoad {
  override begin(): void {}

  override step(_value: LoadedValue, reader: RdbReader): number {
    throw reader.error("Pre-release module format not supported,", reader.offset, "unsupported");
  }
}
