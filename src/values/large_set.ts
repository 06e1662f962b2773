/**
 * A large set (answered as "hashtable"): a Dict whose records are the members, with empty values.
 * Small ones are intsets or listpacks and live elsewhere.
 */

import { Dict } from "../arena/dict.ts";
import { hashBytes } from "../base/hash.ts";
import { TableCopy, type ValueCopy } from "./value_copy.ts";

export class LargeSet extends Dict {
  /** Itself: as other large collections, it has its elements in a Dict. */
  get dict(): Dict {
    return this;
  }

  /**
   * Adds a member; false when it is there already. `hash` is `hashBytes` of the member.
   */
  addMember(
    bytes: Uint8Array,
    offset: number,
    length: number,
    hash = hashBytes(bytes, offset, length),
  ): boolean {
    if (this.find(bytes, offset, length, hash) !== 0) return false;
    this.add(bytes, offset, length, hash, 0, 0, NaN);
    return true;
  }

  /** A copy that shares nothing with this set. */
  clone(): LargeSet {
    return this.beginCopy().run();
  }

  /** `clone` in pieces. */
  beginCopy(): ValueCopy<LargeSet> {
    const copy = new LargeSet();
    copy.reserve(this.count);
    return new TableCopy(copy, this, (ref) => {
      const bytes = this.bytesOf(ref);
      copy.add(bytes, this.keyOffset(ref), this.keyLength(ref), this.hashOf(ref), 0, 0, NaN);
    });
  }
}
