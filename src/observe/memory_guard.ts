/**
 * Tells whether there is memory for something large before it is made, so that a request is refused
 * rather than that it ends the process.
 *
 * There are two bounds. The heap of JavaScript objects is limited by the runtime: V8 gives up the
 * process at its limit (about 4 GB, whatever the machine has), Bun has none. Everything else, buffers
 * above all, is limited by what the system can still give, beyond which Linux ends the process.
 *
 * To be asked:
 *   - with `mayAllocate`, before a command takes scratch in proportion to the data (SORT), and while a
 *     reply grows (net/limits.ts);
 *   - with `isHeapFull`, by dispatch through a gate that the timer sets, and dispatch itself every so many
 *     calls: commands that may take memory (`denyoom`) and the queueing of transactions are refused.
 *
 * A buffer that the system refuses at once needs no asking: it is a RangeError, which dispatch answers.
 */

import { NO_MEMORY, ReplyError } from "../resp/reply_error.ts";
import type { HeapUse } from "../runtime/runtime.ts";

/** Who knows the figures: the process. Tests put something else in its place. */
export interface MemorySource {
  heap(): HeapUse;
  availableMemoryBytes(): number;
}

/** Less than this is not asked about: asking costs some 50 microseconds. */
const ASKED_MIN_BYTES = 1 << 20;
/** What is left to the system, and to the rest of the process. */
const SYSTEM_RESERVE_BYTES = 64 << 20;
/** From this share of its limit on, the heap counts as full. */
const HEAP_SHARE_MAX = 0.9;

export class MemoryGuard {
  constructor(public source: MemorySource) {}

  /** The heap of JavaScript objects. */
  get heap(): HeapUse {
    return this.source.heap();
  }

  /** Whether so much of the heap is in use that nothing may be begun that needs more of it. */
  get isHeapFull(): boolean {
    const heap = this.source.heap();
    const { limitBytes } = heap;
    return limitBytes > 0 && heap.usedBytes > limitBytes * HEAP_SHARE_MAX;
  }

  /** Whether buffers of so many bytes together may be made. */
  mayAllocate(bytes: number): boolean {
    return bytes < ASKED_MIN_BYTES ||
      bytes + SYSTEM_RESERVE_BYTES <= this.source.availableMemoryBytes();
  }

  /** @throws ReplyError unless buffers of so many bytes together may be made */
  demand(bytes: number): void {
    if (!this.mayAllocate(bytes)) throw new ReplyError(NO_MEMORY);
  }
}
