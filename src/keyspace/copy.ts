/**
 * COPY: a record with its value, twice. Values inside the record are copied as bytes, those in slots
 * by their own `clone`.
 */

import { copyBytes } from "../base/bytes.ts";
import { isSlotEncoding, TYPE_HASH } from "../arena/record.ts";
import type { Database } from "./database.ts";
import { firstFieldExpiry } from "./hash.ts";

/**
 * Copies a record to a key that is not there, in the same or another database, with its expiry.
 * Returns the new reference.
 */
export function copyRecord(
  source: Database,
  ref: number,
  target: Database,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  const type = source.typeOf(ref);
  const encoding = source.encodingOf(ref);
  const expiresAtMs = source.expiryOf(ref);
  const firstMs = type === TYPE_HASH ? firstFieldExpiry(source, ref) : Infinity;
  if (firstMs !== Infinity) target.reserveFieldTime();
  if (isSlotEncoding(encoding)) {
    const twin = source.largeValue(ref).clone();
    const fresh = target.addLarge(bytes, offset, length, type, encoding, twin, expiresAtMs);
    if (firstMs !== Infinity) target.setFieldTime(fresh, firstMs, true);
    return fresh;
  }
  const from = source.records;
  const size = from.valueLength(ref);
  const fresh = target.addRecord(bytes, offset, length, type, encoding, size, 0, expiresAtMs);
  // Adding a record moves no other, so `ref` is still where the source lies.
  const to = target.records;
  copyBytes(
    to.bytesOf(fresh),
    to.valueOffset(fresh),
    from.bytesOf(ref),
    from.valueOffset(ref),
    size,
  );
  if (firstMs !== Infinity) target.setFieldTime(fresh, firstMs, true);
  return fresh;
}
