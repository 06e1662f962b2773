/** A replica and a master that the test plays: handshake, full sync, stream, and how a link ends. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { RunningServer } from "../../server/running_server.ts";
import { eventually } from "../../support/eventually.ts";
import { error, status, textOf } from "../../support/resp_client.ts";
import {
  array,
  ask,
  FakeLink,
  FakeMaster,
  get,
  HISTORY,
  info,
  replicaOf,
  snapshot,
} from "./fake_master.ts";

const OTHER = "f".repeat(40);
const CAPABILITIES = "capa eof capa psync2 capa rdb-12 capa early-psync";
const LOADING = error("LOADING Redis is loading the dataset in memory");
const MARK = "0123456789abcdef0123456789abcdef01234567".replaceAll("0", "z");

function isUp(s: RunningServer): boolean {
  return s.core.replication.replica.isLinkUp;
}

/** Serves a full sync at once. */
async function serve(
  link: FakeLink,
  strings: Record<string, string>,
  { id = HISTORY, offset = 100 } = {},
): Promise<string> {
  const asked = await link.greet();
  const body = snapshot(strings);
  await link.send(`+FULLRESYNC ${id} ${offset}\r\n$${body.length}\r\n${body}`);
  await link.untilAcknowledged(offset);
  return asked;
}

Deno.test("a replica introduces itself in the words of Redis 7", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(
    master,
    "masteruser me",
    "masterauth secret",
    "replica-announce-ip 203.0.113.7",
    "replica-announce-port 7777",
  );
  const link = await master.accept();
  assertEquals(await link.request(), "PING");
  await link.send("-NOAUTH Authentication required.\r\n");
  // Everything up to PSYNC comes without waiting for answers.
  const said = [];
  for (let i = 0; i < 4; i++) said.push(await link.request());
  assertEquals(said, [
    "AUTH me secret",
    "REPLCONF listening-port 7777",
    "REPLCONF ip-address 203.0.113.7",
    `REPLCONF ${CAPABILITIES}`,
  ]);
  await link.send("+OK\r\n-ERR what?\r\n-ERR what?\r\n-ERR what?\r\n");
  const { ids } = s.core.replication;
  assertEquals(await link.request(), `PSYNC ${ids.id} 1`);
  assert(s.hasLogged("(Non critical) Master does not understand REPLCONF capa: -ERR what?"));
});

Deno.test("a master whose link was up is told all but PSYNC before its first answer, one that has failed since is felt for", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const first = await master.accept();
  assertEquals(await first.request(), "PING");
  assertEquals(first.unread, "");
  await first.send("+PONG\r\n");
  await serve(first, { k: "v" });
  first.close();
  const next = await master.accept();
  assertEquals(await next.request(), "PING");
  assertEquals(await next.request(), `REPLCONF listening-port ${s.port}`);
  assertEquals(await next.request(), `REPLCONF ${CAPABILITIES}`);
  assertEquals(next.unread, "");
  await next.send("+PONG\r\n+OK\r\n-ERR what?\r\n");
  assertEquals(await next.request(), `PSYNC ${HISTORY} 101`);
  next.close();
  const third = await master.accept();
  assertEquals(await third.request(), "PING");
  assertEquals(third.unread, "");
});

Deno.test("a master that takes PSYNC early is asked all at once, and its answers may come with the stream", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const first = await master.accept();
  const body = snapshot({ k: "v" });
  await first.greet({ "REPLCONF capa": "+OK early-psync\r\n" });
  await first.send(`+FULLRESYNC ${HISTORY} 100\r\n$${body.length}\r\n${body}`);
  await first.untilAcknowledged(100);
  first.close();
  const next = await master.accept();
  const said = [];
  for (let i = 0; i < 4; i++) said.push(await next.request());
  assertEquals(said, [
    "PING",
    `REPLCONF listening-port ${s.port}`,
    `REPLCONF ${CAPABILITIES}`,
    `PSYNC ${HISTORY} 101`,
  ]);
  const stream = array("SELECT", "0") + array("SET", "k", "w");
  await next.send(`+PONG\r\n+OK\r\n+OK early-psync\r\n+CONTINUE\r\n${stream}`);
  await next.untilAcknowledged(100 + stream.length);
  assertEquals(await get(s, "k"), "w");

  // Another server has its address now.
  next.close();
  const third = await master.accept();
  for (let i = 0; i < 3; i++) await third.request();
  assertEquals(await third.request(), `PSYNC ${HISTORY} ${101 + stream.length}`);
  await third.send(
    "+PONG\r\n+OK\r\n+OK\r\n-ERR SYNC and PSYNC are invalid with pending output\r\n",
  );
  assertEquals(await third.request(), `PSYNC ${HISTORY} ${101 + stream.length}`);
  await third.send("+CONTINUE\r\n");
  await third.untilAcknowledged(100 + stream.length);
  third.close();
  const fourth = await master.accept();
  for (let i = 0; i < 3; i++) await fourth.request();
  assertEquals(fourth.unread, "");
});

Deno.test("a password that is wrong by now ends a link on which PSYNC was sent early", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master, "masterauth secret");
  const first = await master.accept();
  const body = snapshot({ k: "v" });
  await first.greet({ "REPLCONF capa": "+OK early-psync\r\n" });
  await first.send(`+FULLRESYNC ${HISTORY} 100\r\n$${body.length}\r\n${body}`);
  await first.untilAcknowledged(100);
  first.close();
  const next = await master.accept();
  for (let i = 0; i < 5; i++) await next.request();
  const noAuth = "-NOAUTH Authentication required.\r\n";
  await next.send(noAuth + "-WRONGPASS invalid\r\n" + noAuth + noAuth + noAuth);
  assertEquals(await next.request(), null);
  assert(s.hasLogged("Unable to AUTH to MASTER: -WRONGPASS invalid"));
  const third = await master.accept();
  assertEquals(await third.request(), "PING");
  assertEquals(third.unread, "");
});

for (const size of [1, 7, 10_000]) {
  for (const isMarked of [false, true]) {
    const kind = isMarked ? "marked" : "counted";
    Deno.test(`a ${kind} snapshot and the stream arrive in pieces of ${size}, behind signs of life`, async () => {
      for (const load of ["disabled", "swapdb"]) {
        using master = new FakeMaster();
        await using s = await replicaOf(master, `repl-diskless-load ${load}`);
        await ask(s, "SET", "old", "1"); // refused: read-only
        const link = await master.accept();
        await link.greet();
        const body = snapshot({ a: "1", k: "v" });
        const head = isMarked ? `$EOF:${MARK}` : `$${body.length}`;
        const stream = array("SELECT", "3") + array("SET", "b", "2") + array("MULTI") +
          array("INCR", "b") + array("SELECT", "0") + array("SET", "a", "2") + array("EXEC");
        await link.sendCut(
          `\n\n+FULLRESYNC ${HISTORY} 1000\r\n\n\n${head}\r\n${body}${isMarked ? MARK : ""}` +
            stream,
          size,
        );
        await link.untilAcknowledged(1000 + stream.length);
        assertEquals(await get(s, "a"), "2");
        assertEquals(await get(s, "k"), "v");
        assertEquals(s.core.replication.ids.id, HISTORY);
        assertEquals(info(s).slave_repl_offset, String(1000 + stream.length));
        await link.send(array("REPLCONF", "GETACK", "*"));
        assertEquals(await link.acknowledged(), 1000 + stream.length);
      }
    });
  }
}

Deno.test("a replica connects from bind-source-addr, and without it where that is no address of ours", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master, "bind-source-addr 127.0.0.2");
  const from = async () => {
    const link = await master.accept();
    await serve(link, { a: "1" });
    link.close();
    return (link.socket.remoteAddr as Deno.NetAddr).hostname;
  };
  assertEquals(await from(), "127.0.0.2");
  await ask(s, "CONFIG", "SET", "bind-source-addr", "203.0.113.9");
  assertEquals(await from(), "127.0.0.1");
  await ask(s, "CONFIG", "SET", "bind-source-addr", "");
  assertEquals(await from(), "127.0.0.1");
  assertEquals(await get(s, "a"), "1");
});

/** Has a replica with `swapdb` read the beginning of a snapshot; what is served is of history `id`. */
async function beginSwapdbLoad(master: FakeMaster, id: string) {
  const s = await replicaOf(master, "repl-diskless-load swapdb", "replica-read-only no");
  const first = await master.accept();
  await serve(first, { mine: "1" });
  first.close();
  const link = await master.accept();
  await link.greet();
  const body = snapshot({ a: "1", b: "2" });
  await link.send(`+FULLRESYNC ${id} 500\r\n$${body.length}\r\n${body.slice(0, -12)}`);
  await eventually(() => s.core.persistence.replicaLoad?.isLoading === true);
  return { s, link };
}

async function loadingFields(s: RunningServer): Promise<string[]> {
  const fields = textOf(await ask(s, "INFO", "persistence"));
  return fields.split("\r\n").filter((line) => /^(async_)?loading:/.test(line));
}

Deno.test("swapdb: an earlier state of the same history is served while the next one is loaded", async () => {
  using master = new FakeMaster();
  const { s, link } = await beginSwapdbLoad(master, HISTORY);
  await using _ = s;
  assertEquals(await loadingFields(s), ["loading:0", "async_loading:1"]);
  assertEquals(await get(s, "mine"), "1");
  link.close();
});

Deno.test("swapdb: the data of another history are not served while the new ones are loaded, and again when that fails", async () => {
  using master = new FakeMaster();
  const { s, link } = await beginSwapdbLoad(master, OTHER);
  await using _ = s;
  assertEquals(await loadingFields(s), ["loading:1", "async_loading:0"]);
  assertEquals(await ask(s, "GET", "mine"), LOADING);
  link.close();
  await eventually(() => s.core.persistence.replicaLoad === null);
  assertEquals(await get(s, "mine"), "1");
  assertEquals(await loadingFields(s), ["loading:0", "async_loading:0"]);
});

Deno.test("CONFIG SET of what may not change during a load, and REPLICAOF, are refused while a full sync is loaded", async () => {
  using master = new FakeMaster();
  const { s, link } = await beginSwapdbLoad(master, HISTORY);
  await using _ = s;
  for (
    const words of [
      ["CONFIG", "SET", "appendonly", "no"],
      ["CONFIG", "SET", "repl-diskless-load", "disabled"],
      ["REPLICAOF", "NO", "ONE"],
    ]
  ) assertEquals(await ask(s, ...words), LOADING, words.join(" "));
  assertEquals(await ask(s, "CONFIG", "SET", "maxmemory", "0"), status("OK"));
  link.close();
});

const TOO_LARGE: [directives: string[], what: string][] = [
  [[], "It is kept whole; as a master this server would refuse writes"],
  [
    ["maxmemory-policy allkeys-lru"],
    "It is kept whole; as a master this server would evict keys",
  ],
  [
    ["maxmemory-policy allkeys-lru", "replica-ignore-maxmemory no"],
    "As replica-ignore-maxmemory is no, keys are evicted here that the master has",
  ],
];

for (const [directives, what] of TOO_LARGE) {
  Deno.test(`a dataset of a master that is larger than maxmemory is told of: ${what}`, async () => {
    using master = new FakeMaster();
    await using s = await replicaOf(master, "maxmemory 1", ...directives);
    const link = await master.accept();
    await serve(link, { k: "v" });
    assert(s.hasLogged(`The dataset of MASTER 127.0.0.1:${master.port} takes `));
    assert(s.hasLogged(`more than maxmemory (1B). ${what}`));
    link.close();
  });
}

Deno.test("a link that is lost in a transaction goes on before its MULTI, in the right database", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { k: "v" });
  const before = array("SELECT", "5") + array("SET", "n", "1");
  const transaction = array("MULTI") + array("INCR", "n") + array("EXEC");
  await link.send(before + transaction.slice(0, -5));
  await eventually(() =>
    info(s).slave_read_repl_offset === `${100 + (before + transaction).length - 5}`
  );
  link.close();
  const next = await master.accept();
  assertEquals(await next.greet(), `PSYNC ${HISTORY} ${100 + before.length + 1}`);
  await next.send(`+CONTINUE ${OTHER}\r\n${transaction}`);
  await next.untilAcknowledged(100 + (before + transaction).length);
  const { ids } = s.core.replication;
  assertEquals([ids.id, ids.secondId, ids.secondOffset], [OTHER, HISTORY, 100 + before.length + 1]);
  assert(s.hasLogged(`Master replication ID changed to ${OTHER}`));
  using client = await s.connect();
  assertEquals(await client.call("SELECT", "5"), status("OK"));
  assertEquals(textOf(await client.call("GET", "n")), "2");
});

Deno.test("a +CONTINUE without an id, as masters before 4.0 send it, keeps the one that was", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { k: "v" }, { offset: 1 });
  link.close();
  const next = await master.accept();
  assertEquals(await next.greet(), `PSYNC ${HISTORY} 2`);
  await next.send("+CONTINUE\r\n");
  assertEquals(await next.acknowledged(), 1);
  assertEquals(s.core.replication.ids.id, HISTORY);
});

Deno.test("a master without PSYNC is asked with SYNC, its inline SELECT is obeyed, and it gets no ACK", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await link.greet({ "REPLCONF capa": "-ERR Unrecognized REPLCONF option: capa\r\n" });
  await link.send("-ERR unknown command 'PSYNC'\r\n");
  assertEquals(await link.request(), "SYNC");
  const body = snapshot({ k: "v" });
  await link.send(`$${body.length}\r\n${body}select 3\r\n${array("SET", "b", "1")}`);
  await eventually(() => s.core.keyspace.databases[3].count === 1);
  assertEquals(await get(s, "k"), "v");
  link.close();
  const next = await master.accept();
  await next.greet();
});

const GREETINGS: [what: string, answers: Record<string, string>, log: string][] = [
  ["an error to PING", { PING: "-ERR no\r\n" }, "Error reply to PING from master: '-ERR no'"],
  ["a wrong password", { AUTH: "-WRONGPASS no\r\n" }, "Unable to AUTH to MASTER: -WRONGPASS no"],
];
for (const [what, answers, log] of GREETINGS) {
  Deno.test(`${what} ends the link, and it is tried again, told once`, async () => {
    using master = new FakeMaster();
    await using s = await replicaOf(master, "masterauth wrong");
    for (let i = 0; i < 4; i++) {
      const link = await master.accept();
      await link.greet(answers).catch(() => {});
    }
    const lines = s.logLines.filter((line) => line.includes(log) && !line.includes(" . "));
    assertEquals(lines.length, 1);
    const event = s.core.replication.events.latest(50).find(({ detail }) => detail === log);
    assert(event !== undefined && event.count >= 3);
  });
}

const ANSWERS: [what: string, answer: string, log: string][] = [
  [
    "-NOMASTERLINK",
    "-NOMASTERLINK Can't SYNC\r\n",
    "Master is currently unable to PSYNC but should be",
  ],
  [
    "-LOADING",
    "-LOADING Redis is loading\r\n",
    "Master is currently unable to PSYNC but should be",
  ],
  [
    "-MASTERDOWN",
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    "Master is currently unable to PSYNC but should be",
  ],
  [
    "-BUSY",
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n",
    "Master is currently unable to PSYNC but should be",
  ],
  ["a +FULLRESYNC without an offset", `+FULLRESYNC ${HISTORY}\r\n`, "wrong +FULLRESYNC syntax"],
  [
    "a +FULLRESYNC with a wrong offset",
    `+FULLRESYNC ${HISTORY} -5\r\n`,
    "wrong +FULLRESYNC syntax",
  ],
  [
    "an error in place of a snapshot",
    `+FULLRESYNC ${HISTORY} 1\r\n-ERR failed\r\n`,
    "MASTER aborted replication with an error: ERR failed",
  ],
  ["no snapshot", `+FULLRESYNC ${HISTORY} 1\r\nHTTP/1.1 200 OK\r\n`, "Bad protocol from MASTER"],
  [
    "half a snapshot",
    `+FULLRESYNC ${HISTORY} 1\r\n$1000\r\nREDIS0011`,
    "I/O error trying to sync with MASTER",
  ],
  [
    "garbage for a snapshot",
    `+FULLRESYNC ${HISTORY} 1\r\n$10\r\n0123456789`,
    "Failed trying to load the MASTER synchronization DB",
  ],
  [
    "a snapshot with a wrong checksum",
    `+FULLRESYNC ${HISTORY} 1\r\n$18\r\nREDIS0011\xff12345678`,
    "Failed trying to load the MASTER synchronization DB",
  ],
  ["a line without an end", "+".repeat(20_000), "Master did not reply to PSYNC"],
];
for (const [what, answer, log] of ANSWERS) {
  for (const load of ["disabled", "swapdb"]) {
    Deno.test(`${what} in answer to PSYNC changes nothing and is tried again (load ${load})`, async () => {
      using master = new FakeMaster();
      await using s = await RunningServer.start(`repl-diskless-load ${load}`);
      await ask(s, "SET", "mine", "1");
      const { id } = s.core.replication.ids;
      await ask(s, "REPLICAOF", "127.0.0.1", `${master.port}`);
      const link = await master.accept();
      await link.greet();
      await link.send(answer);
      if (/half|\+{9}/.test(what + answer)) link.close();
      const next = await master.accept();
      assertEquals(await next.greet(), `PSYNC ${id} 1`);
      assert(s.hasLogged(log), s.logLines.join(""));
      assertEquals(await get(s, "mine"), "1");
      assert(!isUp(s));
      // And then it works.
      const body = snapshot({ k: "v" });
      await next.send(`+FULLRESYNC ${HISTORY} 7\r\n$${body.length}\r\n${body}`);
      assertEquals(await next.acknowledged(), 7);
      assertEquals(await get(s, "k"), "v");
      const files = [...Deno.readDirSync(s.dir)].map(({ name }) => name);
      assertEquals(files.filter((name) => name.startsWith("temp")), []);
    });
  }
}

const GARBAGE = [
  "hello world\r\n",
  "*1\r\n+OK\r\n",
  "*x\r\n",
  "+OK\r\n",
  "$5\r\nabcde\r\n",
  "*1\r\n$-5\r\n",
  "\0\0\0\r\n",
];
for (const garbage of GARBAGE) {
  Deno.test(`${JSON.stringify(garbage)} in the stream ends the link, and what follows is a full sync`, async () => {
    using master = new FakeMaster();
    await using s = await replicaOf(master);
    const link = await master.accept();
    await serve(link, { k: "v" });
    await link.send(array("SET", "a", "1") + garbage + array("SET", "b", "1"));
    const next = await master.accept();
    assertEquals(await next.greet(), "PSYNC ? -1");
    assertEquals(await get(s, "a"), "1");
    assertEquals(s.core.keyspace.databases[0].count, 2);
    assert(s.hasLogged("master stream corruption?"), s.logLines.join(""));
    // Going on is not what was asked for now.
    await next.send(`+CONTINUE ${OTHER}\r\n`);
    const third = await master.accept();
    assertEquals(await third.greet(), "PSYNC ? -1");
    assertEquals(s.core.replication.ids.id, HISTORY);
  });
}

Deno.test("a command without an end is bounded", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master, "client-query-buffer-limit 1mb");
  const link = await master.accept();
  await serve(link, { k: "v" });
  await link.send("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4000000000\r\n" + "x".repeat(3 << 20)).catch(
    () => {},
  );
  const next = await master.accept();
  assertEquals(await next.greet(), "PSYNC ? -1");
  assertEquals(await get(s, "k"), "v");
  assert(s.hasLogged("longer than client-query-buffer-limit"));
});

Deno.test("CLIENT KILL TYPE master ends the link, which is sought again at the same offset", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { k: "v" });
  assertMatch(textOf(await ask(s, "CLIENT", "LIST", "TYPE", "master")), /flags=M db=0/);
  await ask(s, "CLIENT", "KILL", "TYPE", "master");
  const next = await master.accept();
  assertEquals(await next.greet(), `PSYNC ${HISTORY} 101`);
  assertEquals(await link.request(), null);
});

Deno.test("CLIENT PAUSE holds the stream of the master, and not what tells it that we are alive", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { a: "1" });
  await ask(s, "CLIENT", "PAUSE", "100000", "WRITE");
  const stream = array("SELECT", "0") + array("SET", "a", "2");
  await link.send(stream);
  await eventually(() => info(s).slave_read_repl_offset === `${100 + stream.length}`);
  assertEquals([info(s).slave_repl_offset, await get(s, "a")], ["100", "1"]);
  await link.untilAcknowledged(100);
  await ask(s, "CLIENT", "UNPAUSE");
  await eventually(() => info(s).slave_repl_offset === `${100 + stream.length}`);
  assertEquals(await get(s, "a"), "2");
});

Deno.test("REPLICAOF NO ONE in a full sync keeps what there was, under a new id", async () => {
  using master = new FakeMaster();
  await using s = await RunningServer.start();
  await ask(s, "SET", "mine", "1");
  const { id } = s.core.replication.ids;
  await ask(s, "REPLICAOF", "127.0.0.1", `${master.port}`);
  const link = await master.accept();
  await link.greet();
  await link.send(`+FULLRESYNC ${HISTORY} 1\r\n$1000\r\nREDIS0011`);
  await eventually(() => info(s).master_sync_read_bytes === "9");
  assertEquals(info(s).master_sync_in_progress, "1");
  assertEquals(info(s).master_sync_total_bytes, "1000");
  await ask(s, "REPLICAOF", "NO", "ONE");
  assertEquals(await link.request(), null);
  assertEquals(await ask(s, "SET", "mine", "2"), status("OK"));
  const { ids } = s.core.replication;
  assertEquals(ids.secondId, id);
  assertEquals(info(s).role, "master");
  assertEquals([...Deno.readDirSync(s.dir)].length, 0);
});

Deno.test("promoted in an unfinished transaction, it has none of it, and the stream goes on", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { n: "1" });
  const read = array("MULTI") + array("INCR", "n");
  await link.send(read);
  await eventually(() => info(s).slave_read_repl_offset === `${100 + read.length}`);
  await ask(s, "REPLICAOF", "NO", "ONE");
  assertEquals(await get(s, "n"), "1");
  assertEquals(s.core.replication.offset, 100);
  await ask(s, "SET", "a", "1");
  const expected = array("SELECT", "0") + array("SET", "a", "1");
  assertEquals(s.core.replication.offset, 100 + expected.length);
});

Deno.test("a guarded replica keeps data and state through further empty offers, and obeys REPLICAOF", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master, "replica-read-only no");
  const link = await master.accept();
  await serve(link, { k: "v" });
  link.close();
  const empty = snapshot({});
  for (let i = 0; i < 2; i++) {
    const next = await master.accept();
    await next.greet();
    await next.send(`+FULLRESYNC ${OTHER} 0\r\n$${empty.length}\r\n${empty}`);
    assertEquals(await next.request(), null);
    assertEquals(info(s).master_link_state, "guarded");
    assertEquals(info(s).master_link_status, "down");
  }
  assertEquals(await get(s, "k"), "v");
  assertEquals(
    await ask(s, "SET", "k", "x"),
    error("READONLY You can't write against a read only replica."),
  );
  const told = s.logLines.filter((line) => line.includes(`REPLICAOF 127.0.0.1 ${master.port}`));
  assertEquals(told.filter((line) => line.includes("empty")).length, 1);
  assertEquals(await ask(s, "REPLICAOF", "127.0.0.1", `${master.port}`), status("OK"));
  const accepted = await master.accept();
  await serve(accepted, {}, { id: OTHER, offset: 0 });
  assertEquals(s.core.keyspace.databases[0].count, 0);
  assertEquals(info(s).master_link_state, "connected");
});

Deno.test("REPLICAOF of the present master changes nothing, and says so", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { k: "v" });
  assertEquals(
    await ask(s, "SLAVEOF", "127.0.0.1", `${master.port}`),
    status("OK Already connected to specified master"),
  );
  assert(isUp(s));
  assertEquals(s.core.config.get(["slaveof"]), [["slaveof", `127.0.0.1 ${master.port}`]]);
});

Deno.test("a server that is told to follow itself says so once, and stays as it is", async () => {
  await using s = await RunningServer.start();
  await ask(s, "SET", "k", "v");
  await ask(s, "REPLICAOF", "127.0.0.1", `${s.port}`);
  await eventually(() => (s.core.replication.events.latest(1)[0]?.count ?? 0) >= 3);
  const lines = s.logLines.filter((line) => line.includes("cannot follow itself"));
  assertEquals(lines.filter((line) => line.includes(" # ")).length, 1);
  assertEquals(await get(s, "k"), "v");
  assertEquals(await ask(s, "REPLICAOF", "NO", "ONE"), status("OK"));
});

Deno.test("the log tells of each full sync that is cut off, and of each link that was up, however alike they end", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const count = (text: string) => s.logLines.filter((line) => line.includes(text)).length;
  for (let i = 0; i < 4; i++) {
    const link = await master.accept();
    await link.greet();
    await link.send(`+FULLRESYNC ${HISTORY} 100\r\n$1000\r\nREDIS`);
    await eventually(() => count("receiving 1000 bytes from master") === i + 1);
    link.close();
  }
  const served = await master.accept();
  assertEquals(count("Full resync from master"), 4);
  assertEquals(count("I/O error trying to sync with MASTER: connection lost"), 4);
  await serve(served, { k: "v" });
  served.close();
  for (let i = 0; i < 4; i++) {
    const link = await master.accept();
    await link.greet();
    await link.send("+CONTINUE\r\n");
    await eventually(() => count("Successful partial resynchronization") === i + 1);
    link.close();
  }
  await master.accept();
  assertEquals(count("Connection with master lost: closed by the master"), 5);
  assertEquals(count("Reconnecting to MASTER"), 5);
});

Deno.test("the log tells once of tries that end alike before the master has given anything", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  for (let i = 0; i < 4; i++) {
    const link = await master.accept();
    await link.greet();
    await link.send("-LOADING Redis is loading the dataset in memory\r\n");
    assertEquals(await link.request(), null);
  }
  await master.accept();
  const told = s.logLines.filter((line) => line.includes("Master is currently unable to PSYNC"));
  assertEquals(told.filter((line) => line.includes(" * ")).length, 1);
});

Deno.test("a silent master is given up after repl-timeout, in each phase", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master, "repl-timeout 1");
  const first = await master.accept();
  assertEquals(await first.request(), "PING");
  const second = await master.accept();
  assert(s.hasLogged("Timeout connecting to the MASTER..."));
  await second.greet();
  await second.send(`+FULLRESYNC ${HISTORY} 1\r\n$1000\r\n`);
  const third = await master.accept();
  assert(s.hasLogged("Timeout receiving bulk data from MASTER..."));
  await serve(third, { k: "v" });
  const fourth = await master.accept();
  assert(s.hasLogged("MASTER timeout: no data nor PING received..."));
  assertEquals(await fourth.greet(), `PSYNC ${HISTORY} 101`);
});

Deno.test("REPLICATION LOG tells of a link from its beginning to its end", async () => {
  using master = new FakeMaster();
  await using s = await replicaOf(master);
  const link = await master.accept();
  await serve(link, { k: "v" });
  link.close();
  await master.accept();
  const events = s.core.replication.events.latest(100).reverse();
  const kinds = events.map(({ event }) => event);
  // What follows is of the next link.
  assertEquals(kinds.slice(0, kinds.indexOf("closed") + 1), [
    "replica",
    "connected",
    "full-sync-begins",
    "receiving",
    "full-sync",
    "closed",
  ]);
  assertMatch(events[3].detail, /^\d+ of \d+ bytes \(100\.0%\) received/);
  using client = await s.connect();
  const reply = await client.call("REPLICATION", "LOG", "1");
  assert(reply.kind === "array" && reply.items.length === 1);
});

Deno.test("of a link that fails over and over the log tells, and then that it goes silent", async () => {
  const master = new FakeMaster();
  const { port } = master;
  master[Symbol.dispose]();
  await using s = await RunningServer.start();
  await ask(s, "REPLICAOF", "127.0.0.1", `${port}`);
  await eventually(() => s.hasLogged(`MASTER 127.0.0.1:${port} is tried again about every second`));
  assert(s.hasLogged("Error condition on socket for SYNC: Connection refused"));
});
