/** PFADD and PFMERGE: what raises the registers of a HyperLogLog. */

import { EVENT_STRING } from "../../base/event_classes.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd, oneKey } from "../../dispatch/key_specs.ts";
import {
  denseRegister,
  dropEstimate,
  elementRegister,
  elementValue,
  hashElement,
  HLL_DENSE,
  HLL_REGISTERS,
  hllEncoding,
  mergeInto,
  RAISE_CORRUPT,
  RAISE_DONE,
  setDenseRegister,
} from "../../values/hyperloglog.ts";
import { CORRUPTED, edit, editor, locateHyperLogLog, putEdited } from "./open.ts";

/**
 * `PFADD key [element ...]`: 1 when the estimate may have changed or the key was made, otherwise 0.
 *
 * Errors: not a HyperLogLog; a corrupted one, which then stays as it is.
 *
 * @see {@link https://redis.io/docs/latest/commands/pfadd/}
 */
export const pfadd = defineCommand({
  name: "pfadd",
  group: "hyperloglog",
  since: "2.8.9",
  summary: "Adds elements to a HyperLogLog, which is made if missing",
  complexity: "O(1) per element",
  arity: -2,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW insert")],
  args: "key [element...]",
  run: runPfadd,
});

function runPfadd(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  let raised: number;
  if (ref === 0) raised = 1 + addToCopy(call, 0);
  else {
    const hll = locateHyperLogLog(database, ref);
    const isDense = hllEncoding(hll, database.stringOffset) === HLL_DENSE;
    raised = isDense ? addToDense(call, ref) : addToCopy(call, ref);
  }
  if (raised < 0) return reply.error(CORRUPTED);
  if (raised > 0) {
    database.changed(bytes, starts[1], lengths[1], EVENT_STRING, "pfadd", raised);
  }
  reply.integer(raised > 0 ? 1 : 0);
}

/** Adds the elements to a dense one in place; how many registers were raised. */
function addToDense({ database, words }: Call, ref: number): number {
  const { bytes, starts, lengths } = words;
  const hll = database.locateString(ref);
  const offset = database.stringOffset;
  let raised = 0;
  for (let i = 2; i < words.count; i++) {
    hashElement(bytes, starts[i], lengths[i]);
    if (denseRegister(hll, offset, elementRegister) >= elementValue) continue;
    if (raised++ === 0) database.beforeWrite(ref);
    setDenseRegister(hll, offset, elementRegister, elementValue);
  }
  if (raised > 0) dropEstimate(hll, offset);
  return raised;
}

/** The same by way of a copy, for a sparse one or none; below 0 when its runs are wrong. */
function addToCopy(call: Call, ref: number): number {
  const { database, words } = call;
  const { bytes, starts, lengths } = words;
  const { hllSparseBytesMax } = database.keyspace.limits;
  edit(database, ref);
  let raised = 0;
  for (let i = 2; i < words.count; i++) {
    hashElement(bytes, starts[i], lengths[i]);
    const outcome = editor.raise(elementRegister, elementValue, hllSparseBytesMax);
    if (outcome === RAISE_CORRUPT) return RAISE_CORRUPT;
    if (outcome === RAISE_DONE) raised++;
  }
  if (ref === 0) dropEstimate(editor.bytes, 0);
  if (ref === 0 || raised > 0) putEdited(call, 1, ref);
  return raised;
}

/**
 * `PFMERGE destkey [sourcekey ...]`: the destination becomes the union of all, itself included; keys
 * that are missing are empty. It is dense as soon as one of them is.
 *
 * @see {@link https://redis.io/docs/latest/commands/pfmerge/}
 */
export const pfmerge = defineCommand({
  name: "pfmerge",
  group: "hyperloglog",
  since: "2.8.9",
  summary: "Joins HyperLogLogs into one",
  complexity: "O(N), N being the number of keys, with a high constant",
  arity: -2,
  flags: ["write", "denyoom"],
  keys: [oneKey("RW access insert"), keysToEnd("RO access", 2)],
  args: "destkey:key sourcekey:key#1...",
  run: runPfmerge,
});

function runPfmerge(call: Call): void {
  const { database, words, reply } = call;
  const { bytes, starts, lengths } = words;
  registers.fill(0);
  let isDense = false;
  for (let i = 1; i < words.count; i++) {
    const source = database.lookupRead(bytes, starts[i], lengths[i]);
    if (source === 0) continue;
    const hll = locateHyperLogLog(database, source);
    if (hllEncoding(hll, database.stringOffset) === HLL_DENSE) isDense = true;
    if (!mergeInto(registers, hll, database.stringOffset, database.stringLength)) {
      return reply.error(CORRUPTED);
    }
  }
  const ref = database.lookupWrite(bytes, starts[1], lengths[1]);
  edit(database, ref);
  if (isDense) editor.makeDense();
  const { hllSparseBytesMax } = database.keyspace.limits;
  for (let i = 0; i < HLL_REGISTERS; i++) {
    if (registers[i] !== 0) editor.raise(i, registers[i], hllSparseBytesMax);
  }
  dropEstimate(editor.bytes, 0);
  putEdited(call, 1, ref);
  database.changed(bytes, starts[1], lengths[1], EVENT_STRING, "pfadd");
  reply.ok();
}

/** The union that PFMERGE makes. */
const registers = new Uint8Array(HLL_REGISTERS);
