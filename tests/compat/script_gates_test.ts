/**
 * What scripts and functions may do where a server refuses commands (too few replicas, no memory, a failed
 * save, a replica, a stale one), beside redis-server: with each kind of flags, in EVAL and EVAL_RO, FCALL and
 * FCALL_RO, alone and in a transaction.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { render } from "./reply.ts";
import { Connection, realServer, testedServer } from "./support.ts";

const WRITES = "return redis.call('set', 'k', 'v')";
const READS = "return redis.call('get', 'k')";

const SCRIPTS = [
  WRITES,
  READS,
  "return redis.pcall('set', 'k', 'v')",
  "return {redis.pcall('get', 'k'), redis.pcall('set', 'k', 'v'), redis.pcall('set', 'k', 'w')}",
  "redis.call('del', 'k') return redis.call('set', 'k', 'v')",
  "return redis.call('publish', 'c', 'm')",
  "return redis.pcall('pfcount', 'hll')",
  "return 1",
  ...["", " flags=no-writes", " flags=allow-oom", " flags=allow-stale"].flatMap((flags) =>
    [WRITES, READS].map((body) => `#!lua${flags}\n${body}`)
  ),
  `#!lua flags=allow-stale,no-writes\n${READS}`,
  "#!lua flags=allow-stale,no-writes\nreturn redis.call('echo', 'x')",
];

const FUNCTIONS = [
  ["write", WRITES, ""],
  ["read", READS, ""],
  ["only_read", READS, "'no-writes'"],
  ["write_read_only", WRITES, "'no-writes'"],
  ["write_oom", WRITES, "'allow-oom'"],
  ["write_stale", WRITES, "'allow-stale'"],
  ["read_stale", READS, "'allow-stale', 'no-writes'"],
  ["echo_stale", "return redis.call('echo', 'x')", "'allow-stale', 'no-writes'"],
];
const LIBRARY = "#!lua name=lib\n" +
  FUNCTIONS.map(([name, body, flags]) =>
    `redis.register_function{function_name='${name}', callback=function() ${body} end, flags={${flags}}}\n`
  ).join("");

/** Everything that is asked in one state. */
function calls(): string[][] {
  const alone = [
    ...SCRIPTS.flatMap((script) => [["EVAL", script, "0"], ["EVAL_RO", script, "0"]]),
    ...FUNCTIONS.flatMap(([name]) => [["FCALL", name, "0"], ["FCALL_RO", name, "0"]]),
  ];
  return [
    ...alone,
    // Each refusal dooms a transaction, so each has its own.
    ...alone.flatMap((call) => [["MULTI"], call, ["EXEC"]]),
    ["MULTI"],
    ["EVAL", READS, "0"],
    ["EVAL", WRITES, "0"],
    ["FCALL", "only_read", "0"],
    ["EXEC"],
    ["SCRIPT", "LOAD", "return 5"],
    ["FUNCTION", "LOAD", "REPLACE", LIBRARY],
    ["FUNCTION", "DELETE", "nosuch"],
    ["FUNCTION", "STATS"],
  ];
}

/** What puts a server into each state, a code that it then answers with, and what ends the state. */
const STATES: [name: string, enter: string[][], code: string, leave: string[][]][] = [
  ["none", [], "OK", []],
  ["too few replicas", [["CONFIG", "SET", "min-replicas-to-write", "1"]], "NOREPLICAS", [
    ["CONFIG", "SET", "min-replicas-to-write", "0"],
  ]],
  ["no memory", [["CONFIG", "SET", "maxmemory", "1"]], "OOM", [[
    "CONFIG",
    "SET",
    "maxmemory",
    "0",
  ]]],
  ["a failed save", [["CONFIG", "SET", "save", "3600 1"]], "MISCONF", [[
    "CONFIG",
    "SET",
    "save",
    "",
  ]]],
  ["a replica", [["REPLICAOF", "127.0.0.1", "1"]], "READONLY", []],
  ["a stale replica", [["CONFIG", "SET", "replica-serve-stale-data", "no"]], "MASTERDOWN", []],
  [
    "a stale replica that takes writes",
    [["CONFIG", "SET", "replica-read-only", "no"]],
    "MASTERDOWN",
    [],
  ],
];

Deno.test({
  name: "scripts are refused where, and in the words in which, redis-server refuses them",
  ignore: !hasRedisServer,
  fn: async () => {
    const real = realServer();
    const tested = testedServer();
    await Promise.all([real.start(), tested.start()]);
    const connections = [await Connection.open(real.port), await Connection.open(tested.port)];
    const both = (words: string[][]) => Promise.all(connections.map((c) => c.pipeline(words)));
    const differences: string[] = [];
    try {
      await both([["FUNCTION", "LOAD", LIBRARY]]);
      // A file cannot take the place of a folder: no save succeeds.
      for (const { dir } of [real, tested]) {
        await Deno.mkdir(`${dir}/dump.rdb/x`, { recursive: true });
      }
      await both([["BGSAVE"]]);
      for (const each of connections) {
        await eventually(async () =>
          render(await each.call("INFO", "persistence")).includes("rdb_last_bgsave_status:err")
        );
      }
      for (const [name, enter, code, leave] of STATES) {
        await both(enter);
        const asked = calls();
        const [wanted, got] = await both(asked);
        assert(wanted.some((reply) => render(reply).includes(code)), name);
        asked.forEach((call, i) => {
          const [expected, answer] = [render(wanted[i]), render(got[i])];
          if (expected === answer) return;
          differences.push(
            `${name}: ${call.join(" ")}\n  real:   ${expected}\n  tested: ${answer}`,
          );
        });
        await both(leave);
      }
    } finally {
      for (const each of connections) each.close();
      await Promise.all([real.stop(), tested.stop()]);
    }
    assertEquals(differences.slice(0, 10).join("\n"), "");
  },
});
