/** PFDEBUG and PFSELFTEST: a look inside, for developers and test suites. */

import type { Call } from "../../dispatch/call.ts";
import { shownText } from "../../dispatch/command_errors.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { oneKey } from "../../dispatch/key_specs.ts";
import {
  denseRegister,
  describeRuns,
  elementRegister,
  elementValue,
  EMPTY_HLL,
  estimateOf,
  hashElement,
  HLL_DENSE,
  HLL_DENSE_BYTES,
  HLL_REGISTERS,
  HLL_SPARSE,
  HllEditor,
  hllEncoding,
  setDenseRegister,
} from "../../values/hyperloglog.ts";
import { EVENT_NONE } from "../../base/event_classes.ts";
import { latin1 } from "../../base/bytes.ts";
import { CORRUPTED, edit, editor, locateHyperLogLog, putEdited } from "./open.ts";

/**
 * `PFDEBUG <GETREG | DECODE | ENCODING | TODENSE> key`: all registers, the runs of the sparse form, the
 * form's name, or 1 when the form was sparse and now is dense. GETREG turns it dense, too.
 *
 * @see {@link https://redis.io/docs/latest/commands/pfdebug/}
 */
export const pfdebug = defineCommand({
  name: "pfdebug",
  group: "hyperloglog",
  since: "2.8.9",
  summary: "Shows how a HyperLogLog is kept",
  complexity: "N/A",
  arity: 3,
  flags: ["write", "denyoom", "admin"],
  keys: [oneKey("RW access", 2)],
  args: "subcommand:string key",
  internal: true,
  run: runPfdebug,
});

function runPfdebug(call: Call): void {
  const { database, words, reply } = call;
  const ref = database.lookupWrite(words.bytes, words.starts[2], words.lengths[2]);
  if (ref === 0) return reply.error("ERR The specified key does not exist");
  const hll = locateHyperLogLog(database, ref);
  const offset = database.stringOffset;
  const encoding = hllEncoding(hll, offset);
  if (words.is(1, "getreg")) {
    if (encoding === HLL_SPARSE && !turnDense(call, ref)) return reply.error(CORRUPTED);
    replyRegisters(call);
  } else if (words.is(1, "decode")) {
    if (encoding !== HLL_SPARSE) return reply.error("ERR HLL encoding is not sparse");
    reply.bulk(latin1(describeRuns(hll, offset, database.stringLength)));
  } else if (words.is(1, "encoding")) {
    reply.status(encoding === HLL_DENSE ? "dense" : "sparse");
  } else if (words.is(1, "todense")) {
    if (encoding === HLL_DENSE) reply.integer(0);
    else if (turnDense(call, ref)) reply.integer(1);
    else reply.error(CORRUPTED);
  } else reply.error(`ERR Unknown PFDEBUG subcommand '${shownText(words, 1, 128)}'`);
}

/** Makes the sparse form dense; false when its runs are wrong. */
function turnDense(call: Call, ref: number): boolean {
  const { database, words } = call;
  edit(database, ref);
  if (!editor.makeDense()) return false;
  putEdited(call, 2, ref);
  database.changed(words.bytes, words.starts[2], words.lengths[2], EVENT_NONE, "");
  return true;
}

function replyRegisters({ database, words, reply }: Call): void {
  const ref = database.findOrExpire(words.bytes, words.starts[2], words.lengths[2]);
  const hll = database.locateString(ref);
  const offset = database.stringOffset;
  reply.array(HLL_REGISTERS);
  for (let i = 0; i < HLL_REGISTERS; i++) reply.integer(denseRegister(hll, offset, i));
}

/**
 * `PFSELFTEST`: OK when registers keep what they are given, both forms agree, and the estimates are as
 * near as they ought to be. A hundred thousand elements, so that nobody waits long.
 *
 * @see {@link https://redis.io/docs/latest/commands/pfselftest/}
 */
export const pfselftest = defineCommand({
  name: "pfselftest",
  group: "hyperloglog",
  since: "2.8.9",
  summary: "Tests the HyperLogLogs of this server",
  complexity: "N/A",
  arity: 1,
  flags: ["admin"],
  internal: true,
  run: runPfselftest,
});

const REGISTER_ROUNDS = 8;
const ELEMENTS = 100_000;
/** Standard error of an estimate. */
const STANDARD_ERROR = 1.04 / Math.sqrt(HLL_REGISTERS);

function runPfselftest({ server, reply }: Call): void {
  const { draw } = server.keyspace;
  const fault = registerFault(draw) ??
    estimateFault(draw, server.keyspace.limits.hllSparseBytesMax);
  if (fault === null) reply.ok();
  else reply.error(`TESTFAILED ${fault}`);
}

/** What is wrong with setting registers, if anything. */
function registerFault(draw: () => number): string | null {
  const dense = new Uint8Array(HLL_DENSE_BYTES);
  const expected = new Uint8Array(HLL_REGISTERS);
  for (let round = 0; round < REGISTER_ROUNDS; round++) {
    for (let i = 0; i < HLL_REGISTERS; i++) {
      expected[i] = Math.floor(draw() * 64);
      setDenseRegister(dense, 0, i, expected[i]);
    }
    for (let i = 0; i < HLL_REGISTERS; i++) {
      const found = denseRegister(dense, 0, i);
      if (found !== expected[i]) return `Register ${i} should be ${expected[i]} but is ${found}`;
    }
  }
  return null;
}

/** What is wrong with the estimates of random elements, if anything. */
function estimateFault(draw: () => number, sparseBytesMax: number): string | null {
  const dense = new HllEditor();
  dense.open(EMPTY_HLL, 0, EMPTY_HLL.length);
  dense.makeDense();
  const grown = new HllEditor();
  grown.open(EMPTY_HLL, 0, EMPTY_HLL.length);
  const element = new Float64Array(1);
  const bytes = new Uint8Array(element.buffer);
  const seed = Math.floor(draw() * 2 ** 50);
  let checked = 1;
  for (let i = 1; i <= ELEMENTS; i++) {
    element[0] = seed + i;
    hashElement(bytes, 0, 8);
    dense.raise(elementRegister, elementValue, sparseBytesMax);
    grown.raise(elementRegister, elementValue, sparseBytesMax);
    if (i !== checked) continue;
    checked *= 10;
    const fault = checkpointFault(dense, grown, i, sparseBytesMax);
    if (fault !== null) return fault;
  }
  return null;
}

function checkpointFault(
  dense: HllEditor,
  grown: HllEditor,
  count: number,
  sparseBytesMax: number,
): string | null {
  if (count < sparseBytesMax / 2 && hllEncoding(grown.bytes, 0) !== HLL_SPARSE) {
    return "sparse encoding not used";
  }
  const estimate = Number(estimateOf(dense.bytes, 0, dense.length));
  if (estimate !== Number(estimateOf(grown.bytes, 0, grown.length))) {
    return "dense/sparse disagree";
  }
  // Ten elements meet in one register too rarely to allow for more than one such meeting.
  const allowed = count === 10 ? 1 : Math.ceil(STANDARD_ERROR * 6 * count);
  const error = Math.abs(count - estimate);
  return error > allowed ? `Too big error. card:${count} abserr:${error}` : null;
}
