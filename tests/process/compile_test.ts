/**
 * The single executable: that it is the server, with its signals, its workers and its data.
 *
 * TSREDIS_TEST_EXECUTABLE names one made before; without it the tests make one, by the runtime that
 * this network allows.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { ROOT } from "../../tools/server_flags.ts";
import { eventually } from "../support/eventually.ts";
import { hasRedisCli } from "../support/real_redis.ts";
import { array, bulk, integer, status, textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { sourceCommand, startTsredis, testExecutable } from "../support/tsredis_process.ts";

const folder = await Deno.makeTempDir({ prefix: "tsredis-executable-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

let executablePromise: Promise<string> | undefined;

function executable(): Promise<string> {
  executablePromise ??= makeExecutable();
  return executablePromise;
}

async function makeExecutable(): Promise<string> {
  if (testExecutable !== undefined) return testExecutable;
  const output = join(folder, "tsredis");
  await run(Deno.execPath(), ["task", "compile", `--output=${output}`]);
  return output;
}

/** Runs a program to its end and gives what it printed. */
async function run(program: string, args: string[], exitCode = 0): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd: ROOT })
    .output();
  const decoder = new TextDecoder();
  assert(
    code === exitCode,
    `${program} ${args.join(" ")}: ${decoder.decode(stdout)}${decoder.decode(stderr)}`,
  );
  return decoder.decode(stdout);
}

/** What redis-cli prints for one command, without the line end. */
async function redisCli(server: ServerProcess, ...words: string[]): Promise<string> {
  return (await run("redis-cli", ["-p", `${server.port}`, ...words])).trimEnd();
}

Deno.test("the executable answers --version and --help as the sources do", async () => {
  const path = await executable();
  const [deno, ...flags] = await sourceCommand();
  // As with redis-server, who asks for help has not started a server: exit code 1.
  for (const [option, exitCode] of [["--version", 0], ["--help", 1]] as const) {
    const answer = await run(path, [option], exitCode);
    const expected = await run(deno, [...flags, option], exitCode);
    assertEquals(withoutRuntime(answer), withoutRuntime(expected));
    assertMatch(answer, /tsredis/i);
  }
});

/** The runtime is the one thing that an executable may have of its own. */
function withoutRuntime(text: string): string {
  return text.replace(/ (deno|bun)=[\d.]+ /, " runtime ");
}

Deno.test("the executable keeps its data over SHUTDOWN and over SIGTERM", async () => {
  const path = await executable();
  const dir = await Deno.makeTempDir({ dir: folder });
  // With a save point a stop saves; the point itself is never reached.
  const args = ["--save", "3600 1000000"];
  {
    await using server = await startTsredis({ executable: path, args, dir });
    using client = await server.connect();
    await client.call("SET", "k", "one");
    await client.send("SHUTDOWN\r\n");
    assertEquals((await server.ended()).code, 0, server.log);
  }
  {
    await using server = await startTsredis({ executable: path, args, dir });
    using client = await server.connect();
    assertEquals(await client.call("GET", "k"), bulk("one"));
    await client.call("SET", "k", "two");
    // Reaches the server because its process is the one that was started.
    const ending = await server.stop("SIGTERM");
    assertEquals([ending.code, ending.signal], [0, null], server.log);
  }
  await using server = await startTsredis({ executable: path, args, dir });
  using client = await server.connect();
  assertEquals(await client.call("GET", "k"), bulk("two"));
});

Deno.test("the executable saves in the background: what runs in a worker runs there too", async () => {
  await using server = await startTsredis({ executable: await executable() });
  using client = await server.connect();
  await client.call("SET", "k", "v");
  await client.call("BGSAVE");
  await eventually(async () => {
    const info = textOf(await client.call("INFO", "persistence"));
    assertMatch(info, /rdb_bgsave_in_progress:0/);
    assertMatch(info, /rdb_last_bgsave_status:ok/);
    return (await Deno.stat(join(server.dir, "dump.rdb"))).isFile;
  }, { what: "the background save to end well" });
});

Deno.test("the executable runs scripts, ends long ones, and has its functions after a restart", async () => {
  const path = await executable();
  const dir = await Deno.makeTempDir({ dir: folder });
  const args = ["--busy-reply-threshold", "1"];
  {
    await using server = await startTsredis({ executable: path, args, dir });
    using client = await server.connect();
    using runner = await server.connect();
    const script = "return redis.call('incrby', KEYS[1], cjson.decode(ARGV[1])[1])";
    assertEquals(await client.call("EVAL", script, "1", "k", "[5]"), integer(5));
    const library = "#!lua name=a\nredis.register_function('f', function(k) " +
      "for i = 1, 1e7 do end return redis.call('incr', k[1]) end)";
    assertEquals(await client.call("FUNCTION", "LOAD", library), bulk("a"));
    const ended = runner.call("EVAL", "while true do end", "0");
    await eventually(async () => {
      const reply = await client.call("GET", "k");
      return reply.kind === "error" && reply.text.startsWith("BUSY");
    });
    assertEquals(await client.call("SCRIPT", "KILL"), status("OK"));
    assertMatch((await ended as { text: string }).text, /^ERR Script killed by user/);
    await runner.pipeline([["MULTI"], ["FCALL", "f", "1", "k"], ["GET", "k"]]);
    assertEquals(await runner.call("EXEC"), array(integer(6), bulk("6")));
    await client.send("SHUTDOWN SAVE\r\n");
    assertEquals((await server.ended()).code, 0, server.log);
  }
  await using server = await startTsredis({ executable: path, args, dir });
  using client = await server.connect();
  assertEquals(await client.call("FCALL", "f", "1", "k"), integer(7));
});

Deno.test({
  name: "the executable serves redis-cli: set, get, shut down, start again with the data",
  ignore: !hasRedisCli,
  async fn() {
    const path = await executable();
    const dir = await Deno.makeTempDir({ dir: folder });
    {
      await using server = await startTsredis({ executable: path, dir });
      assertEquals(await redisCli(server, "SET", "greeting", "hello"), "OK");
      assertEquals(await redisCli(server, "RPUSH", "list", "a", "b"), "2");
      await redisCli(server, "SHUTDOWN", "SAVE");
      assertEquals((await server.ended()).code, 0, server.log);
    }
    await using server = await startTsredis({ executable: path, dir });
    assertEquals(await redisCli(server, "GET", "greeting"), "hello");
    assertEquals(await redisCli(server, "LRANGE", "list", "0", "-1"), "a\nb");
  },
});
