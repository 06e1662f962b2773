/**
 * COPY: a record with its value, twice. Values inside the record are copied as bytes, those in slots
 * by their own `clone`.
 */

import { copyBytes } from "../base/bytes.ts";
import { isSlotEncoding, TYPE_HASH } from "../arena/record.ts";
import { LargeHash } from "../values/large_hash.ts";
import type { Database } from "./database.ts";
import type { LargeValue } from "./value_slots.ts";
import { firstFieldExpiry } from "./hash.ts";

/**
 * Copies a record to a key that is not there, in the same or another database, with its expiry.
 * `made` is a copy of its value, if there is one already (see `LargeValue.beginCopy`). Returns the new reference.
 */
export function copyRecord(
  source: Database,
  ref: number,
  target: Database,
  bytes: Uint8Array,
  offset: number,
  length: number,
  made: LargeValue | null = null,
): number {
  const type = source.typeOf(ref);
  const encoding = source.encodingOf(ref);
  const expiresAtMs = source.expiryOf(ref);
  if (isSlotEncoding(encoding)) {
    const twin = made ?? source.largeValue(ref).clone();
    // One that was made before may have fields that are over and gone by now at the source.
    const firstMs = twin instanceof LargeHash ? twin.firstExpiryMs : Infinity;
    if (firstMs !== Infinity) target.reserveFieldTime();
    const fresh = target.addLarge(bytes, offset, length, type, encoding, twin, expiresAtMs);
    if (firstMs !== Infinity) target.setFieldTime(fresh, firstMs, true);
    return fresh;
  }
  const firstMs = type === TYPE_HASH ? firstFieldExpiry(source, ref) : Infinity;
  if (firstMs !== Infinity) target.reserveFieldTime();
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
