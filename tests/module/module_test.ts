/** The public module, used as a program uses it: mod.ts. Nothing may be left open, which Deno checks. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CommandError, ConfigError, type Reply, start } from "../../mod.ts";
import { eventually } from "../support/eventually.ts";
import { connect, integer, status } from "../support/resp_client.ts";

/** Deno's own checks of what a test leaves open, said aloud. */
const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

// It starts a Deno, which Bun's test runner cannot.
const strictByDeno = { ...strict, ignore: "Bun" in globalThis };

Deno.test("importing the module does nothing", strictByDeno, async () => {
  const program = 'await import("./mod.ts"); console.log("imported");';
  const map = new TextDecoder().decode(
    (await new Deno.Command(Deno.execPath(), { args: ["task", "-q", "map"] }).output()).stdout,
  ).trim();
  const child = new Deno.Command(Deno.execPath(), {
    // No permission at all: whatever it tried would show.
    args: ["run", "-q", "--no-prompt", ...(map === "" ? [] : map.split(" ")), "-"],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assertEquals(new TextDecoder().decode(stderr), "");
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "imported\n"]);
});

Deno.test("start gives a server that answers in the program and on its port", strict, async () => {
  await using server = await start();
  assertEquals(await server.run("SET", "k", "grüße"), "OK");
  assertEquals(await server.run("GET", "k"), "grüße");
  assertEquals(await server.run("INCRBY", "n", 41n), 41);
  assertEquals(await server.run("INCRBY", "n", 9_007_199_254_740_993n), 9_007_199_254_741_034n);
  assertEquals(await server.run("GET", "none"), null);
  assertEquals(await server.run("RPUSH", "l", "a", 1, new Uint8Array([0, 255])), 3);
  assertEquals(await server.runBytes("LRANGE", "l", 0, -1), [
    new Uint8Array([0x61]),
    new Uint8Array([0x31]),
    new Uint8Array([0, 255]),
  ]);
  assert(server.port > 0);
  using client = await connect(server.port);
  assertEquals(await client.call("STRLEN", "k"), integer(7));
});

Deno.test("an error reply rejects; within EXEC it is part of the reply", strict, async () => {
  await using server = await start({ port: 0 });
  assertEquals(server.port, 0);
  await server.run("SET", "k", "v");
  const error = await assertRejects(() => server.run("LPUSH", "k", "x"), CommandError);
  assertEquals(error.code, "WRONGTYPE");
  assert(error.message.startsWith("WRONGTYPE Operation against a key"));
  await assertRejects(() => server.run("NOSUCH"), CommandError, "ERR unknown command");
  await assertRejects(() => server.run(), TypeError);
  await server.run("MULTI");
  assertEquals(await server.run("LPUSH", "k", "x"), "QUEUED");
  await server.run("SET", "k", "w");
  const [failed, done] = await server.run("EXEC") as Reply[];
  assert(failed instanceof CommandError);
  assertEquals(done, "OK");
});

Deno.test("replies of RESP3 are maps, sets, numbers and booleans", strict, async () => {
  await using server = await start({ port: 0 });
  const hello = await server.run("HELLO", 3) as Map<Reply, Reply>;
  assertEquals(hello.get("server"), "redis");
  await server.run("HSET", "h", "f", "v");
  assertEquals(await server.run("HGETALL", "h"), new Map([["f", "v"]]));
  await server.run("SADD", "s", "a", "b");
  assertEquals(await server.run("SMEMBERS", "s"), new Set(["a", "b"]));
  await server.run("ZADD", "z", "1.5", "m", "inf", "n");
  assertEquals(await server.run("ZSCORE", "z", "m"), 1.5);
  assertEquals(await server.run("ZSCORE", "z", "n"), Infinity);
  assertEquals(await server.run("GET", "none"), null);
});

Deno.test(
  "a reply of many chunks arrives whole, and 10,000 commands in order",
  strict,
  async () => {
    await using server = await start({ port: 0 });
    const long = "x".repeat(3_000_000);
    await server.run("SET", "long", long);
    assertEquals(await server.run("GET", "long"), long);
    const replies = await Promise.all(
      Array.from({ length: 10_000 }, () => server.run("INCR", "n")),
    );
    assertEquals(replies, Array.from({ length: 10_000 }, (_, i) => i + 1));
  },
);

Deno.test("a command that waits holds up its own client and no other", strict, async () => {
  await using server = await start({ port: 0 });
  using other = server.connect();
  const popped = server.run("BLPOP", "l", 0);
  const behind = server.run("PING");
  assertEquals(await other.run("LLEN", "l"), 0);
  assertEquals(await other.run("RPUSH", "l", "v"), 1);
  assertEquals(await popped, ["l", "v"]);
  assertEquals(await behind, "PONG");
  assertEquals(await other.run("BLPOP", "l", "0.01"), null);
  await other.run("CLIENT", "PAUSE", 20);
  assertEquals(await server.run("PING"), "PONG");
});

Deno.test("a client hears the messages of its subscriptions", strict, async () => {
  await using server = await start({ port: 0 });
  const heard: Reply[] = [];
  let tell = () => {};
  using ear = server.connect((message) => {
    heard.push(message);
    tell();
  });
  assertEquals(await ear.run("SUBSCRIBE", "a", "b"), ["subscribe", "a", 1]);
  const both = new Promise<void>((resolve) => tell = () => heard.length === 2 && resolve());
  assertEquals(await server.run("PUBLISH", "b", "hello"), 1);
  await both;
  assertEquals(heard, [["subscribe", "b", 2], ["message", "b", "hello"]]);
});

Deno.test(
  "a closed client, and a stopped server, reject what is still to come",
  strict,
  async () => {
    const server = await start({ port: 0 });
    const client = server.connect();
    const waiting = client.run("BLPOP", "l", 0);
    client.close();
    client.close();
    await assertRejects(() => waiting, Error, "has been closed");
    await assertRejects(() => client.run("PING"), Error, "has been closed");
    const own = server.run("BLPOP", "l", 0);
    await Promise.all([assertRejects(() => own, Error, "has been closed"), server.stop()]);
    await assertRejects(() => server.run("PING"), Error, "the server has stopped");
    assertThrows(() => server.connect(), Error, "the server has stopped");
    await server.stop();
  },
);

Deno.test(
  "CLIENT KILL and QUIT end the program's own client, and the next call has a new one",
  strict,
  async () => {
    await using server = await start({ port: 0 });
    assertEquals(await server.run("QUIT"), "OK");
    assertEquals(await server.run("PING"), "PONG");
    using other = server.connect();
    const waiting = server.run("BLPOP", "l", 0);
    await other.run("CLIENT", "KILL", "SKIPME", "yes");
    await assertRejects(() => waiting, Error, "has been closed");
    assertEquals(await server.run("PING"), "PONG");
  },
);

Deno.test(
  "a server is stopped and started on the same port at once, twenty times",
  strict,
  async () => {
    let port: number | "auto" = "auto";
    for (let i = 0; i < 20; i++) {
      const server = await start({ port });
      using client = await connect(server.port);
      assertEquals(await client.call("SET", "k", String(i)), status("OK"));
      port = server.port;
      await server.stop();
    }
  },
);

Deno.test("two servers share neither data nor password nor port", strict, async () => {
  await using a = await start({ requirepass: "secret" });
  await using b = await start();
  assert(a.port !== b.port);
  await a.run("SET", "k", "of a");
  assertEquals(await b.run("GET", "k"), null);
  using client = await connect(a.port);
  assertEquals(
    (await client.call("GET", "k") as { text: string }).text,
    "NOAUTH Authentication required.",
  );
});

Deno.test("the dataset is kept where save and dir say so", strict, async () => {
  const dir = Deno.makeTempDirSync();
  const options = { port: 0, dir, save: "3600 1" } as const;
  {
    await using server = await start(options);
    await server.run("SET", "k", "v");
  }
  {
    await using server = await start(options);
    assertEquals(await server.run("GET", "k"), "v");
  }
  Deno.removeSync(dir, { recursive: true });
});

Deno.test(
  "without dir nothing is loaded and no file is left in the working folder",
  strict,
  async () => {
    const before = [...Deno.readDirSync(".")].map(({ name }) => name).sort();
    {
      await using master = await start({ "repl-diskless-sync-delay": 0 });
      await master.run("SET", "k", "v");
      await using replica = await start({ replicaof: ["127.0.0.1", String(master.port)] });
      await eventually(async () => await replica.run("GET", "k") === "v", { timeoutMs: 30_000 });
      const error = await assertRejects(() => replica.run("SET", "k", "w"), CommandError);
      assertEquals(error.code, "READONLY");
    }
    assertEquals([...Deno.readDirSync(".")].map(({ name }) => name).sort(), before);
  },
);

Deno.test("SHUTDOWN of a client ends the server and not the program", strict, async () => {
  const server = await start();
  using client = await connect(server.port);
  await client.send("SHUTDOWN NOSAVE\r\n");
  await server.ended;
  await using again = await start({ port: server.port });
  assertEquals(await again.run("PING"), "PONG");
});

for (const first of ["stop", "SHUTDOWN"]) {
  Deno.test(
    `a dataset that cannot be saved does not hold up stop: ${first} is first`,
    strict,
    async () => {
      const dir = Deno.makeTempDirSync();
      const server = await start({ dir, save: "3600 1" });
      await server.run("SET", "k", "v");
      Deno.removeSync(dir, { recursive: true });
      using client = server.connect();
      const refused = first === "SHUTDOWN"
        ? assertRejects(() => client.run("SHUTDOWN"), Error, "ERR Errors trying to SHUTDOWN")
        : Promise.resolve();
      await assertRejects(() => server.stop(), Error, "Cannot save the dataset");
      await refused;
      await server.ended;
      await using again = await start({ port: server.port });
      assertEquals(await again.run("PING"), "PONG");
    },
  );
}

Deno.test("the log goes to whom it is given", strict, async () => {
  const lines: string[] = [];
  const server = await start({ log: (line) => lines.push(line) });
  await server.stop();
  assert(
    lines.some((line) => line.endsWith("* Ready to accept connections tcp")),
    lines.join("\n"),
  );
});

for (
  const [directives, message] of [
    [
      { maxmemroy: "1mb" },
      "maxmemroy: Bad directive or wrong number of arguments (Did you mean 'maxmemory'?)",
    ],
    [
      { "maxmemory-policy": "whatever" },
      "maxmemory-policy: argument(s) must be one of the following",
    ],
    [{ bind: ["127.0.0.1"], dir: "/no/such/folder" }, "dir: No such file or directory"],
    [{ databases: "x" }, "databases: argument couldn't be parsed into an integer"],
  ] as const
) {
  Deno.test(`start rejects ${JSON.stringify(directives)}`, strict, async () => {
    const error = await assertRejects(
      () => start(directives as Record<string, string>),
      ConfigError,
    );
    assert(error.message.startsWith(message), error.message);
  });
}

Deno.test(
  "start rejects when it cannot listen or load, and leaves nothing behind",
  strict,
  async () => {
    await using first = await start();
    await assertRejects(() => start({ port: first.port }), Error, "Failed listening on port");
    const dir = Deno.makeTempDirSync();
    Deno.writeTextFileSync(`${dir}/dump.rdb`, "REDIS0011 and no more");
    const port = first.port;
    await first.stop();
    await assertRejects(() => start({ port, dir }), Error);
    await using again = await start({ port });
    assertEquals(await again.run("PING"), "PONG");
    Deno.removeSync(dir, { recursive: true });
  },
);
