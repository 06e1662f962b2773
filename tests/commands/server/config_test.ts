import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { wholeServer } from "../../support/whole_server.ts";

Deno.test("CONFIG GET answers with names and values, a map in RESP3", () => {
  const s = wholeServer();
  assertEquals(s.run("CONFIG", "GET", "maxmemory"), ["maxmemory", "0"]);
  assertEquals(s.run("CONFIG", "GET", "nosuch"), []);
  assertEquals(s.connect(3).run("CONFIG", "GET", "port", "databases"), {
    map: [["port", "6379"], ["databases", "16"]],
  });
});

Deno.test("CONFIG SET changes all of its settings", () => {
  const s = wholeServer();
  assertEquals(s.run("CONFIG", "SET", "maxmemory", "1mb", "timeout", 5), "OK");
  assertEquals(s.run("CONFIG", "GET", "maxmemory", "timeout"), [
    "maxmemory",
    "1048576",
    "timeout",
    "5",
  ]);
});

const REFUSED: [words: string[], error: string][] = [
  [["maxmemory"], "ERR wrong number of arguments for 'config|set' command"],
  [
    ["timeout", "1", "maxmemory"],
    "ERR syntax error",
  ],
  [["nosuch", "1"], "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"],
  [
    ["timeout", "7", "maxmemory", "x"],
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value",
  ],
  [
    ["databases", "5"],
    "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config",
  ],
];
for (const [words, error] of REFUSED) {
  Deno.test(`CONFIG SET ${words.join(" ")} is refused and changes nothing`, () => {
    const s = wholeServer();
    assertEquals(s.run("CONFIG", "SET", ...words), { error });
    assertEquals(s.run("CONFIG", "GET", "timeout"), ["timeout", "0"]);
  });
}

Deno.test("CONFIG SET of a password leaves it out of the slow log", () => {
  const s = wholeServer();
  s.services.slowLog.thresholdUsec = 0;
  s.dispatcher.timesAll = true;
  s.run("CONFIG", "SET", "timeout", 5, "requirepass", "secret");
  assertEquals(s.services.slowLog.entries[0].words, [
    "CONFIG",
    "SET",
    "timeout",
    "5",
    "requirepass",
    "(redacted)",
  ]);
  assertEquals(s.config.value("requirepass"), "secret");
});

Deno.test("CONFIG REWRITE writes to the file, and is refused without one", async () => {
  const s = wholeServer();
  assertEquals(s.run("CONFIG", "REWRITE"), {
    error: "ERR The server is running without a config file",
  });
  const file = await Deno.makeTempFile();
  try {
    s.config.file = file;
    s.run("CONFIG", "SET", "timeout", 5);
    assertEquals(s.run("CONFIG", "REWRITE"), "OK");
    assertStringIncludes(await Deno.readTextFile(file), "timeout 5\n");
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("CONFIG RESETSTAT puts counters back to zero and keeps the data", () => {
  const s = wholeServer();
  s.run("SET", "k", "v");
  s.run("GET", "k");
  s.run("GET", "missing");
  s.run("NOSUCH");
  assertEquals(s.run("CONFIG", "RESETSTAT"), "OK");
  assertEquals(
    s.run("INFO", "commandstats", "errorstats"),
    "# Commandstats\r\ncmdstat_config|resetstat:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0," +
      "failed_calls=0\r\n\r\n# Errorstats\r\n",
  );
  const stats = s.run("INFO", "stats") as string;
  assertStringIncludes(stats, "keyspace_hits:0\r\nkeyspace_misses:0\r\n");
  assertStringIncludes(stats, "total_error_replies:0\r\n");
  assertEquals(s.run("GET", "k"), "v");
});

Deno.test("HELP of every container begins with the usage and names its subcommands", () => {
  const s = wholeServer();
  for (const command of s.dispatcher.byName.values()) {
    if (command.subcommands?.has("help") !== true) continue;
    const name = command.fullName.toUpperCase();
    if (name === "CLUSTER") continue; // refuses HELP too, as there is no cluster
    const lines = s.run(name, "HELP") as string[];
    assertEquals(lines[0], `${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
    for (const subcommand of command.subcommands.keys()) {
      const usage = subcommand.toUpperCase();
      assert(
        lines.some((line) => line.split(" ")[0] === usage),
        `${name} HELP leaves out ${usage}`,
      );
    }
  }
});
