/**
 * Cursors over packed values of today: listpacks and intsets, where the loader goes through them entry by
 * entry because they do not stay what they are. They check what they pass, as those of legacy.ts do.
 */

import { ElementText } from "../values/element_text.ts";
import { LP_EMPTY_BYTES, lpBytes, lpFirstAt, lpIsCount, lpSoundEnd } from "../values/listpack.ts";
import { INTSET_EMPTY_BYTES, intsetBytes, intsetCount, intsetWidth } from "../values/intset.ts";
import { EntryCursor } from "./legacy.ts";

/** A listpack, whose entries are given as text. */
export class ListpackCursor extends EntryCursor {
  protected override readonly encoding = "Listpack";
  readonly #text = new ElementText();

  protected override openFrame(len: number): void {
    const { value, start, end } = this;
    if (len < LP_EMPTY_BYTES) this.fail("too short");
    if (lpBytes(value, start) !== len) this.fail("wrong total size");
    if (value[end - 1] !== 0xff) this.fail("no end mark");
    this.pos = lpFirstAt(start);
  }

  override next(): boolean {
    const { value, pos } = this;
    const limit = this.end - 1;
    if (pos === limit) {
      if (!lpIsCount(value, this.start, this.index)) this.fail("wrong number of entries");
      return false;
    }
    const next = lpSoundEnd(value, pos, limit);
    if (next < 0) this.fail(`entry ${this.index} is not sound`);
    const text = this.#text;
    text.setEntry(value, pos);
    this.isInt = false;
    this.buf = text.bytes;
    this.off = text.offset;
    this.len = text.length;
    this.pos = next;
    this.index++;
    return true;
  }
}

/** An intset: its members, ascending. */
export class IntsetCursor extends EntryCursor {
  protected override readonly encoding = "Intset";
  #width = 2;
  #previousHigh = 0;
  #previousLow = 0;

  protected override openFrame(len: number): void {
    const { value, start } = this;
    if (len < INTSET_EMPTY_BYTES) this.fail("too short");
    this.#width = intsetWidth(value, start);
    if (this.#width !== 2 && this.#width !== 4 && this.#width !== 8) this.fail("unknown width");
    if (intsetCount(value, start) === 0) this.fail("no members");
    if (intsetBytes(value, start) !== len) this.fail("wrong total size");
    this.pos = start + INTSET_EMPTY_BYTES;
  }

  override next(): boolean {
    const { value, pos } = this;
    if (pos === this.end) return false;
    if (this.#width === 8) this.setInt64(pos);
    else if (this.#width === 4) {
      this.setInt32(uint16le(value, pos) | (uint16le(value, pos + 2) << 16));
    } else this.setInt32((uint16le(value, pos) << 16) >> 16);
    const above = this.intHigh - this.#previousHigh || this.intLow - this.#previousLow;
    if (this.index > 0 && above <= 0) this.fail(`member ${this.index} is not above the one before`);
    this.#previousHigh = this.intHigh;
    this.#previousLow = this.intLow;
    this.pos += this.#width;
    this.index++;
    return true;
  }
}

function uint16le(buf: Uint8Array, at: number): number {
  return buf[at] | (buf[at + 1] << 8);
}
