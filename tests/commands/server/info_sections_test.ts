/** INFO against the fields that a real server has (tests/fixtures/facts/info.json). */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LEFT_OUT_FIELDS } from "../../../src/commands/server/info_sections.ts";
import { type WholeServer, wholeServer } from "../../support/whole_server.ts";

const facts = JSON.parse(
  await Deno.readTextFile(new URL("../../fixtures/facts/info.json", import.meta.url)),
);

/** Fields that Redis only shows while its append-only file is on, as it was when the facts were taken. */
const WITH_AOF = [
  "aof_current_size",
  "aof_base_size",
  "aof_pending_rewrite",
  "aof_buffer_length",
  "aof_pending_bio_fsync",
  "aof_delayed_fsync",
];

/** What 7.2.4 has more than the facts of 7.0.15, at the ends of these sections. */
const SINCE_7_2: Record<string, string[]> = {
  Clients: ["total_blocking_keys", "total_blocking_keys_on_nokey"],
  Stats: [
    "eventloop_cycles",
    "eventloop_duration_sum",
    "eventloop_duration_cmd_sum",
    "instantaneous_eventloop_cycles_per_sec",
    "instantaneous_eventloop_duration_usec",
    "acl_access_denied_auth",
    "acl_access_denied_cmd",
    "acl_access_denied_key",
    "acl_access_denied_channel",
  ],
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

/** The names of the fields that a real server of 7.2 shows in a section, but for those left out. */
function expectedNames(section: string): string[] {
  const names = Object.keys(facts.master_with_replica[section]).concat(SINCE_7_2[section] ?? []);
  return names.filter((name) =>
    LEFT_OUT_FIELDS[name] === undefined && !WITH_AOF.includes(name) && !/^slave\d+$/.test(name)
  );
}

for (const section of Object.keys(facts.master_with_replica)) {
  if (DYNAMIC.includes(section)) continue;
  Deno.test(`INFO ${section} has the real server's fields in its order`, () => {
    const ours = fieldsOf(wholeServer().run("INFO", section)).map(([name]) => name);
    const expected = expectedNames(section);
    assertEquals(ours.filter((name) => expected.includes(name)), expected);
  });
}

Deno.test("INFO leaves out what the table says, and only fields that a real server has", () => {
  const ours = fieldsOf(wholeServer().run("INFO", "everything")).map(([name]) => name);
  const theirs = Object.values<object>(facts.master_with_replica).flatMap(Object.keys);
  for (const name of Object.keys(LEFT_OUT_FIELDS)) {
    assertEquals([ours.includes(name), theirs.includes(name)], [false, true], name);
  }
});

Deno.test("INFO debug comes by its name only", () => {
  const s = wholeServer();
  assertEquals(fieldsOf(s.run("INFO", "debug")).map(([name]) => name), [
    "eventloop_duration_aof_sum",
    "eventloop_duration_cron_sum",
    "eventloop_duration_max",
    "eventloop_cmd_per_cycle_max",
  ]);
  for (const name of ["all", "everything", "default"]) {
    assertEquals(sectionsOf(s.run("INFO", name)).includes("Debug"), false);
  }
});

/** The value of one field. */
function field(s: WholeServer, section: string, name: string): string {
  return new Map(fieldsOf(s.run("INFO", section))).get(name)!;
}

Deno.test("INFO tells how many keys are waited for, and how many clients for a limited time", () => {
  const s = wholeServer();
  const blocked = [["BLPOP", "a", "b", 0], ["BLPOP", "b", "c", 10], ["BZPOPMIN", "a", 5]].map(
    (words) => {
      const client = s.connect();
      client.run(...words);
      return client;
    },
  );
  const counts = () =>
    [
      "blocked_clients",
      "clients_in_timeout_table",
      "total_blocking_keys",
      "total_blocking_keys_on_nokey",
    ].map((name) => Number(field(s, "clients", name)));
  assertEquals(counts(), [3, 2, 3, 0]);
  for (const { client } of blocked) s.run("CLIENT", "UNBLOCK", client.id);
  assertEquals(counts(), [0, 0, 0, 0]);
});

Deno.test("INFO counts refused authentications until CONFIG RESETSTAT", () => {
  const s = wholeServer();
  for (let i = 0; i < 3; i++) s.run("AUTH", "nobody", "wrong");
  assertEquals(field(s, "stats", "acl_access_denied_auth"), "3");
  assertEquals(field(s, "stats", "acl_access_denied_cmd"), "0");
  s.run("ACL", "LOG", "RESET");
  assertEquals(field(s, "stats", "acl_access_denied_auth"), "3");
  s.run("CONFIG", "RESETSTAT");
  assertEquals(field(s, "stats", "acl_access_denied_auth"), "0");
});

Deno.test("INFO tells how long memory has been above maxmemory", () => {
  const s = wholeServer();
  const times = () =>
    ["current_eviction_exceeded_time", "total_eviction_exceeded_time"].map((name) =>
      Number(field(s, "stats", name))
    );
  assertEquals(times(), [0, 0]);
  s.run("CONFIG", "SET", "maxmemory", 1);
  s.run("SET", "k", "v");
  s.clock.nowMs += 1500;
  assertEquals(times(), [1500, 1500]);
  s.run("CONFIG", "SET", "maxmemory", 0);
  s.core.evictor.evict();
  s.clock.nowMs += 1000;
  assertEquals(times(), [0, 1500]);
  s.run("CONFIG", "RESETSTAT");
  assertEquals(times(), [0, 0]);
});

Deno.test("INFO counts turns of the timer and the time they take", () => {
  const s = wholeServer();
  const number = (name: string) => Number(field(s, "stats", name));
  const before = number("eventloop_cycles");
  const { monotonic } = s.core.clock;
  s.core.clock.monotonic = () => s.clock.nowMs++; // the timer's turn takes a while
  s.core.cron();
  s.core.clock.monotonic = monotonic;
  assertEquals(number("eventloop_cycles"), before + 1);
  assert(number("eventloop_duration_sum") > 0);
  assert(Number(field(s, "debug", "eventloop_duration_cron_sum")) > 0);
  assert(Number(field(s, "debug", "eventloop_duration_max")) > 0);
});

Deno.test("INFO has a build ID of 16 digits, the same each time", () => {
  const id = field(wholeServer(), "server", "redis_build_id");
  assertMatch(id, /^[0-9a-f]{16}$/);
  assertEquals(field(wholeServer(), "server", "redis_build_id"), id);
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
