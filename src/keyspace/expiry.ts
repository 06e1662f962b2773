/** Active expiry. */
import type { Keyspace } from "./keyspace.ts";
export function expireSlice(_keyspace: Keyspace, _budgetMs: number, _now: () => number): boolean {
  return false;
}
