/** PFCOUNT: the estimate. */

import { EVENT_NONE } from "../../base/event_classes.ts";
import type { Call } from "../../dispatch/call.ts";
import { EXPIRE_HIDES } from "../../keyspace/expire_mode.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd, noted } from "../../dispatch/key_specs.ts";
import {
  estimateOf,
  estimateOfRegisters,
  HLL_REGISTERS,
  keepEstimate,
  keptEstimate,
  mergeInto,
} from "../../values/hyperloglog.ts";
import { CORRUPTED, locateHyperLogLog } from "./open.ts";

/**
 * `PFCOUNT key [key ...]`: the estimated number of different elements in all of them. That of a single
 * key is kept in its value until an element is added, which is a change that replicas are told of. A
 * replica keeps none of its own: its data are its master's. See "PFCOUNT on a replica" in NOTES.
 *
 * @see {@link https://redis.io/docs/latest/commands/pfcount/}
 */
export const pfcount = defineCommand({
  name: "pfcount",
  group: "hyperloglog",
  since: "2.8.9",
  summary: "Estimates how many different elements were added to HyperLogLogs",
  complexity: "O(1) for one key; O(N) for N keys, with a high constant",
  arity: -2,
  flags: ["readonly", "may_replicate"],
  keys: [noted("The kept estimate may change, of which replicas are told", keysToEnd("RW access"))],
  quickWords: 2,
  args: "key...",
  run: runPfcount,
});

function runPfcount(call: Call): void {
  if (call.words.count > 2) return replyUnion(call);
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const ref = database.lookupRead(bytes, starts[1], lengths[1]);
  if (ref === 0) return reply.integer(0);
  const hll = locateHyperLogLog(database, ref);
  const offset = database.stringOffset;
  const kept = keptEstimate(hll, offset);
  if (typeof kept === "number") return reply.integer(kept);
  if (kept !== null) return reply.bigInteger(kept);

  const estimate = estimateOf(hll, offset, database.stringLength);
  if (estimate === null) return reply.error(CORRUPTED);
  if (database.keyspace.expireMode !== EXPIRE_HIDES) {
    database.beforeWrite(ref);
    keepEstimate(hll, offset, estimate);
    database.changed(bytes, starts[1], lengths[1], EVENT_NONE, "");
  }
  reply.bigInteger(estimate);
}

function replyUnion({ database, words, reply }: Call): void {
  registers.fill(0);
  for (let i = 1; i < words.count; i++) {
    const ref = database.lookupRead(words.bytes, words.starts[i], words.lengths[i]);
    if (ref === 0) continue;
    const hll = locateHyperLogLog(database, ref);
    if (!mergeInto(registers, hll, database.stringOffset, database.stringLength)) {
      return reply.error(CORRUPTED);
    }
  }
  reply.bigInteger(estimateOfRegisters(registers));
}

/** The union of several keys. */
const registers = new Uint8Array(HLL_REGISTERS);
