/** What a demoted master has written and the new one does not have: it is in a file before it is dropped. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { RunningServer } from "../../server/running_server.ts";
import { eventually } from "../../support/eventually.ts";
import { RespClient } from "../../support/resp_client.ts";
import { array, FakeMaster, HISTORY, snapshot } from "./fake_master.ts";

const OTHER = "f".repeat(40);

/** A master and its replica, which have the same so far. */
async function pair(folder: string, ...lines: string[]) {
  const a = await RunningServer.start(`dir ${folder}`, "repl-diskless-sync-delay 0", ...lines);
  const b = await RunningServer.start("repl-diskless-sync-delay 0");
  await call(b, "REPLICAOF", "127.0.0.1", `${a.port}`);
  await linkUp(b);
  await call(a, "SET", "shared", "1");
  await eventually(() => b.core.keyspace.keyCount === 1);
  return { a, b };
}

/** The first snapshot waits until the program of its worker is ready, which may take long. */
async function linkUp({ core: { replication } }: RunningServer): Promise<void> {
  await eventually(() => replication.replica.isLinkUp, { timeoutMs: 60_000, what: "the link" });
}

async function call(s: RunningServer, ...words: string[]) {
  using client = await s.connect();
  return await client.call(...words);
}

async function calls(client: RespClient, ...requests: string[]): Promise<void> {
  for (const request of requests) await client.call(...request.split(" "));
}

function info(s: RunningServer): Record<string, string> {
  const { replication, keyspace } = s.core;
  return Object.fromEntries(
    replication.infoFields(keyspace.steadyMs).map(([name, value]) => [name, String(value)]),
  );
}

function tails(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    name.startsWith("diverged-")
  );
}

/** The words of a file's commands, and its comments. */
function read(folder: string, name: string): { comments: string[]; commands: string } {
  const lines = new TextDecoder("latin1").decode(Deno.readFileSync(`${folder}/${name}`)).split(
    "\r\n",
  );
  const words = lines.filter((line) => line !== "" && !/^[#*$]/.test(line));
  return {
    comments: lines.filter((line) => line.startsWith("#")),
    commands: words.join(" "),
  };
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await work(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a demoted master saves what the new one does not have before it takes over the new one's dataset", async () => {
  await inFolder(async (folder) => {
    const { a, b } = await pair(folder);
    await using _a = a;
    await using _b = b;
    const id = a.core.replication.ids.id;
    await call(b, "REPLICAOF", "NO", "ONE");
    const from = b.core.replication.offset;
    using client = await a.connect();
    await calls(client, "SET lost 1", "SELECT 3", "MULTI", "INCR n", "SELECT 0", "SADD s a");
    await calls(client, "EXEC", "SETEX e 1000 v", "DEL nothing");
    await call(b, "SET", "new", "1");
    await call(a, "REPLICAOF", "127.0.0.1", `${b.port}`);
    await linkUp(a);

    const name = `diverged-${id}-${from}.aof`;
    assertEquals(tails(folder), [name]);
    const { comments, commands } = read(folder, name);
    assertMatch(
      commands,
      /^SELECT 0 SET lost 1 MULTI SELECT 3 INCR n SELECT 0 SADD s a EXEC SET e v PXAT \d+$/,
    );
    assertEquals(
      comments[0],
      "# tsredis diverged tail: writes of a master that another has replaced",
    );
    assertEquals(comments[1], `# history ${id}`);
    assertMatch(comments[2], new RegExp(`^# from offset ${from} to \\d+$`));
    assertEquals(comments.length, 4);
    const fields = info(a);
    assertEquals([fields.diverged_tail_file, fields.diverged_tail_commands], [name, "4"]);
    assertEquals(fields.diverged_tail_bytes, String(Deno.statSync(`${folder}/${name}`).size));
    assert(a.hasLogged(`4 command(s) saved in ${name}`));
    assertEquals(
      a.core.replication.events.latest(9).some(({ event }) => event === "tail-saved"),
      true,
    );
    assertEquals(a.core.keyspace.keyCount, b.core.keyspace.keyCount);
  });
});

Deno.test("a demoted master that has written nothing saves nothing", async () => {
  await inFolder(async (folder) => {
    const { a, b } = await pair(folder);
    await using _a = a;
    await using _b = b;
    await call(b, "REPLICAOF", "NO", "ONE");
    await eventually(() => a.core.replication.master.count === 0);
    const { stream } = a.core.keyspace;
    stream.unit(() => stream.add(stream.database, ["ping"]));
    await call(a, "REPLICAOF", "127.0.0.1", `${b.port}`);
    await linkUp(a);
    assertEquals(tails(folder), []);
    assertEquals(info(a).diverged_tail_file, undefined);
  });
});

Deno.test("of a tail that is longer than the backlog the file has the end, and says what is missing", async () => {
  await inFolder(async (folder) => {
    const { a, b } = await pair(folder, "repl-backlog-size 64kb");
    await using _a = a;
    await using _b = b;
    await call(b, "REPLICAOF", "NO", "ONE");
    await eventually(() => a.core.replication.master.count === 0);
    using client = await a.connect();
    await client.call("SELECT", "5");
    for (let i = 0; i < 400; i++) await client.call("SET", `k${i}`, "\n*1\r\n".repeat(100));
    await call(a, "REPLICAOF", "127.0.0.1", `${b.port}`);
    await linkUp(a);
    const [name] = tails(folder);
    const { comments, commands } = read(folder, name);
    assertMatch(commands, /^SELECT 5 SET k\d+ /);
    assert(commands.includes("SET k399 "));
    assertMatch(
      comments.find((line) => line.startsWith("# missing"))!,
      /^# missing: \d+ bytes at its beginning were no longer in the backlog$/,
    );
    assert(a.hasLogged("bytes at its beginning were no longer in the backlog"));
  });
});

Deno.test("diverged-tail-max-size: the file has the beginning of the tail; with 0 there is none, and the log says so", async () => {
  for (const max of [0, 1000]) {
    await inFolder(async (folder) => {
      const { a, b } = await pair(folder, `diverged-tail-max-size ${max}`);
      await using _a = a;
      await using _b = b;
      await call(b, "REPLICAOF", "NO", "ONE");
      using client = await a.connect();
      for (let i = 0; i < 50; i++) await client.call("SET", `k${i}`, "v");
      await call(a, "REPLICAOF", "127.0.0.1", `${b.port}`);
      await linkUp(a);
      if (max === 0) {
        assertEquals(tails(folder), []);
        assert(a.hasLogged("and are not saved (diverged-tail-max-size is 0)"));
        return;
      }
      const { comments, commands } = read(folder, tails(folder)[0]);
      assertMatch(commands, /^SELECT 0 SET k0 v SET k1 v/);
      assertMatch(
        comments.at(-1)!,
        /^# missing: \d+ bytes at its end are beyond diverged-tail-max/,
      );
      assert(a.hasLogged("bytes at its end are beyond diverged-tail-max-size"));
    });
  }
});

Deno.test("a transaction of the tail that is longer than diverged-tail-max-size is left out, and read no further", async () => {
  await inFolder(async (folder) => {
    const { a, b } = await pair(folder, "diverged-tail-max-size 1000");
    await using _a = a;
    await using _b = b;
    await call(b, "REPLICAOF", "NO", "ONE");
    using client = await a.connect();
    await calls(client, "SET first 1", "MULTI");
    for (let i = 0; i < 100; i++) await client.call("SET", `k${i}`, "v");
    await calls(client, "EXEC", "SET last 1");
    const from = a.core.replication.offset;
    await call(a, "REPLICAOF", "127.0.0.1", `${b.port}`);
    await linkUp(a);
    const { comments, commands } = read(folder, tails(folder)[0]);
    assertEquals(commands.trim(), "SELECT 0 SET first 1");
    const missing = /^# missing: (\d+) bytes at its end are beyond diverged-tail-max/.exec(
      comments.at(-1)!,
    );
    assert(Number(missing![1]) > 2000 && Number(missing![1]) < from, `${comments}`);
  });
});

Deno.test("a tail of which nothing can be saved is told of in the log and in REPLICATION LOG", async () => {
  await inFolder(async (folder) => {
    const { a, b } = await pair(folder, "diverged-tail-max-size 1000");
    await using _a = a;
    await using _b = b;
    await call(b, "REPLICAOF", "NO", "ONE");
    await call(a, "SET", "big", "x".repeat(3000));
    await call(a, "REPLICAOF", "127.0.0.1", `${b.port}`);
    await linkUp(a);
    assertEquals(tails(folder), []);
    assertEquals(info(a).diverged_tail_file, undefined);
    assert(a.hasLogged("nothing of that can be saved; "));
    assert(a.hasLogged("bytes at its end are beyond diverged-tail-max-size"));
    const events = a.core.replication.events.latest(20).map(({ event }) => event);
    assert(events.includes("tail-lost"), `${events}`);
  });
});

for (const isReplica of [false, true]) {
  const role = isReplica ? "as a replica" : "as a master that is demoted then";
  Deno.test(`a master that is started anew ${role} saves what its append-only file has and the new master has not`, async () => {
    await inFolder(async (folder) => {
      const { a, b } = await pair(folder, "appendonly yes");
      await using _b = b;
      const id = a.core.replication.ids.id;
      await call(b, "REPLICAOF", "NO", "ONE");
      using client = await a.connect();
      await calls(
        client,
        "SELECT 3",
        "SET lost 1",
        "MULTI",
        "INCR n",
        "SELECT 0",
        "SADD s a",
        "EXEC",
      );
      await a[Symbol.asyncDispose]();
      const master = isReplica ? [`replicaof 127.0.0.1 ${b.port}`] : [];
      await using again = await RunningServer.start(`dir ${folder}`, "appendonly yes", ...master);
      if (!isReplica) {
        assertEquals(again.core.keyspace.keyCount, 4);
        await call(again, "SET", "later", "1");
        await call(again, "REPLICAOF", "127.0.0.1", `${b.port}`);
      }
      await linkUp(again);
      const name = `diverged-${id}-${b.core.replication.ids.secondOffset - 1}.aof`;
      assertEquals(tails(folder), [name]);
      const { commands } = read(folder, name);
      const lost = "SELECT 3 SET lost 1 MULTI INCR n SELECT 0 SADD s a EXEC";
      const all = isReplica ? lost : `${lost} SET later 1`;
      assert(commands.endsWith(all), commands);
      assertEquals(again.core.keyspace.keyCount, 1);
    });
  });
}

Deno.test("what was written last before a master was killed is saved with it, though nobody has counted it", async () => {
  await inFolder(async (folder) => {
    // What a kill leaves: commands behind the last line that says where the dataset stands.
    const written = array("SELECT", "0") + array("SET", "shared", "1") +
      `#RI:${HISTORY}\r\n#RP:100:0:0:-1:0\r\n` +
      array("SET", "lost", "1") + array("SET", "lost", "2");
    Deno.mkdirSync(`${folder}/appendonlydir`);
    Deno.writeTextFileSync(`${folder}/appendonlydir/appendonly.aof.1.incr.aof`, written);
    Deno.writeTextFileSync(
      `${folder}/appendonlydir/appendonly.aof.manifest`,
      "file appendonly.aof.1.incr.aof seq 1 type i\n",
    );
    using master = new FakeMaster();
    await using s = await RunningServer.start(
      `dir ${folder}`,
      "appendonly yes",
      `replicaof 127.0.0.1 ${master.port}`,
    );
    const link = await master.accept();
    const body = snapshot({ shared: "1" });
    const info =
      `master_replid:${OTHER}\r\nmaster_repl_offset:300\r\nmaster_replid2:${HISTORY}\r\n` +
      "second_repl_offset:121\r\n";
    await link.greet({ INFO: `$${info.length}\r\n${info}\r\n` });
    await link.send(`+FULLRESYNC ${OTHER} 300\r\n$${body.length}\r\n${body}`);
    await linkUp(s);
    assertEquals(tails(folder), [`diverged-${HISTORY}-120.aof`]);
    const { comments, commands } = read(folder, `diverged-${HISTORY}-120.aof`);
    assertEquals(commands, "SELECT 0 SET lost 1 SET lost 2");
    assert(comments.includes("# the first of them may be known to the new master"), `${comments}`);
    assert(
      s.hasLogged("What we wrote last, behind offset 100 of our history, may not be in that of"),
    );
    assertEquals(s.core.keyspace.keyCount, 1);
  });
});

Deno.test("a replica that was killed and whose master is still the same has nothing to save", async () => {
  await inFolder(async (folder) => {
    const written = array("SELECT", "0") + array("SET", "k", "1") +
      `#RI:${HISTORY}\r\n#RP:100:0:0:-1:0\r\n` +
      array("SET", "k", "2");
    Deno.mkdirSync(`${folder}/appendonlydir`);
    Deno.writeTextFileSync(`${folder}/appendonlydir/appendonly.aof.1.incr.aof`, written);
    Deno.writeTextFileSync(
      `${folder}/appendonlydir/appendonly.aof.manifest`,
      "file appendonly.aof.1.incr.aof seq 1 type i\n",
    );
    using master = new FakeMaster();
    await using s = await RunningServer.start(
      `dir ${folder}`,
      "appendonly yes",
      `replicaof 127.0.0.1 ${master.port}`,
    );
    const link = await master.accept();
    const body = snapshot({ k: "2" });
    const info = `master_replid:${HISTORY}\r\nmaster_repl_offset:300\r\n`;
    await link.greet({ INFO: `$${info.length}\r\n${info}\r\n` });
    await link.send(`+FULLRESYNC ${HISTORY} 300\r\n$${body.length}\r\n${body}`);
    await linkUp(s);
    assertEquals(tails(folder), []);
    assert(!s.hasLogged("of our history"));
  });
});

Deno.test("a master that is started anew from a snapshot keeps that, where it has what the new master has not", async () => {
  await inFolder(async (folder) => {
    const { a, b } = await pair(folder);
    await using _b = b;
    const id = a.core.replication.ids.id;
    await call(b, "REPLICAOF", "NO", "ONE");
    await call(a, "SET", "lost", "1");
    await call(a, "SAVE");
    const saved = Deno.readFileSync(`${folder}/dump.rdb`);
    await a[Symbol.asyncDispose]();
    await using again = await RunningServer.start(`dir ${folder}`, `replicaof 127.0.0.1 ${b.port}`);
    await linkUp(again);
    const name = `diverged-${id}-${b.core.replication.ids.secondOffset - 1}.rdb`;
    assertEquals(tails(folder), [name]);
    assert(again.hasLogged(`is kept as ${name}`), again.logLines.join(""));
    assert(again.hasLogged("bytes at its beginning were no longer in the backlog"));
    const events = again.core.replication.events.latest(100).map(({ event }) => event);
    assert(events.includes("tail-lost"), `${events}`);
    await call(again, "SAVE");
    assertEquals(Deno.readFileSync(`${folder}/${name}`), saved);
    assertEquals(again.core.keyspace.keyCount, 1);
  });
});

Deno.test("a new master that does not tell its history: the tail begins at what was acknowledged last", async () => {
  await inFolder(async (folder) => {
    const { a, b } = await pair(folder);
    await using _a = a;
    await using _b = b;
    await eventually(() => a.core.replication.history.acknowledgedOffset > 0);
    await call(b, "REPLICAOF", "NO", "ONE");
    const acknowledged = a.core.replication.history.acknowledgedOffset;
    await call(a, "SET", "lost", "1");
    using master = new FakeMaster();
    await call(a, "REPLICAOF", "127.0.0.1", `${master.port}`);
    const link = await master.accept();
    await link.greet({ INFO: "-NOPERM this user has no permissions\r\n" });
    const body = snapshot({ k: "v" });
    await link.send(`+FULLRESYNC ${HISTORY} 7\r\n$${body.length}\r\n${body}${array("PING")}`);
    await link.untilAcknowledged(7 + array("PING").length);
    const [name] = tails(folder);
    assert(name.endsWith(`-${acknowledged}.aof`), name);
    const { comments, commands } = read(folder, name);
    assertMatch(commands, /SET lost 1$/);
    assertEquals(comments.at(-1), "# the first of them may be known to the new master");
  });
});

Deno.test("a tail that cannot be saved keeps the dataset as it is", async () => {
  await inFolder(async (folder) => {
    const { a, b } = await pair(folder, "repl-diskless-load swapdb");
    await using _a = a;
    await using _b = b;
    await call(b, "REPLICAOF", "NO", "ONE");
    const from = b.core.replication.offset;
    await call(a, "SET", "lost", "1");
    const name = `diverged-${a.core.replication.ids.id}-${from}.aof`;
    Deno.mkdirSync(`${folder}/${name}`); // no file can be made there
    await call(a, "REPLICAOF", "127.0.0.1", `${b.port}`);
    await eventually(() => info(a).master_sync_failures === "1", { timeoutMs: 60_000 });
    assertMatch(info(a).master_sync_last_error, /cannot be saved: .*diverged-tail-max-size 0/);
    assertEquals(a.core.keyspace.keyCount, 2);
    Deno.removeSync(`${folder}/${name}`);
    await linkUp(a);
    assertEquals(tails(folder), [name]);
    assertEquals(a.core.keyspace.keyCount, 1);
  });
});
