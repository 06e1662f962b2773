/**
 * The version that a DUMP payload names in its footer, put down to the first one that can express what is in it: a
 * server writes its own there, whatever the value, and older ones refuse it by that alone. On the path of RESTORE and
 * FUNCTION RESTORE, before their words enter the stream of writes: a replica that cannot read a payload which its master
 * has taken lacks a key from then on. Only the footer changes and no length, so that offsets stay what they are. See
 * "Payloads in the stream" in NOTES.
 *
 *     <type byte> <value> <version, int16le> <crc64le>
 *
 * The sum is linear: two payloads that differ in the version alone have sums that differ by the sum of that
 * difference, so the value need not be gone through. For the same reason a sum that was wrong stays wrong.
 */

import { Crc64 } from "./crc64.ts";
import {
  DUMP_FOOTER_BYTES,
  isReadVersion,
  isValkeyVersion,
  OPCODE_FUNCTION_2,
  RDB_VERSION_LISTPACKS,
  RDB_VERSION_MAX,
  TYPE_HASH_LISTPACK_EX,
  TYPE_STREAM_LISTPACKS_3,
  versionOfType,
} from "./format.ts";

const crc = new Crc64();
const difference = new Uint8Array(2);

/** The version that a payload names. */
export function payloadVersion(bytes: Uint8Array, offset: number, length: number): number {
  const footer = offset + length - DUMP_FOOTER_BYTES;
  return bytes[footer] | (bytes[footer + 1] << 8);
}

/**
 * Puts the version of the payload at `offset` down as far as its content allows, in place. Answers the version that it
 * then has; 0 for what is no payload. One of a version that is not known stays as it is.
 */
export function lowerVersion(bytes: Uint8Array, offset: number, length: number): number {
  if (length <= DUMP_FOOTER_BYTES) return 0;
  const footer = offset + length - DUMP_FOOTER_BYTES;
  const version = payloadVersion(bytes, offset, length);
  const first = firstVersion(version, bytes[offset]);
  if (first >= version) return version;
  const hasNoSum = isSumLeftOut(version) && isZero(bytes, footer + 2);
  difference[0] = bytes[footer] ^ first;
  difference[1] = bytes[footer + 1];
  bytes[footer] = first;
  bytes[footer + 1] = 0;
  crc.reset();
  if (hasNoSum) {
    crc.update(bytes, offset, length - 8);
    crc.writeTo(bytes, footer + 2);
    return first;
  }
  crc.update(difference, 0, 2);
  for (let i = 0; i < 4; i++) {
    bytes[footer + 2 + i] ^= crc.low >>> (8 * i);
    bytes[footer + 6 + i] ^= crc.high >>> (8 * i);
  }
  return first;
}

/** The first version in which a payload that begins with this byte would mean the same as in this one. */
function firstVersion(version: number, type: number): number {
  if (!isReadVersion(version)) return version;
  if (type === OPCODE_FUNCTION_2) return RDB_VERSION_LISTPACKS;
  // Behind these the numbers of Valkey's types are others; those of Redis that are not written here are of versions
  // whose payloads no other server reads either.
  const last = isValkeyVersion(version) ? TYPE_STREAM_LISTPACKS_3 : TYPE_HASH_LISTPACK_EX;
  return type > last ? version : versionOfType(type);
}

/** Whether a payload of this version may have 0 in place of a sum: masters of Redis 8.10 send such. */
export function isSumLeftOut(version: number): boolean {
  return version > RDB_VERSION_MAX && !isValkeyVersion(version);
}

function isZero(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 8; i++) if (bytes[i] !== 0) return false;
  return true;
}
