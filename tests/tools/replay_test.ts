/** `tsredis replay`: what a server has afterwards, and what is told of commands that fail. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RunningServer } from "../server/running_server.ts";
import { textOf } from "../support/resp_client.ts";
import { runToolWith } from "../support/tool_runs.ts";

function array(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

const HISTORY = "0123456789abcdef0123456789abcdef01234567";
const HEAD = `# tsredis diverged tail: a test\r\n# history ${HISTORY}\r\n`;

async function withFile(content: string, work: (path: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/diverged-x-1.aof`;
    Deno.writeFileSync(path, Uint8Array.from(content, (c) => c.charCodeAt(0)));
    await work(path);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const replay = (path: string, server: RunningServer, ...options: string[]) =>
  runToolWith(["replay", ...options, path, `127.0.0.1:${server.port}`]);

Deno.test("replay sends the commands of a file in their order, each in its database, transactions as such", async () => {
  await using s = await RunningServer.start();
  const content = HEAD + array("SELECT", "3") + array("MULTI") + array("INCR", "n") +
    array("SELECT", "0") + array("SET", "b\xff\r\n", "\0\x01") + array("EXEC") +
    array("RPUSH", "l", "a", "b") + array("RPUSH", "l", "c");
  await withFile(content, async (path) => {
    const { exitCode, output, remarks } = await replay(path, s);
    assertEquals([exitCode, output, remarks], [0, "4 commands sent, 0 failed.\n", ""]);
    using client = await s.connect();
    assertEquals(textOf(await client.call("LINDEX", "l", "2")), "c");
    assertEquals(s.core.keyspace.keyCount, 3);
    await client.call("SELECT", "3");
    assertEquals(textOf(await client.call("GET", "n")), "1");
  });
});

Deno.test("replay of many commands and of a long one", async () => {
  await using s = await RunningServer.start();
  const many = Array.from({ length: 5000 }, (_, i) => array("SET", `k${i}`, "v".repeat(i % 300)));
  const long = array("SET", "long", "v".repeat(3_000_000));
  await withFile(many.join("") + long + array("INCR", "n"), async (path) => {
    const { exitCode, output } = await replay(path, s);
    assertEquals([exitCode, output], [0, "5002 commands sent, 0 failed.\n"]);
    assertEquals(s.core.keyspace.keyCount, 5002);
  });
});

Deno.test("replay --dry-run prints the commands and sends nothing", async () => {
  await using s = await RunningServer.start();
  const content = HEAD + "# missing: 9 bytes at its beginning were no longer in the backlog\r\n" +
    array("SELECT", "3") + array("SET", "a b", "c\n") + array("DEL", "x");
  await withFile(content, async (path) => {
    for (const target of [[], [`127.0.0.1:${s.port}`]]) {
      const { exitCode, output, remarks } = await runToolWith([
        "replay",
        "--dry-run",
        path,
        ...target,
      ]);
      assertEquals([exitCode, output], [0, 'SELECT 3\nSET "a b" "c\\n"\nDEL x\n']);
      assertStringIncludes(remarks, "missing: 9 bytes at its beginning");
      assertStringIncludes(remarks, "2 commands; nothing was sent.");
    }
    assertEquals(s.core.keyspace.keyCount, 0);
  });
});

Deno.test("replay tells of commands that fail, also in a transaction, and sends the others", async () => {
  await using s = await RunningServer.start();
  const content = array("SET", "k", "v") + array("LPUSH", "k", "x") + array("NOSUCH") +
    array("MULTI") + array("LPUSH", "k", "y") + array("SET", "m", "1") + array("EXEC") +
    array("SET", "after", "1");
  await withFile(content, async (path) => {
    const { exitCode, output, remarks } = await replay(path, s);
    assertEquals([exitCode, output], [1, "6 commands sent, 3 failed.\n"]);
    assertStringIncludes(remarks, "failed: LPUSH k x: WRONGTYPE");
    assertStringIncludes(remarks, "failed: NOSUCH: ERR unknown command");
    assertStringIncludes(remarks, "failed: EXEC: WRONGTYPE");
    assertEquals(s.core.keyspace.keyCount, 3);
  });
});

Deno.test("replay refuses a replica, and the server whose history the file is from, unless it is forced", async () => {
  await using s = await RunningServer.start();
  await withFile(HEAD + array("INCR", "n"), async (path) => {
    s.core.replication.ids.id = HISTORY;
    const refused = await replay(path, s);
    assertEquals(refused.exitCode, 3);
    assertStringIncludes(refused.remarks, "is of the history that the file is from");
    assertEquals(s.core.keyspace.keyCount, 0);
    assertEquals((await replay(path, s, "--force")).exitCode, 0);
    assertEquals(s.core.keyspace.keyCount, 1);
    await using replica = await RunningServer.start(`replicaof 127.0.0.1 1`);
    const other = await replay(path, replica);
    assertEquals(other.exitCode, 3);
    assertStringIncludes(other.remarks, "is a replica");
    const forced = await replay(path, replica, "--force");
    assertEquals(forced.exitCode, 3);
    assertStringIncludes(forced.remarks, "the server takes no more: READONLY");
  });
});

Deno.test("replay of a damaged file: what comes before is sent, and the place is told", async () => {
  await using s = await RunningServer.start();
  for (
    const [rest, told] of [["*2\r\n$3\r\nDE", "ends within a command"], ["!!", "is no command"]]
  ) {
    await withFile(array("INCR", "n") + rest, async (path) => {
      const { exitCode, remarks, output } = await replay(path, s);
      assertEquals(exitCode, 1);
      assertMatch(remarks, new RegExp(`what begins at byte 21 ${told}`));
      assertStringIncludes(output, "1 commands sent, 0 failed; 21 of");
    });
  }
});

Deno.test("replay: what is no file of commands, no server, and what asks for a password", async () => {
  await using s = await RunningServer.start("requirepass secret");
  await withFile("REDIS0011", async (path) => {
    assertStringIncludes((await replay(path, s)).remarks, "begins with a snapshot");
  });
  await withFile(array("INCR", "n"), async (path) => {
    assertEquals((await runToolWith(["replay", path])).exitCode, 2);
    assertEquals((await runToolWith(["replay", path, "nowhere"])).exitCode, 2);
    const denied = await replay(path, s, "--force");
    assertEquals([denied.exitCode, denied.output.split(",")[0]], [3, "1 commands sent"]);
    assertStringIncludes(denied.remarks, "NOAUTH");
    const wrong = await runToolWith(["replay", path, `redis://:wrong@127.0.0.1:${s.port}`]);
    assertStringIncludes(wrong.remarks, "WRONGPASS");
    const right = await runToolWith(["replay", path, `redis://:secret@127.0.0.1:${s.port}`]);
    assertEquals([right.exitCode, s.core.keyspace.keyCount], [0, 1]);
  });
});
