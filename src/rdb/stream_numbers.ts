/** Numbers of 64 bits in the snapshot of a stream: ids and counts. */

import { ENTRIES_READ_UNKNOWN } from "../values/stream/consumer_group.ts";
import { type Count, countOf } from "../values/stream/count64.ts";
import { StreamId } from "../values/stream/stream_id.ts";
import type { RdbReader } from "./reader.ts";

/** Reads an id as two lengths. */
export function readStreamId(reader: RdbReader): StreamId {
  const id = new StreamId();
  reader.readPlainLength("the milliseconds of an id");
  const { lengthHigh, lengthLow } = reader;
  reader.readPlainLength("the sequence of an id");
  return id.set(lengthHigh, lengthLow, reader.lengthHigh, reader.lengthLow);
}

/** Reads a count of 64 bits with a sign. */
export function readCount64(reader: RdbReader): Count {
  const near = reader.readPlainLength("a count of entries");
  if (Number.isSafeInteger(near)) return near;
  const bits = (BigInt(reader.lengthHigh) << 32n) | BigInt(reader.lengthLow);
  const count = countOf(BigInt.asIntN(64, bits));
  return count < 0 ? ENTRIES_READ_UNKNOWN : count;
}
