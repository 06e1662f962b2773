/**
 * What a radix tree of a stream's nodes would look like: XINFO shows it, as Redis has one. Here the nodes
 * are an ordered list, which says as much.
 */

import type { Stream } from "../../values/stream/stream.ts";
import { STREAM_ID_BYTES, type StreamId } from "../../values/stream/stream_id.ts";

/**
 * Nodes of a compressed radix tree whose keys are the ids of the stream's nodes, 16 bytes each. It has one
 * for each key, one wherever keys part, and one for each run of bytes in between.
 */
export function radixTreeNodes(stream: Stream): number {
  const count = stream.nodeCount;
  if (count === 0) return 1;
  const shared = sharedBytes(stream);
  let nodes = count;
  for (let i = 0; i < count; i++) {
    const before = i === 0 ? -1 : shared[i - 1];
    const behind = i === count - 1 ? -1 : shared[i];
    if (STREAM_ID_BYTES > Math.max(before, behind) + 1) nodes++;
  }
  // Depths at which keys part, each below the one before it.
  const open: number[] = [];
  const close = (above: number) => {
    const depth = open.pop()!;
    const parent = Math.max(above, open.length === 0 ? -1 : open[open.length - 1]);
    nodes += depth > parent + 1 ? 2 : 1;
  };
  for (const depth of shared) {
    while (open.length > 0 && open[open.length - 1] > depth) close(depth);
    if (open.length === 0 || open[open.length - 1] < depth) open.push(depth);
  }
  while (open.length > 0) close(-1);
  return nodes;
}

/** Of each id but the last, how many leading bytes it has in common with the next. */
function sharedBytes(stream: Stream): Uint8Array {
  const count = stream.nodeCount;
  const shared = new Uint8Array(count - 1);
  let id = stream.node(0).id;
  for (let i = 1; i < count; i++) {
    const next = stream.node(i).id;
    shared[i - 1] = sharedBytesOf(id, next);
    id = next;
  }
  return shared;
}

/** How many leading bytes two ids, which differ, have in common. */
function sharedBytesOf(a: StreamId, b: StreamId): number {
  if (a.msHigh !== b.msHigh) return leadingZeroBytes(a.msHigh ^ b.msHigh);
  if (a.msLow !== b.msLow) return 4 + leadingZeroBytes(a.msLow ^ b.msLow);
  if (a.seqHigh !== b.seqHigh) return 8 + leadingZeroBytes(a.seqHigh ^ b.seqHigh);
  return 12 + leadingZeroBytes(a.seqLow ^ b.seqLow);
}

function leadingZeroBytes(bits: number): number {
  return Math.clz32(bits) >>> 3;
}
