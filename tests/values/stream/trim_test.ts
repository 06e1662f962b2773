/** What a trim removes, beside the definition that goes through the nodes from the first one on. */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../../src/base/bytes.ts";
import { Stream, StreamCursor, type Trim } from "../../../src/values/stream/stream.ts";
import { StreamId } from "../../../src/values/stream/stream_id.ts";
import { Random } from "../../support/random.ts";

const WORDS = { bytes: latin1("fv"), starts: Int32Array.of(0, 1), lengths: Int32Array.of(1, 1) };
const LIMITS = { streamNodeMaxBytes: 0, streamNodeMaxEntries: 4 };
const idOf = (n: number) => new StreamId(0, n, 0, 0);

function drawn(random: Random): Stream {
  const stream = new Stream();
  const count = random.pick([0, 1, 3, 4, 5, 40, 200]);
  for (let i = 1; i <= count; i++) stream.append(idOf(2 * i), WORDS, 0, 1, LIMITS);
  for (let i = random.below(count + 1); i > 0; i--) {
    stream.delete(idOf(2 * random.between(1, count)));
  }
  return stream;
}

function idsOf(stream: Stream): number[] {
  const cursor = new StreamCursor(stream);
  const ids: number[] = [];
  for (let on = cursor.seekFirst(idOf(0)); on; on = cursor.nextEntry()) ids.push(cursor.id.msLow);
  return ids;
}

/** The ids that stay, by nodes: whole ones as long as those may go, then entries of the next. */
function expectedIds(stream: Stream, { maxLength, minId, isApproximate, limit }: Trim): number[] {
  const left = idsOf(stream);
  const goes = (id: number, length: number) =>
    maxLength === null ? id < minId.msLow : length > maxLength;
  for (let i = 0, removed = 0; i < stream.nodeCount; i++) {
    const { live } = stream.node(i);
    if (maxLength !== null && left.length <= maxLength) break;
    if (limit > 0 && removed + live > limit) break;
    const ids = left.slice(0, live);
    const isWhole = maxLength !== null
      ? left.length - live >= maxLength
      : lastOf(stream, i) < minId.msLow;
    if (isWhole) {
      left.splice(0, live);
      removed += live;
      continue;
    }
    if (!isApproximate) { for (const id of ids) if (goes(id, left.length)) left.shift(); }
    break;
  }
  return left;
}

/** Id of the last entry of a node, deleted or not. */
function lastOf(stream: Stream, index: number): number {
  const cursor = new StreamCursor(stream);
  cursor.open(stream.node(index));
  cursor.last();
  return cursor.id.msLow;
}

for (let seed = 1; seed <= 4; seed++) {
  Deno.test(`Stream.trim removes what its definition says (seed ${seed})`, () => {
    const random = new Random(seed);
    for (let round = 0; round < 2000; round++) {
      const stream = drawn(random);
      const isApproximate = random.chance(0.5);
      const trim: Trim = {
        maxLength: random.chance(0.5) ? random.below(stream.length + 4) : null,
        minId: idOf(random.below(420)),
        isApproximate,
        limit: isApproximate && random.chance(0.3) ? random.between(1, 30) : 0,
      };
      const before = idsOf(stream);
      const expected = expectedIds(stream, trim);
      const copy = random.chance(0.3) ? stream.clone() : null;
      const shown = JSON.stringify({ ...trim, minId: trim.minId.msLow, before });
      assertEquals(stream.trim(trim), before.length - expected.length, shown);
      assertEquals(idsOf(stream), expected, shown);
      assertEquals(
        [stream.length, stream.firstId.msLow],
        [expected.length, expected[0] ?? 0],
        shown,
      );
      let bytes = 0;
      for (let i = 0; i < stream.nodeCount; i++) bytes += stream.node(i).memoryBytes;
      const gaps = stream.memoryBytes - 600 - bytes;
      assert(gaps >= 0 && gaps <= 16 * 1024, shown);
      if (copy !== null) assertEquals(idsOf(copy), before, shown);
    }
  });
}
