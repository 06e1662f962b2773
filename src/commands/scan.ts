/**
 * What SCAN, SSCAN, HSCAN and ZSCAN share: cursors, the options MATCH, COUNT and TYPE, and a reply
 * of the next cursor with the elements found.
 *
 *     const cursor = scanCursor(call, 2);        // before the key is looked up
 *     …lookup; a missing key is emptyScan(reply), a wrong type an error…
 *     const scan = parseScanOptions(call, 3);    // after it: real servers check in this order
 *     scan.begin();
 *     const next = scan.walkTable(table, cursor, (ref) => {
 *       if (scan.matches(bytes, off, len)) scan.add(bytes, off, len);
 *     });
 *     scan.finish(reply, next);
 *
 * Small encodings give all their elements in one call, whatever the cursor is, with next cursor 0.
 */

import { globMatch } from "../base/glob.ts";
import type { Call } from "../dispatch/call.ts";
import type { RecordTable } from "../keyspace/doors.ts";
import { ReplyError, SYNTAX_ERROR } from "../resp/reply_error.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { CollectedElements } from "./collected_elements.ts";

export const INVALID_CURSOR = "ERR invalid cursor";

/** Elements a call looks at when COUNT does not say. */
const DEFAULT_COUNT = 10;
/** A walk over empty buckets ends after this many times COUNT of them. */
const BUCKETS_PER_COUNT = 10;

const STAR = 0x2a;
const UINT64_MAX = 2n ** 64n - 1n;

/** Options of one call and the elements collected for its reply. One object serves all calls. */
export class Scan {
  /** COUNT: about how many elements to look at. */
  count = DEFAULT_COUNT;
  /** Index of the word behind TYPE, 0 when there is none. */
  typeWord = 0;
  #pattern: Uint8Array | null = null;
  #patternOffset = 0;
  #patternLength = 0;
  readonly #elements = new CollectedElements();
  #seen = 0;
  #visit: (ref: number) => void = ignore;
  readonly #countAndVisit = (ref: number): void => {
    this.#seen++;
    this.#visit(ref);
  };

  /** Reads the options from word `first` to the end. Throws a ReplyError. */
  parse(call: Call, first: number, takesType: boolean): void {
    const { words } = call;
    this.count = DEFAULT_COUNT;
    this.typeWord = 0;
    this.#pattern = null;
    for (let i = first; i < words.count; i += 2) {
      if (i + 1 === words.count) throw new ReplyError(SYNTAX_ERROR);
      if (words.is(i, "count")) {
        const count = call.clampedInteger(i + 1);
        if (count < 1) throw new ReplyError(SYNTAX_ERROR);
        this.count = count;
      } else if (words.is(i, "match")) {
        this.#patternOffset = words.starts[i + 1];
        this.#patternLength = words.lengths[i + 1];
        const matchesAll = this.#patternLength === 1 && words.bytes[this.#patternOffset] === STAR;
        this.#pattern = matchesAll ? null : words.bytes;
      } else if (takesType && words.is(i, "type")) {
        this.typeWord = i + 1;
      } else throw new ReplyError(SYNTAX_ERROR);
    }
  }

  /** Whether MATCH lets an element through. */
  matches(bytes: Uint8Array, offset: number, length: number): boolean {
    return this.#pattern === null ||
      globMatch(
        this.#pattern,
        this.#patternOffset,
        this.#patternLength,
        bytes,
        offset,
        length,
        false,
      );
  }

  /** Forgets the elements of an earlier call. */
  begin(): void {
    this.#elements.clear();
  }

  /** Adds an element to the reply (of pairs, both parts one after the other). */
  add(bytes: Uint8Array, offset: number, length: number): void {
    this.#elements.add(bytes, offset, length);
  }

  /**
   * Visits the records of a table from `cursor` on until about COUNT have been seen, matching or
   * not; returns the next cursor. `visit` may remove the record it is given, nothing else.
   */
  walkTable(
    table: Pick<RecordTable, "scan">,
    cursor: number,
    visit: (ref: number) => void,
  ): number {
    this.#visit = visit;
    this.#seen = 0;
    let at = cursor;
    let buckets = this.count * BUCKETS_PER_COUNT;
    do {
      at = table.scan(at, this.#countAndVisit);
    } while (at !== 0 && --buckets > 0 && this.#seen < this.count);
    this.#visit = ignore;
    return at;
  }

  /** Writes the reply. */
  finish(reply: ReplyWriter, nextCursor: number): void {
    reply.array(2);
    reply.bulkInteger(nextCursor);
    reply.array(this.#elements.count);
    this.#elements.writeTo(reply);
  }
}

const scan = new Scan();

function ignore(): void {}

/** Reads the options of a scan from word `first` on; the result is valid until the next call. */
export function parseScanOptions(call: Call, first: number, takesType = false): Scan {
  scan.parse(call, first, takesType);
  return scan;
}

/** The reply of a scan over nothing. */
export function emptyScan(reply: ReplyWriter): void {
  reply.array(2);
  reply.bulkInteger(0);
  reply.array(0);
}

/**
 * Word `index` as a cursor. Any text that C's strtoul takes whole is one: 64 bits unsigned, a sign
 * and leading zeros allowed, nothing at all being 0. Our cursors have 32 bits; those above do not
 * matter, as in Redis bits above the table's size do not.
 */
export function scanCursor(call: Call, index: number): number {
  const { words } = call;
  const end = words.starts[index] + words.lengths[index];
  let at = words.starts[index];
  let value = 0;
  if (words.lengths[index] > 9) return longCursor(words.text(index));
  const first = words.bytes[at];
  if (end > at && (first < 0x30 || first > 0x39)) return longCursor(words.text(index));
  for (; at < end; at++) {
    const digit = words.bytes[at] - 0x30;
    if (digit < 0 || digit > 9) throw new ReplyError(INVALID_CURSOR);
    value = value * 10 + digit;
  }
  return value;
}

function longCursor(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new ReplyError(INVALID_CURSOR);
  const signed = text[0] === "-" || text[0] === "+";
  const magnitude = BigInt(signed ? text.slice(1) : text);
  if (magnitude > UINT64_MAX) throw new ReplyError(INVALID_CURSOR);
  return Number(BigInt.asUintN(32, text[0] === "-" ? -magnitude : magnitude));
}
