/** MEMORY: what takes how much. The figures come from src/observe/memory_use.ts. */

import { blocks } from "../../base/blocks.ts";
import type { Call } from "../../dispatch/call.ts";
import { formatBytes } from "../../observe/bytes_for_people.ts";
import { measureMemory } from "./memory_use.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import type { ReplyWriter } from "../../resp/reply_writer.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { writeHelp } from "../help.ts";
import { oneKey } from "../../dispatch/key_specs.ts";

const TIPS = ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

/**
 * `MEMORY USAGE key [SAMPLES count]`: bytes of the record and its value, with the key's share of the
 * table. Sizes of large values are kept at hand, so nothing is sampled; SAMPLES is accepted.
 *
 * @see {@link https://redis.io/docs/latest/commands/memory-usage/}
 */
export const memoryUsage = defineCommand({
  name: "memory|usage",
  group: "server",
  since: "4.0.0",
  summary: "Estimates the bytes that a key with its value takes",
  complexity: "O(1)",
  arity: -3,
  flags: ["readonly"],
  keys: [oneKey("RO", 2)],
  args: "key [SAMPLES count:integer]",
  run: runMemoryUsage,
});

function runMemoryUsage(call: Call): void {
  const { database, words, reply } = call;
  for (let i = 3; i < words.count; i += 2) {
    if (!words.is(i, "samples") || i + 1 === words.count) throw new ReplyError(SYNTAX_ERROR);
    if (call.clampedInteger(i + 1) < 0) throw new ReplyError(SYNTAX_ERROR);
  }
  const ref = database.records.get(words.bytes, words.starts[2], words.lengths[2]);
  if (ref === 0) return reply.null();
  reply.integer(database.bytesOfKey(ref));
}

/**
 * `MEMORY STATS`: figures by name.
 *
 * @see {@link https://redis.io/docs/latest/commands/memory-stats/}
 */
export const memoryStats = defineCommand({
  name: "memory|stats",
  group: "server",
  since: "4.0.0",
  summary: "Shows what the memory is used for, in figures",
  complexity: "O(N), N databases and clients",
  arity: 2,
  tips: TIPS,
  run: runMemoryStats,
});

function runMemoryStats({ server, reply }: Call): void {
  const { keyspace } = server;
  const use = measureMemory(server);
  const keys = keyspace.keyCount;
  const databases = keyspace.databases.filter(({ count }) => count > 0);
  const fields: [name: string, write: (reply: ReplyWriter) => void][] = [];
  const integer = (name: string, n: number) => fields.push([name, (to) => to.integer(n)]);
  const double = (name: string, n: number) => fields.push([name, (to) => to.double(n)]);

  integer("peak.allocated", use.peak);
  integer("total.allocated", use.used);
  integer("startup.allocated", use.startup);
  integer("replication.backlog", use.backlog);
  integer("clients.slaves", use.replicas);
  integer("clients.normal", use.clients);
  integer("cluster.links", 0);
  integer("aof.buffer", server.aof.writer.heldBytes);
  integer("lua.caches", server.scripts.cache.memoryBytes);
  integer("functions.caches", keyspace.libraries.memoryBytes);
  for (const database of databases) {
    fields.push([`db.${database.index}`, (to) => {
      to.map(3);
      to.bulkText("overhead.hashtable.main");
      to.integer(database.tableBytes);
      to.bulkText("overhead.hashtable.expires");
      to.integer(database.expiryIndexBytes);
      to.bulkText("overhead.hashtable.slot-to-keys");
      to.integer(0);
    }]);
  }
  integer("overhead.total", use.overhead);
  integer("keys.count", keys);
  integer("keys.bytes-per-key", keys === 0 ? 0 : Math.floor((use.used - use.startup) / keys));
  integer("dataset.bytes", use.dataset);
  double("dataset.percentage", percent(use.dataset, use.used - use.startup));
  double("peak.percentage", percent(use.used, use.peak));
  integer("allocator.allocated", use.used);
  integer("allocator.active", use.reserved);
  integer("allocator.resident", use.reserved);
  double("allocator-fragmentation.ratio", use.reserved / use.used);
  integer("allocator-fragmentation.bytes", use.reserved - use.used);
  double("allocator-rss.ratio", 1);
  integer("allocator-rss.bytes", 0);
  double("rss-overhead.ratio", use.resident / use.reserved);
  integer("rss-overhead.bytes", use.resident - use.reserved);
  double("fragmentation", use.resident / use.used);
  integer("fragmentation.bytes", use.resident - use.used);

  reply.map(fields.length);
  for (const [name, write] of fields) {
    reply.bulkText(name);
    write(reply);
  }
}

function percent(part: number, whole: number): number {
  return whole > 0 ? part * 100 / whole : 0;
}

/**
 * `MEMORY DOCTOR`: what the figures say, in words.
 *
 * @see {@link https://redis.io/docs/latest/commands/memory-doctor/}
 */
export const memoryDoctor = defineCommand({
  name: "memory|doctor",
  group: "server",
  since: "4.0.0",
  summary: "Says in words whether something is wrong with the memory",
  complexity: "O(1)",
  arity: 2,
  tips: TIPS,
  run: runMemoryDoctor,
});

/** Below this much data nothing can be said. */
const LITTLE_DATA_BYTES = 5 * 1024 * 1024;

const MANY_SCRIPTS = 1000;

function runMemoryDoctor({ server, reply }: Call): void {
  const use = measureMemory(server);
  const data = use.used - use.startup;
  if (data < LITTLE_DATA_BYTES) {
    return reply.verbatim("There is too little data here to say anything about its memory.\n");
  }
  const findings: string[] = [];
  if (use.peak > use.used * 1.5) {
    findings.push(
      `At its peak the memory in use was ${formatBytes(use.peak)}, now it is ` +
        `${
          formatBytes(use.used)
        }. The difference goes back to the system as segments become empty.`,
    );
  }
  if (use.reserved > use.used * 1.4) {
    findings.push(
      `${formatBytes(use.reserved)} are held for ${
        formatBytes(use.used)
      } in use. The gaps are closed ` +
        "in the background while the server has time.",
    );
  }
  const clients = server.clients.count;
  if (clients > 0 && use.clients / clients > 200 * 1024) {
    findings.push(
      `Clients take ${
        formatBytes(use.clients / clients)
      } each on average: see CLIENT LIST for large ` +
        "queries or replies that are not read.",
    );
  }
  if (server.scripts.cache.count > MANY_SCRIPTS) {
    findings.push(
      `There are more than ${MANY_SCRIPTS} scripts of SCRIPT LOAD. Scripts that are made for one call each fill ` +
        "the memory: let them take what differs as KEYS and ARGV. SCRIPT FLUSH forgets them all.",
    );
  }
  reply.verbatim(
    findings.length === 0
      ? "Nothing is wrong with the memory.\n"
      : findings.map((each) => `* ${each}\n`).join(""),
  );
}

/**
 * `MEMORY MALLOC-STATS`: the arenas of the databases.
 *
 * @see {@link https://redis.io/docs/latest/commands/memory-malloc-stats/}
 */
export const memoryMallocStats = defineCommand({
  name: "memory|malloc-stats",
  group: "server",
  since: "4.0.0",
  summary: "Shows how full the memory held for each database is",
  complexity: "O(N), N databases",
  arity: 2,
  tips: TIPS,
  run: runMemoryMallocStats,
});

function runMemoryMallocStats({ server, reply }: Call): void {
  let text = "";
  for (const database of server.keyspace.databases) {
    const { index, count, memoryBytes, reservedBytes } = database;
    if (count === 0) continue;
    text += `db${index}: keys=${count} used=${memoryBytes} held=${reservedBytes} ` +
      `records=${database.recordBytes} segments=${database.segmentBytes}\n`;
  }
  reply.verbatim(text === "" ? "No database has keys.\n" : text);
}

/**
 * `MEMORY PURGE`: empties sparse segments now, as far as that goes in a short time, and collects garbage.
 *
 * @see {@link https://redis.io/docs/latest/commands/memory-purge/}
 */
export const memoryPurge = defineCommand({
  name: "memory|purge",
  group: "server",
  since: "4.0.0",
  summary: "Gives memory that is not needed back to the system",
  complexity: "O(N), N keys in sparse segments",
  arity: 2,
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  run: runMemoryPurge,
});

const PURGE_MS = 50;

function runMemoryPurge({ server, reply }: Call): void {
  const until = server.clock.monotonic() + PURGE_MS;
  const hasTime = () => server.clock.monotonic() <= until;
  while (server.keyspace.discardSome(1024) && hasTime());
  while (server.keyspace.defragmenter.step(true, true) && hasTime());
  server.runtime.process.collectGarbage(true);
  blocks.settle(true);
  reply.ok();
}

/** `MEMORY HELP`. */
export const memoryHelp = defineCommand({
  name: "memory|help",
  group: "server",
  since: "4.0.0",
  summary: "Lists the subcommands of MEMORY",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      ["DOCTOR", "Say in words whether something is wrong with the memory."],
      ["MALLOC-STATS", "Show how full the memory held for each database is."],
      ["PURGE", "Give memory that is not needed back to the system."],
      ["STATS", "Show what the memory is used for."],
      [
        "USAGE <key> [SAMPLES <count>]",
        "Estimate the bytes that a key with its value takes. Nothing is sampled, as the",
        "sizes of large values are known: SAMPLES changes nothing.",
      ],
    ]),
});

/** The container of the above. */
export const memory = defineCommand({
  name: "memory",
  group: "server",
  since: "4.0.0",
  summary: "Groups the commands about memory",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [memoryDoctor, memoryHelp, memoryMallocStats, memoryPurge, memoryStats, memoryUsage],
});
