/** INFO against the fields that a real server has (tests/fixtures/facts/info.json). */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { wholeServer } from "../../support/whole_server.ts";

const facts = JSON.parse(
  await Deno.readTextFile(new URL("../../fixtures/facts/info.json", import.meta.url)),
);

const C_PROGRAM = "tells how a C program was built";
const NO_DEFRAG =
  "the arena closes its gaps all the time, there is no defragmentation to report on";
const NO_AOF_BUFFER = "shown while the append-only file is on";
const NO_MIGRATE = "there is no MIGRATE to cache sockets for";
const ONE_THREAD = "commands, reads and writes have one thread";
const SHARED_BUFFERS = "reply buffers are shared chunks, which do not shrink or expand";
const NO_FORK = "snapshots are made without a fork";
const NOT_COUNTED = "not counted here";

/** Fields of a real server that INFO leaves out, each with the reason. */
const LEFT_OUT: Record<string, string> = {
  redis_git_sha1: C_PROGRAM,
  redis_git_dirty: C_PROGRAM,
  redis_build_id: C_PROGRAM,
  monotonic_clock: C_PROGRAM,
  multiplexing_api: C_PROGRAM,
  atomicvar_api: C_PROGRAM,
  gcc_version: C_PROGRAM,
  clients_in_timeout_table: "blocked clients have no table of timeouts",
  allocator_rss_ratio: "what the allocator holds is what it has from the system",
  allocator_rss_bytes: "what the allocator holds is what it has from the system",
  active_defrag_running: NO_DEFRAG,
  active_defrag_hits: NO_DEFRAG,
  active_defrag_misses: NO_DEFRAG,
  active_defrag_key_hits: NO_DEFRAG,
  active_defrag_key_misses: NO_DEFRAG,
  total_active_defrag_time: NO_DEFRAG,
  current_active_defrag_time: NO_DEFRAG,
  aof_current_size: NO_AOF_BUFFER,
  aof_base_size: NO_AOF_BUFFER,
  aof_pending_rewrite: NO_AOF_BUFFER,
  aof_buffer_length: NO_AOF_BUFFER,
  aof_pending_bio_fsync: NO_AOF_BUFFER,
  aof_delayed_fsync: NO_AOF_BUFFER,
  migrate_cached_sockets: NO_MIGRATE,
  io_threaded_reads_processed: ONE_THREAD,
  io_threaded_writes_processed: ONE_THREAD,
  reply_buffer_shrinks: SHARED_BUFFERS,
  reply_buffer_expands: SHARED_BUFFERS,
  latest_fork_usec: NO_FORK,
  total_forks: NO_FORK,
  expired_stale_perc: NOT_COUNTED,
  expired_time_cap_reached_count: NOT_COUNTED,
  total_eviction_exceeded_time: NOT_COUNTED,
  current_eviction_exceeded_time: NOT_COUNTED,
  dump_payload_sanitizations: NOT_COUNTED,
  used_cpu_sys_main_thread: "the runtime tells the time of the process, not of its threads",
  used_cpu_user_main_thread: "the runtime tells the time of the process, not of its threads",
};

/** The lines of INFO's reply that are fields. A line with anything else but a title would not be one. */
function fieldsOf(reply: unknown): [name: string, value: string][] {
  const lines = String(reply).split("\r\n").filter((line) => line !== "" && !line.startsWith("# "));
  return lines.map((line) => {
    const field = /^([\w|-]+):(.*)$/.exec(line);
    assert(field !== null, line);
    return [field[1], field[2]];
  });
}

/** Sections whose lines depend on what has happened. */
const DYNAMIC = ["Modules", "Commandstats", "Errorstats", "Latencystats", "Keyspace"];

for (const [section, fields] of Object.entries<object>(facts.master_with_replica)) {
  if (DYNAMIC.includes(section)) continue;
  Deno.test(`INFO ${section} has the real server's fields but for those listed`, () => {
    const ours = fieldsOf(wholeServer().run("INFO", section)).map(([name]) => name);
    const missing = Object.keys(fields).filter((name) =>
      !ours.includes(name) && !/^slave\d+$/.test(name)
    );
    assertEquals(missing.filter((name) => LEFT_OUT[name] === undefined), []);
  });
}

Deno.test("INFO leaves out what the list says it leaves out", () => {
  const ours = fieldsOf(wholeServer().run("INFO", "everything")).map(([name]) => name);
  assertEquals(Object.keys(LEFT_OUT).filter((name) => ours.includes(name)), []);
});

Deno.test("INFO has every field once, with a value that is no undefined or NaN", () => {
  const s = wholeServer();
  s.run("SET", "k", "v");
  const pairs = fieldsOf(s.run("INFO", "everything"));
  const names = pairs.map(([name]) => name);
  assertEquals(names.filter((name, i) => names.indexOf(name) !== i), []);
  for (const [name, value] of pairs) {
    assert(!/undefined|NaN|Infinity/.test(value), `${name}:${value}`);
  }
});

function sectionsOf(text: unknown): string[] {
  return [...String(text).matchAll(/^# (.*)\r$/gm)].map(([, title]) => title);
}

for (const [words, titles] of Object.entries(facts.section_names.by_argument)) {
  Deno.test(`INFO ${words} shows the sections that a real server shows`, () => {
    assertEquals(sectionsOf(wholeServer().run("INFO", words)), titles);
  });
}

Deno.test("INFO without sections, with default, all and everything shows those of a real server", () => {
  const s = wholeServer();
  const { section_names: expected } = facts;
  assertEquals(sectionsOf(s.run("INFO")), expected.default);
  for (const name of ["default", "all", "everything"]) {
    assertEquals(sectionsOf(s.run("INFO", name)), expected[name]);
  }
});

Deno.test("INFO takes several sections, in its own order, each once", () => {
  const s = wholeServer();
  assertEquals(sectionsOf(s.run("INFO", "keyspace", "cpu", "CPU", "nosuch")), ["CPU", "Keyspace"]);
  assertEquals(s.run("INFO", "nosuch"), "");
  assertEquals(sectionsOf(s.run("INFO", "default", "commandstats")).includes("Commandstats"), true);
});

Deno.test("INFO puts an empty line between sections and a title before each", () => {
  const s = wholeServer();
  s.run("SELECT", 1);
  s.run("SET", "k", "v");
  assertEquals(
    s.run("INFO", "cluster", "keyspace"),
    "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\ndb1:keys=1,expires=0,avg_ttl=0\r\n",
  );
});

Deno.test("INFO tells both versions", () => {
  const text = wholeServer().run("INFO", "server") as string;
  assertMatch(text, /^redis_version:7\.2\.4\r$/m);
  assertMatch(text, /^tsredis_version:\d+\.\d+\.\d+\r$/m);
});

Deno.test("INFO counts calls, refusals and failures of each command, and errors by code", () => {
  const s = wholeServer();
  s.run("CONFIG", "RESETSTAT"); // commands are shared by the tests of this process
  s.run("SET", "k", "v");
  s.run("LPUSH", "k", "v");
  s.run("GET");
  const text = s.run("INFO", "commandstats", "errorstats") as string;
  assertMatch(
    text,
    /^cmdstat_set:calls=1,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=0\r$/m,
  );
  assertMatch(text, /^cmdstat_lpush:calls=1,.*,rejected_calls=0,failed_calls=1\r$/m);
  assertMatch(
    text,
    /^cmdstat_get:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r$/m,
  );
  assertStringIncludes(text, "errorstat_WRONGTYPE:count=1\r\n");
});

Deno.test("INFO latencystats has the configured percentiles, and nothing with latency-tracking off", () => {
  const s = wholeServer();
  s.run("SET", "k", "v");
  s.run("CONFIG", "SET", "latency-tracking-info-percentiles", "50 100");
  assertMatch(
    s.run("INFO", "latencystats") as string,
    /^latency_percentiles_usec_set:p50=[\d.]+,p100=[\d.]+\r$/m,
  );
  s.run("CONFIG", "SET", "latency-tracking", "no");
  assertEquals(s.run("INFO", "latencystats"), "# Latencystats\r\n");
});
