/** A replica that takes nothing for long while much is written: `repl-backlog-spill-size`. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { RunningServer } from "./running_server.ts";

const VALUE = "v".repeat(100_000);

/** How replicas introduce themselves: those of today, and those of 2.8 to 3.2, whose stream is one of their own. */
const TODAY = "capa eof capa psync2";
const OLDER = "listening-port 7001 capa eof";

/** Asks for a full sync and reads nothing of it yet. */
async function slowReplica(port: number, words = TODAY): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(`REPLCONF ${words}\r\n`));
  await connection.read(new Uint8Array("+OK..".length));
  await connection.write(new TextEncoder().encode("PSYNC ? -1\r\n"));
  return connection;
}

/** Reads until the stream has led to this key; answers how many SETs were in it. */
async function readUntil(connection: Deno.TcpConn, last: string): Promise<number> {
  const buffer = new Uint8Array(1 << 20);
  const decoder = new TextDecoder();
  let tail = "";
  let end = "";
  let sets = 0;
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error(`the connection has ended after ${sets} commands`);
    const text = tail + decoder.decode(buffer.subarray(0, count));
    // It gets its stream once it has said that it has the snapshot, of which this may be a part.
    if (sets === 0) await connection.write(new TextEncoder().encode("REPLCONF ACK 0\r\n"));
    sets += text.split("\nSET\r").length - 1;
    end = (end + text).slice(-100);
    if (end.includes(last)) return sets;
    tail = text.slice(-4);
  }
}

for (const [who, words] of [["a replica", TODAY], ["an older replica", OLDER]]) {
  Deno.test(`${who} that is slow is not dropped: what waits for it goes to files, and comes whole`, async () => {
    await using master = await RunningServer.start(
      "repl-backlog-spill-size 1mb",
      "repl-timeout 600",
      "repl-diskless-sync-delay 0",
      'client-output-buffer-limit "replica 8mb 4mb 1"',
    );
    using connection = await slowReplica(master.port, words);
    const { replication } = master.core;
    await eventually(() => replication.master.count === 1 && replication.backlog !== null);
    using client = await master.connect();
    for (let i = 0; i < 600; i++) {
      await client.call("SET", `key ${i}`, VALUE);
      // A busy disk may take its time.
      if (i % 20 === 0) await eventually(() => replication.backlogBytes < 5 << 20);
    }
    await eventually(() => replication.backlogBytes < 6 << 20);
    assert(replication.spilledBytes > 50_000_000, `${replication.spilledBytes}`);
    assert(master.hasLogged("goes to temporary files"));
    const info = await client.call("INFO", "replication");
    assert("text" in info && /repl_backlog_spilled_bytes:[1-9]/.test(info.text));
    await client.call("SET", "the last of all", "1");
    assertEquals(await readUntil(connection, "the last of all"), 601);
    await eventually(() => replication.spilledBytes === 0);
    assert(master.hasLogged("those are gone"));
    assertEquals(replication.master.count, 1);
  });
}

Deno.test("a replica that is slow keeps what waits for it in files where a save fails for another reason than a full disk", async () => {
  await using master = await RunningServer.start(
    "repl-backlog-spill-size 1mb",
    "repl-timeout 600",
    "repl-diskless-sync-delay 0",
  );
  using connection = await slowReplica(master.port);
  const { replication, persistence, clock } = master.core;
  await eventually(() => replication.master.count === 1 && replication.backlog !== null);
  using client = await master.connect();
  for (let i = 0; i < 200; i++) await client.call("SET", `key ${i}`, VALUE);
  await eventually(() => replication.spilledBytes > 5_000_000);
  Deno.mkdirSync(`${master.dir}/dump.rdb`);
  // Refused while the snapshot of the full sync is still on its way.
  await eventually(async () => (await client.call("BGSAVE")).kind === "status");
  await eventually(() => !persistence.lastSaveOk);
  const failedMs = clock.monotonic();
  await eventually(() => clock.monotonic() - failedMs > 500); // turns of the timer
  assert(replication.spilledBytes > 5_000_000);
  await client.call("SET", "the last of all", "1");
  assertEquals(await readUntil(connection, "the last of all"), 201);
});

Deno.test("with repl-backlog-spill-size 0 a replica that is slow is dropped as in Redis", async () => {
  await using master = await RunningServer.start(
    "repl-backlog-spill-size 0",
    "repl-diskless-sync-delay 0",
    'client-output-buffer-limit "replica 8mb 4mb 1"',
  );
  using _ = await slowReplica(master.port);
  const { replication } = master.core;
  await eventually(() => replication.master.count === 1 && replication.backlog !== null);
  using client = await master.connect();
  for (let i = 0; i < 200; i++) await client.call("SET", `key ${i}`, VALUE);
  await eventually(() => replication.master.count === 0);
  assert(master.hasLogged("overcoming of output buffer limits"));
});

// A value of more than the limit, which the backlog keeps as one block: a replica that was cut off for it would come back,
// go on where it was, and be cut off again, for ever.
Deno.test("one value larger than the hard limit of replicas comes to a slow one, and to one that goes on with it", async () => {
  await using master = await RunningServer.start(
    "repl-timeout 600",
    "repl-diskless-sync-delay 0",
    "rdbcompression no",
    'client-output-buffer-limit "replica 8mb 4mb 1"',
  );
  const { replication, clock } = master.core;
  using client = await master.connect();
  await client.call("SET", "source", VALUE.repeat(200));
  const payload = await client.call("DUMP", "source");
  assert(payload.kind === "bulk");
  await client.call("DEL", "source");
  using attached = await slowReplica(master.port);
  await eventually(() => replication.master.onlineReplicas().length === 1);
  await attached.write(new TextEncoder().encode("REPLCONF ACK 0\r\n"));
  await client.call("SET", "here", "it goes on");
  const { offset, ids } = replication;
  assertEquals((await client.call("RESTORE", "k", "0", payload.text)).kind, "status");
  assert(replication.backlog!.largestPieceBytes > 20_000_000);
  using back = await Deno.connect({ hostname: "127.0.0.1", port: master.port });
  await back.write(new TextEncoder().encode(`REPLCONF ${TODAY}\r\n`));
  await back.read(new Uint8Array("+OK..".length));
  await back.write(new TextEncoder().encode(`PSYNC ${ids.id} ${offset + 1}\r\n`));
  await eventually(() => replication.master.count === 2);
  const sinceMs = clock.monotonic();
  await eventually(() => clock.monotonic() - sinceMs > 1500); // turns of the timer, and the soft limit's second
  assertEquals(replication.master.count, 2);
  await client.call("SET", "the last of all", "1");
  assertEquals(await readUntil(back, "the last of all"), 1);
  assertEquals(await readUntil(attached, "the last of all"), 2);
  assert(!master.hasLogged("overcoming of output buffer limits"));
});
