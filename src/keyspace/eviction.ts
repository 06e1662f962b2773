/** Eviction. */
import type { Keyspace } from "./keyspace.ts";
export class Evictor {
  policy = "noeviction";
  samples = 5;
  maxBytes = 0;
  usedBytes: () => number = () => 0;
  constructor(readonly keyspace: Keyspace) {}
  freeMemory(): boolean {
    return true;
  }
}
