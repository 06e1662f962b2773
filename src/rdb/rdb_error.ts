/**
 * The one error that reading a snapshot or a DUMP payload raises, whatever is wrong with the bytes.
 */

import { quoted } from "../base/printable.ts";

/** Characters of a key that are shown. */
const KEY_SHOWN_MAX = 200;

/**
 * What is wrong: `truncated`, the bytes end too early; `corrupt`, they cannot be what a server
 * writes; `checksum`, they were altered; `unsupported`, they are of a version or kind not known
 * here; `memory`, a buffer of the declared size is not to be had.
 */
export type RdbErrorKind = "truncated" | "corrupt" | "checksum" | "unsupported" | "memory";

/** Reading stopped for good: nothing after `offset` can be understood. */
export class RdbError extends Error {
  override name = "RdbError";
  readonly kind: RdbErrorKind;
  /** Where in the snapshot the part that cannot be read begins, in bytes from its start. */
  readonly offset: number;
  /** The part of the message that says what is wrong, and where. */
  what: string;

  /** `what` completes "Cannot load snapshot: … at byte N". */
  constructor(kind: RdbErrorKind, what: string, offset: number) {
    super(`Cannot load snapshot: ${what} at byte ${offset}`);
    this.what = `${what} at byte ${offset}`;
    this.kind = kind;
    this.offset = offset;
  }

  /** Says which key the part belongs to. */
  addKey(key: string, database: number): void {
    const where = `, the value of key ${
      quoted(key.slice(0, KEY_SHOWN_MAX))
    } (database ${database})`;
    this.what += where;
    this.message += where;
  }
}
