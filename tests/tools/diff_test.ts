/** `tsredis diff`: what is told of two datasets, by pairs of real files and by datasets that differ in one thing. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { latin1 } from "../../src/base/bytes.ts";
import { corpusExpected, corpusFile, corpusNames, type ExpectedKey } from "../rdb/corpus.ts";
import { saveToBytes } from "../rdb/datasets.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import { runToolWith, type ToolRun } from "../support/tool_runs.ts";
import { WorkFolder } from "../support/work_folder.ts";
import { textOf } from "./json_datasets.ts";

// deno-lint-ignore no-explicit-any
type Line = any;

/** The lines of `diff --json`, without the summary at the end. */
async function diff(a: string, b: string, ...options: string[]): Promise<Line[]> {
  const { exitCode, output, remarks } = await runToolWith(["diff", "--json", ...options, a, b]);
  assert(exitCode < 2, remarks);
  const lines = output.trim().split("\n").map((line) => JSON.parse(line));
  const { summary } = lines.pop();
  const { only_in_a, only_in_b, different, libraries } = summary;
  assertEquals(only_in_a + only_in_b + different + libraries, lines.length);
  assertEquals(exitCode, lines.length === 0 ? 0 : 1);
  return lines;
}

// -- pairs of files of the corpus --------------------------------------------------------------

/** A key in the corpus, as far as it can be compared with others: of a stream all but what depends on its version. */
function comparable({ type, value, field_ttl_ms_at }: ExpectedKey): string {
  if (type !== "stream") {
    // Scores as numbers, in which -0 is 0.
    const shown = type === "zset"
      ? (value as [unknown, string][]).map(([m, s]) => [m, s === "-0" ? "0" : s])
      : value;
    return JSON.stringify([shown, field_ttl_ms_at ?? []]);
  }
  return "";
}

interface Found {
  only_in_a: string[];
  only_in_b: string[];
  types: string[];
  expiries: string[];
  values: string[];
}

/** What is different by the JSON beside two files; streams are left to other tests. */
function expectedFound(a: string, b: string): Found {
  const found: Found = { only_in_a: [], only_in_b: [], types: [], expiries: [], values: [] };
  const [dbsA, dbsB] = [corpusExpected(a).dbs, corpusExpected(b).dbs];
  const numbers = new Set([...Object.keys(dbsA), ...Object.keys(dbsB)]);
  for (const db of numbers) {
    const [keysA, keysB] = [dbsA[db] ?? {}, dbsB[db] ?? {}];
    for (const key of Object.keys(keysB)) if (!(key in keysA)) found.only_in_b.push(`${db} ${key}`);
    for (const [key, one] of Object.entries(keysA)) {
      const other = keysB[key];
      if (other === undefined) found.only_in_a.push(`${db} ${key}`);
      else if (one.type !== other.type) found.types.push(`${db} ${key}`);
      else if (comparable(one) !== comparable(other)) found.values.push(`${db} ${key}`);
      if (other !== undefined && one.ttl_ms_at !== other.ttl_ms_at) {
        found.expiries.push(`${db} ${key}`);
      }
    }
  }
  for (const list of Object.values(found)) list.sort();
  return found;
}

function foundIn(lines: readonly Line[]): Found {
  const found: Found = { only_in_a: [], only_in_b: [], types: [], expiries: [], values: [] };
  for (const line of lines) {
    if (line.library !== undefined) continue;
    const text = textOf(line.key);
    const place = `${line.db} ${text}`;
    if (line.only_in !== undefined) {
      found[line.only_in === "a" ? "only_in_a" : "only_in_b"].push(place);
    }
    if (line.types !== undefined) found.types.push(place);
    if (line.expires_at_ms !== undefined) found.expiries.push(place);
    if (line.value !== undefined && line.type !== "stream") found.values.push(place);
  }
  for (const list of Object.values(found)) list.sort();
  return found;
}

/** Names that the JSON beside the files has as they are. */
function hasPlainNames(name: string): boolean {
  return !JSON.stringify(corpusExpected(name).dbs).includes("sha1:");
}

const SCENARIOS = new Map<string, string[]>();
for (const name of corpusNames()) {
  const scenario = name.split("/")[1];
  if (scenario === "expired") continue; // the keys are in the file and not in the JSON
  SCENARIOS.set(scenario, [...SCENARIOS.get(scenario) ?? [], name]);
}

for (const [scenario, names] of SCENARIOS) {
  Deno.test(`diff: each pair of files with ${scenario} differs in what it differs in`, async () => {
    for (const a of names) {
      for (const b of names) {
        if (a > b || !hasPlainNames(a) || !hasPlainNames(b)) continue;
        const [pathA, pathB] = [a, b].map((name) => fromFileUrl(corpusFile(name)));
        const lines = await diff(pathA, pathB, "--expired", "--expiry-tolerance", "0");
        assertEquals(foundIn(lines), expectedFound(a, b), `${a} and ${b}`);
        if (a === b) assertEquals(lines, []);
        else {
          const turned = await diff(pathB, pathA, "--expired", "--expiry-tolerance", "0");
          assertEquals(turned.length, lines.length);
        }
      }
    }
  });
}

// -- datasets that differ in one thing ---------------------------------------------------------

const NOW = { nowMs: 1_700_000_000_000 };
const LATER_MS = 4_000_000_000_000;
const VERSIONS = [6, 7, 8, 9, 10, 11, 12];

/** Words of any bytes, now and then integers. */
function word(random: Random, long = 12): string {
  if (random.chance(0.3)) return String(random.between(-70_000, 70_000));
  let text = "";
  for (let left = random.below(long); left > 0; left--) {
    text += String.fromCharCode(random.chance(0.8) ? random.between(97, 122) : random.below(256));
  }
  return text;
}

/** How many elements: few, or more than a listpack may have. */
function size(random: Random): number {
  return random.chance(0.2) ? random.between(129, 300) : random.between(1, 12);
}

/** A key of each kind, with random content. */
const MAKERS: Record<string, (s: TestServer, key: string, random: Random) => void> = {
  string: (s, key, random) => s.run("SET", key, word(random, 200)),
  list: (s, key, random) => {
    for (let left = size(random); left > 0; left--) s.run("RPUSH", key, word(random));
  },
  set: (s, key, random) => {
    for (let left = size(random); left > 0; left--) s.run("SADD", key, word(random));
  },
  zset: (s, key, random) => {
    for (let left = size(random); left > 0; left--) {
      s.run("ZADD", key, random.chance(0.5) ? random.between(-9, 9) : random.draw(), word(random));
    }
  },
  hash: (s, key, random) => {
    for (let left = size(random); left > 0; left--) s.run("HSET", key, word(random), word(random));
  },
  stream: (s, key, random) => {
    for (let i = 1, left = size(random); left > 0; left--, i++) {
      s.run("XADD", key, `${i}-1`, word(random), word(random));
    }
    s.run("XGROUP", "CREATE", key, "g", "0");
    s.run("XREADGROUP", "GROUP", "g", "alice", "COUNT", random.between(1, 5), "STREAMS", key, ">");
  },
};

/** One change of a key of a type; nothing else. */
const CHANGES: Record<string, ((s: TestServer, key: string, random: Random) => void)[]> = {
  string: [(s, key) => s.run("APPEND", key, "\0")],
  list: [
    (s, key) => s.run("LPUSH", key, "another"),
    (s, key) => s.run("LSET", key, "-1", "another one"),
    (s, key) => s.run("RPUSH", key, ""),
  ],
  set: [(s, key) => s.run("SADD", key, "another")],
  zset: [
    (s, key) => s.run("ZADD", key, "7.25", "another"),
    (s, key) => s.run("ZINCRBY", key, "0.5", (s.run("ZRANGE", key, 0, 0) as string[])[0]),
  ],
  hash: [
    (s, key) => s.run("HSET", key, "another", ""),
    (s, key) => s.run("HSET", key, (s.run("HKEYS", key) as string[])[0], "another value"),
  ],
  stream: [
    (s, key) => s.run("XADD", key, "9999-1", "f", "v"),
    (s, key) => s.run("XDEL", key, "1-1"),
    (s, key) => s.run("XACK", key, "g", "1-1"),
    (s, key) => s.run("XGROUP", "CREATE", key, "h", "0"),
    (s, key) => s.run("XGROUP", "CREATECONSUMER", key, "g", "bob"),
    (s, key) => s.run("XCLAIM", key, "g", "carol", "0", "1-1", "JUSTID"),
    (s, key) => s.run("XGROUP", "SETID", key, "g", "2-7"),
  ],
};
/** Changes that any key can have. */
const COMMON: ((s: TestServer, key: string) => void)[] = [
  (s, key) => s.run("PEXPIREAT", key, LATER_MS),
  (s, key) => s.run("DEL", key),
  (s, key) => s.run("RENAME", key, `${key} renamed`),
  (s, key) => s.run("MOVE", key, "7"),
];

function drawnServer(random: Random, types: readonly string[]): [TestServer, Map<string, string>] {
  const server = testServer(NOW);
  const keys = new Map<string, string>();
  for (let left = random.between(5, 30); left > 0; left--) {
    const key = `${left} ${word(random)}`;
    const type = random.pick(types);
    MAKERS[type](server, key, random);
    if (random.chance(0.2)) server.run("PEXPIREAT", key, LATER_MS - 60_000);
    keys.set(key, type);
  }
  return [server, keys];
}

Deno.test("diff names the one key that has changed, whatever changed and whichever versions", async () => {
  const seed = fuzzSeed(20);
  for (let round = 0; round < fuzzRounds(60); round++) {
    const random = new Random(seed + round);
    using folder = new WorkFolder();
    const version = random.pick(VERSIONS);
    const types = Object.keys(MAKERS).filter((type) => version >= 9 || type !== "stream");
    const [server, keys] = drawnServer(random, types);
    const a = folder.write(
      "a.rdb",
      saveToBytes(server.keyspace, { version: random.pick([10, 11, 12]) }),
    );
    const same = folder.write("same.rdb", saveToBytes(server.keyspace, { version }));
    assertEquals(await diff(a, same, "--expired"), [], `seed ${seed + round}`);

    const [key, type] = random.pick([...keys]);
    const common = random.chance(0.4);
    const change = random.pick<(s: TestServer, key: string, random: Random) => void>(
      common ? COMMON : CHANGES[type],
    );
    change(server, key, random);
    const b = folder.write("b.rdb", saveToBytes(server.keyspace, { version }));
    const lines = await diff(a, b, "--expired");
    const said = `seed ${seed + round}, ${type}, ${change}: ${JSON.stringify(lines)}`;
    assert(lines.length >= 1 && lines.length <= 2, said);
    const names = new Set(lines.map((line) => textOf(line.key)));
    assert(names.has(key), said);
    if (lines.length === 2) {
      assertEquals(lines.map((line) => line.only_in).sort(), ["a", "b"], said);
    }
    if (!common) {
      assert(lines[0].value.parts.length > 0, said);
      assert(lines[0].value.count >= lines[0].value.parts.length, said);
    }
  }
});

// -- what is told, and how ---------------------------------------------------------------------

async function told(
  before: (string | number)[][],
  after: (string | number)[][],
  ...options: string[]
): Promise<ToolRun> {
  using folder = new WorkFolder();
  const paths = [before, after].map((commands, i) => {
    const server = testServer(NOW);
    for (const command of commands) server.run(...command);
    return folder.write(`${i}.rdb`, saveToBytes(server.keyspace));
  });
  return await runToolWith(["diff", ...options, ...paths]);
}

for (
  const [before, after, line] of [
    [
      ["SET", "k", "abc"],
      ["SET", "k", "abd"],
      'different: "k" (string): byte 2 on: "abc" (3 bytes) in A, "abd" (3 bytes) in B',
    ],
    [
      ["RPUSH", "k", "a", "b"],
      ["RPUSH", "k", "a", "c", "b"],
      'different: "k" (list): length: 2 in A, 3 in B; element 1 on: "b" in A, "c" in B',
    ],
    [["SADD", "k", "a", "b"], ["SADD", "k", "b"], 'different: "k" (set): member "a" only in A'],
    [
      ["ZADD", "k", 1, "a"],
      ["ZADD", "k", 1.5, "a"],
      'different: "k" (zset): member "a": 1 in A, 1.5 in B',
    ],
    [
      ["HSET", "k", "f", "1"],
      ["HSET", "k", "f", "2"],
      'different: "k" (hash): field "f": "1" in A, "2" in B',
    ],
    [
      ["XADD", "k", "1-1", "f", "1"],
      ["XADD", "k", "1-1", "f", "2"],
      'different: "k" (stream): entry 1-1: "f" "1" in A, "f" "2" in B',
    ],
    [
      ["SET", "k", "1"],
      ["RPUSH", "k", "1"],
      'different: "k" (string, list): a string in A, a list in B',
    ],
    [
      ["SET", "k", "1"],
      ["SET", "k", "1", "PXAT", LATER_MS],
      'different: "k" (string): expires never in A, 2096-10-02T07:06:40.000Z in B',
    ],
    [["SET", "\xff", "1"], ["PING"], 'only in A: "\\xff" (string)'],
    [["PING"], ["HSET", "k\n", "f", "1"], 'only in B: "k\\n" (hash)'],
  ] as [(string | number)[], (string | number)[], string][]
) {
  Deno.test(`diff says: ${line}`, async () => {
    const { exitCode, output } = await told([before], [after]);
    assertEquals([exitCode, output.split("\n")[0]], [1, line]);
  });
}

Deno.test("diff takes expiries for the same that are no further apart than the tolerance", async () => {
  const before = [["SET", "k", "v", "PXAT", LATER_MS], ["HSET", "h", "f", "v"]];
  before.push(["HPEXPIREAT", "h", `${LATER_MS}`, "FIELDS", "1", "f"]);
  const after = [["SET", "k", "v", "PXAT", LATER_MS + 900], ["HSET", "h", "f", "v"]];
  after.push(["HPEXPIREAT", "h", `${LATER_MS + 900}`, "FIELDS", "1", "f"]);
  assertEquals((await told(before, after)).exitCode, 0);
  const { exitCode, output } = await told(before, after, "--expiry-tolerance", "899");
  assertEquals(exitCode, 1);
  assertStringIncludes(output, 'different: "k" (string): expires 2096');
  assertStringIncludes(output, 'different: "h" (hash): field "f": expires 2096');
  assertEquals((await told(before, after, "--expiry-tolerance", "900")).exitCode, 0);
});

Deno.test("diff leaves out keys and fields whose time is over, unless it is to compare them", async () => {
  // Gone by the clock of whoever compares, not by that of the server.
  const past = NOW.nowMs + 1_000;
  const before = [["SET", "gone", "v", "PXAT", past], ["SET", "k", "v"], ["HSET", "h", "f", "v"]];
  before.push(["HPEXPIREAT", "h", `${past}`, "FIELDS", "1", "f"]);
  const { exitCode, output } = await told(before, [["SET", "k", "v"]]);
  assertEquals(exitCode, 0);
  assertEquals(
    output,
    "1 key the same, 0 different, 0 only in A, 0 only in B; 2 keys whose time is over left out\n",
  );
  assertEquals((await told(before, [["SET", "k", "v"]], "--expired")).exitCode, 1);
});

Deno.test("diff compares function libraries", async () => {
  const library = (name: string, body: string) => [
    "FUNCTION",
    "LOAD",
    `#!lua name=${name}\nredis.register_function('${name}', function() ${body} end)`,
  ];
  const { exitCode, output } = await told(
    [library("one", ""), library("two", "")],
    [library("two", "return 1"), library("three", "")],
  );
  assertEquals(exitCode, 1);
  assertEquals(output.split("\n").slice(0, 3), [
    "only in A: the function library one",
    "different: the function library two",
    "only in B: the function library three",
  ]);
});

Deno.test("diff of one database passes over all others", async () => {
  const before = [["SET", "k", "v"], ["SELECT", 3], ["SET", "k", "w"]];
  const after = [["SET", "k", "other"], ["SELECT", 3], ["SET", "k", "w"]];
  assertEquals((await told(before, after)).exitCode, 1);
  assertEquals((await told(before, after, "--db", "3")).exitCode, 0);
});

Deno.test("diff tells as many parts as it is asked for, and how many more there are", async () => {
  const fields = (
    value: string,
  ) => ["HSET", "h", ...["a", "b", "c", "d", "e"].flatMap((f) => [f, value])];
  const { output } = await told([fields("1")], [fields("2")], "--parts", "2");
  assertStringIncludes(output, 'field "b": "1" in A, "2" in B; 3 more\n');
  assertStringIncludes(
    (await told([fields("1")], [fields("2")], "--parts", "0")).output,
    "(hash): 5 more",
  );
});

Deno.test("diff says which file it cannot read, and ends with 3", async () => {
  using folder = new WorkFolder();
  const good = folder.write("good.rdb", saveToBytes(testServer().keyspace));
  const bad = folder.write("bad.rdb", latin1("REDIS0010\xfe\0\0\x01"));
  for (
    const paths of [[good, bad], [bad, good], [good, folder.at("none.rdb")], [
      folder.at("none"),
      good,
    ]]
  ) {
    const { exitCode, remarks, output } = await runToolWith(["diff", ...paths]);
    assertEquals([exitCode, output], [3, ""]);
    assertStringIncludes(remarks, paths.find((path) => path !== good)!);
  }
  const usage = await runToolWith(["diff", "redis://localhost:1/3", good]);
  assertEquals(usage.exitCode, 2);
});
