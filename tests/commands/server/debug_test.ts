import { testServer } from "../../support/test_server.ts";
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { wholeServer } from "../../support/whole_server.ts";

const UNKNOWN = (name: string) => ({
  error: `ERR unknown subcommand or wrong number of arguments for '${name}'. Try DEBUG HELP.`,
});
const NO_KEY = { error: "ERR no such key" };

const REFUSED: [words: string, answer: unknown][] = [
  ["NOSUCH", UNKNOWN("NOSUCH")],
  ["SLEEP", UNKNOWN("SLEEP")],
  ["DIGEST x", UNKNOWN("DIGEST")],
  ["hasOwnProperty", UNKNOWN("hasOwnProperty")],
  ["REPLYBUFFER x 1", UNKNOWN("REPLYBUFFER")],
  ["REPLYBUFFER PEAK-RESET-TIME x", { error: "ERR value is not an integer or out of range" }],
  ["POPULATE x", { error: "ERR value is out of range, must be positive" }],
  ["POPULATE -1", { error: "ERR value is out of range, must be positive" }],
  ["OBJECT missing", NO_KEY],
  ["SDSLEN missing", NO_KEY],
  ["HTSTATS-KEY missing", NO_KEY],
  ["HTSTATS 99", { error: "ERR Out of range database" }],
  ["LISTPACK s", { error: "ERR Not a listpack encoded object." }],
  ["QUICKLIST s", { error: "ERR Not a quicklist encoded object." }],
  ["SDSLEN l", { error: "ERR Not an sds encoded string." }],
  ["PROTOCOL push", { error: "ERR RESP2 is not supported by this command" }],
  [
    "RELOAD x",
    { error: "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options." },
  ],
  [
    "QUICKLIST-PACKED-THRESHOLD 5gb",
    { error: "ERR argument must be a memory value bigger than 1 and smaller than 4gb" },
  ],
  ["RESTART", { error: "ERR failed to restart the server. Check server logs." }],
];
for (const [words, answer] of REFUSED) {
  Deno.test(`DEBUG ${words} is refused and changes nothing`, () => {
    const s = wholeServer();
    s.run("SET", "s", "v");
    s.run("RPUSH", "l", "a");
    s.propagated();
    const before = s.run("DEBUG", "DIGEST");
    assertEquals(s.run("DEBUG", ...words.split(" ")), answer as never);
    assertEquals(s.run("DEBUG", "DIGEST"), before);
    assertEquals(s.propagated(), []);
  });
}

Deno.test("DEBUG POPULATE makes strings, keeps those there, and counts as no change", () => {
  const s = wholeServer();
  s.run("SET", "key:1", "mine");
  s.propagated();
  const { dirty } = s.keyspace;
  assertEquals(s.run("DEBUG", "POPULATE", 3), "OK");
  assertEquals(s.run("MGET", "key:0", "key:1", "key:2"), ["value:0", "mine", "value:2"]);
  assertEquals(s.run("DEBUG", "POPULATE", 2, "p", 10), "OK");
  assertEquals(s.run("GET", "p:1"), "value:1\0\0\0");
  assertEquals(s.run("DEBUG", "POPULATE", 1, "q", 3), "OK");
  assertEquals(s.run("GET", "q:0"), "val");
  assertEquals([s.keyspace.dirty, s.propagated()], [dirty, []]);
});

Deno.test("DEBUG OBJECT tells encoding, size in a snapshot and idle time", () => {
  const s = wholeServer();
  s.run("SET", "s", "abc");
  s.clock.nowMs += 5000;
  assertMatch(
    s.run("DEBUG", "OBJECT", "s") as string,
    /^Value at:0x[0-9a-f]+ refcount:1 encoding:embstr serializedlength:4 lru:\d+ lru_seconds_idle:5$/,
  );
  s.run("RPUSH", "l", ..."x".repeat(9).split("").map((x) => x.repeat(2000)));
  assertMatch(s.run("DEBUG", "OBJECT", "l") as string, / ql_nodes:[23] /);
});

Deno.test("DEBUG SET-ACTIVE-EXPIRE and PAUSE-CRON turn their switches", () => {
  const s = wholeServer();
  s.run("DEBUG", "SET-ACTIVE-EXPIRE", 0);
  s.run("DEBUG", "PAUSE-CRON", 1);
  assertEquals([s.services.isActiveExpireOn, s.services.isTimerOn], [false, false]);
  s.run("DEBUG", "SET-ACTIVE-EXPIRE", 1);
  s.run("DEBUG", "PAUSE-CRON", 0);
  assertEquals([s.services.isActiveExpireOn, s.services.isTimerOn], [true, true]);
});

Deno.test("DEBUG SET-SKIP-CHECKSUM-VALIDATION lets RESTORE take a wrong checksum, not damage", () => {
  const s = wholeServer();
  s.run("RPUSH", "l", "a", "b");
  const whole = s.run("DUMP", "l") as string;
  const payload = whole.slice(0, -1) + (whole.endsWith("x") ? "y" : "x");
  const refused = { error: "ERR DUMP payload version or checksum are wrong" };
  assertEquals(s.run("RESTORE", "k", 0, payload), refused);
  s.run("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1);
  assertEquals(s.run("RESTORE", "k", 0, payload), "OK");
  assertEquals(s.run("LRANGE", "k", 0, -1), ["a", "b"]);
  const nodes = `${payload[0]}\x09${payload.slice(2)}`; // more than there are
  assertEquals(s.run("RESTORE", "k", 0, nodes, "REPLACE"), { error: "ERR Bad data format" });
  assertMatch(s.logLines.join(""), /RESTORE: payload integrity check failed: .* at byte/);
  s.run("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 0);
  assertEquals(s.run("RESTORE", "m", 0, payload), refused);
});

Deno.test("DEBUG REPLICATE puts a command into the stream that is not carried out", () => {
  const s = wholeServer();
  assertEquals(s.run("DEBUG", "REPLICATE", "SET", "k", "v"), "OK");
  assertEquals(s.propagated(), ["SELECT 0", "SET k v"]);
  assertEquals(s.run("EXISTS", "k"), 0);
});

Deno.test("DEBUG CHANGE-REPL-ID begins a new history", () => {
  const s = wholeServer();
  const before = s.services.replication.ids.id;
  assertEquals(s.run("DEBUG", "CHANGE-REPL-ID"), "OK");
  assertMatch(s.services.replication.ids.id, /^[0-9a-f]{40}$/);
  assertNotEquals(s.services.replication.ids.id, before);
});

Deno.test("DEBUG LOG writes to the log, ERROR answers with the text", () => {
  const s = wholeServer();
  s.run("DEBUG", "LOG", "hello");
  assertMatch(s.logLines.join(""), /DEBUG LOG: hello\n/);
  assertEquals(s.run("DEBUG", "ERROR", "CODE some text"), { error: "CODE some text" });
});

const PROTOCOL: [type: string, resp2: unknown, resp3: unknown][] = [
  ["string", "Hello World", "Hello World"],
  ["integer", 12345, 12345],
  ["double", "3.141", "3.141"],
  ["bignum", "1234567999999999999999999999999999999", "1234567999999999999999999999999999999"],
  ["null", null, null],
  ["array", [0, 1, 2], [0, 1, 2]],
  ["set", [0, 1, 2], { set: [0, 1, 2] }],
  ["map", [0, 0, 1, 1, 2, 0], { map: [[0, false], [1, true], [2, false]] }],
  ["verbatim", "This is a verbatim\nstring", "This is a verbatim\nstring"],
  ["true", 1, true],
  ["false", 0, false],
];
for (const [type, resp2, resp3] of PROTOCOL) {
  Deno.test(`DEBUG PROTOCOL ${type} answers with that type, as RESP2 and RESP3 have it`, () => {
    const s = wholeServer();
    assertEquals(s.run("DEBUG", "PROTOCOL", type), resp2 as never);
    assertEquals(s.connect(3).run("DEBUG", "PROTOCOL", type), resp3 as never);
  });
}

Deno.test("DEBUG RELOAD saves, loads and leaves the data as they were", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const s = wholeServer();
    s.config.assign("dir", [folder]);
    s.run("SET", "s", "v", "PX", 100_000);
    s.run("RPUSH", "l", "a", "b");
    const before = s.run("DEBUG", "DIGEST");
    assertEquals(s.run("DEBUG", "RELOAD"), "OK");
    assertEquals(s.run("DEBUG", "DIGEST"), before);
    s.run("SET", "other", "v");
    assertEquals(s.run("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE"), "OK");
    assertEquals(s.run("DBSIZE"), 3);
    assertEquals(s.run("DEBUG", "RELOAD", "NOSAVE"), "OK");
    assertEquals(s.run("DEBUG", "DIGEST"), before);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("DEBUG SLEEP comes back, and takes what is no number for no time at all", () => {
  const s = wholeServer();
  for (const seconds of ["0.001", "0", "-1", "x"]) {
    assertEquals(s.run("DEBUG", "SLEEP", seconds), "OK");
  }
});

Deno.test("DEBUG CONFIG-REWRITE-FORCE-ALL needs a configuration file, as CONFIG REWRITE does", () => {
  const s = testServer();
  const refused = { error: "ERR The server is running without a config file" };
  assertEquals(s.run("DEBUG", "CONFIG-REWRITE-FORCE-ALL"), refused);
  assertEquals(s.run("CONFIG", "REWRITE"), refused);
});
