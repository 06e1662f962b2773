/** MIGRATE between servers in the test's own process, and to targets that misbehave. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free_port.ts";
import {
  array,
  bulk,
  error,
  integer,
  NULL_BULK,
  type Reply,
  type RespClient,
  status,
  textOf,
} from "../support/resp_client.ts";
import { RunningServer } from "./running_server.ts";

const DEBUG = "enable-debug-command yes";
/** A connection of the runtime to itself, with which long work is cut into slices, stays open. */
const SHARED = { sanitizeResources: false } as const;
const OK = status("OK");

/** A source and a target, each with a client. */
class Pair implements AsyncDisposable {
  private constructor(
    readonly source: RunningServer,
    readonly target: RunningServer,
    readonly here: RespClient,
    readonly there: RespClient,
  ) {}

  static async start(...targetLines: string[]): Promise<Pair> {
    const source = await RunningServer.start(DEBUG);
    const target = await RunningServer.start(DEBUG, ...targetLines);
    return new Pair(source, target, await source.connect(), await target.connect());
  }

  migrate(key: string, ...options: string[]): Promise<Reply> {
    return this.here.call(...this.words(key, ...options));
  }

  words(key: string, ...options: string[]): string[] {
    return ["MIGRATE", "127.0.0.1", `${this.target.port}`, key, "0", "60000", ...options];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.here.close();
    this.there.close();
    await this.source[Symbol.asyncDispose]();
    await this.target[Symbol.asyncDispose]();
  }
}

/** A target that does as the test says. */
class FakeTarget implements Disposable {
  /** What has come, over all connections. */
  received = "";
  connections = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open: Deno.Conn[] = [];

  /** `greet` is called with each connection and its number. */
  constructor(readonly greet: (conn: Deno.Conn, number: number) => void = () => {}) {
    this.#accept();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async answer(text: string): Promise<void> {
    await this.#open.at(-1)!.write(new TextEncoder().encode(text));
  }

  /** Ends all connections. */
  hangUp(): void {
    for (const conn of this.#open.splice(0)) {
      try {
        conn.close();
      } catch {
        // Closed already.
      }
    }
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      this.#open.push(conn);
      this.greet(conn, ++this.connections);
      this.#read(conn);
    }
  }

  async #read(conn: Deno.Conn): Promise<void> {
    const chunk = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await conn.read(chunk);
        if (count === null) return;
        this.received += new TextDecoder("latin1").decode(chunk.subarray(0, count));
      }
    } catch {
      // Closed by the test.
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.hangUp();
  }
}

/** Words that migrate a key to a fake target. */
function toFake(target: FakeTarget, key: string, ...options: string[]): string[] {
  return ["MIGRATE", "127.0.0.1", `${target.port}`, key, "0", "60000", ...options];
}

const VALUES: Record<string, string[]> = {
  string: ["SET", "k", "value"],
  "long string": ["SET", "k", "0123456789".repeat(50_000)],
  list: ["RPUSH", "k", "a", "b", "c"],
  set: ["SADD", "k", "a", "b"],
  "sorted set": ["ZADD", "k", "1.5", "a", "-inf", "b"],
  hash: ["HSET", "k", "f", "v"],
  stream: ["XADD", "k", "1-1", "f", "v"],
};

for (const [kind, words] of Object.entries(VALUES)) {
  Deno.test(`MIGRATE moves a ${kind} with its time to live`, SHARED, async () => {
    await using pair = await Pair.start();
    const { here, there } = pair;
    await here.call(...words);
    await here.call("PEXPIREAT", "k", "4000000000000");
    const digest = await here.call("DEBUG", "DIGEST-VALUE", "k");
    assertEquals(await pair.migrate("k"), OK);
    assertEquals(await here.call("EXISTS", "k"), integer(0));
    assertEquals(await there.call("DEBUG", "DIGEST-VALUE", "k"), digest);
    const left = await there.call("PTTL", "k");
    assert(left.kind === "integer" && left.value > 4000000000000 - Date.now() - 60_000);
  });
}

Deno.test(
  "MIGRATE with COPY leaves the key here, and with REPLACE takes the place of another there",
  SHARED,
  async () => {
    await using pair = await Pair.start();
    const { here, there } = pair;
    await here.call("SET", "k", "1");
    assertEquals(await pair.migrate("k", "COPY"), OK);
    assertEquals(await here.call("GET", "k"), bulk("1"));
    await here.call("SET", "k", "2");
    assertEquals(
      await pair.migrate("k", "COPY"),
      error(
        "ERR Target instance replied with error: BUSYKEY Target key name already exists.",
      ),
    );
    assertEquals(await there.call("GET", "k"), bulk("1"));
    assertEquals(await pair.migrate("k", "copy", "REPLACE"), OK);
    assertEquals(await there.call("GET", "k"), bulk("2"));
    assertEquals(await here.call("GET", "k"), bulk("2"));
  },
);

Deno.test(
  "MIGRATE KEYS moves those that are there and says NOKEY when none is",
  SHARED,
  async () => {
    await using pair = await Pair.start();
    const { here, there } = pair;
    await here.call("MSET", "a", "1", "b", "2", "c", "3");
    assertEquals(await pair.migrate("", "KEYS", "a", "none", "b"), OK);
    assertEquals(await here.call("EXISTS", "a", "b", "c"), integer(1));
    assertEquals(await there.call("MGET", "a", "b", "c"), array(bulk("1"), bulk("2"), NULL_BULK));
    assertEquals(await pair.migrate("", "KEYS", "a", "b"), status("NOKEY"));
    assertEquals(await pair.migrate("a"), status("NOKEY"));
    assertEquals(await pair.migrate("", "KEYS"), status("NOKEY"));
  },
);

Deno.test("MIGRATE moves two thousand keys at once", SHARED, async () => {
  await using pair = await Pair.start();
  const { here, there } = pair;
  await here.call("DEBUG", "POPULATE", "2000");
  const digest = await here.call("DEBUG", "DIGEST");
  const keys = Array.from({ length: 2_000 }, (_, i) => `key:${i}`);
  assertEquals(await pair.migrate("", "KEYS", ...keys), OK);
  assertEquals(await here.call("DBSIZE"), integer(0));
  assertEquals(await there.call("DEBUG", "DIGEST"), digest);
});

Deno.test(
  "MIGRATE keeps what the target refuses and removes the rest, as one DEL",
  SHARED,
  async () => {
    await using pair = await Pair.start();
    const { here, there, source } = pair;
    await here.call("MSET", "a", "1", "b", "2", "c", "3");
    await there.call("SET", "b", "theirs");
    await here.call("CONFIG", "SET", "notify-keyspace-events", "EA");
    let stream = "";
    source.core.keyspace.stream.attach((bytes, offset, length) => {
      stream += String.fromCharCode(...bytes.subarray(offset, offset + length));
    });
    using listener = await source.connect();
    await listener.call("PSUBSCRIBE", "*");
    assertEquals(
      await pair.migrate("", "KEYS", "a", "b", "c"),
      error(
        "ERR Target instance replied with error: BUSYKEY Target key name already exists.",
      ),
    );
    assertEquals(await here.call("MGET", "a", "b", "c"), array(NULL_BULK, bulk("2"), NULL_BULK));
    const del = "*3\r\n$3\r\nDEL\r\n$1\r\na\r\n$1\r\nc\r\n";
    assertEquals(stream, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n" + del);
    for (const key of ["a", "c"]) {
      const message = await listener.receive();
      assert(message.kind === "array");
      assertEquals(message.items.slice(2), [bulk("__keyevent@0__:del"), bulk(key)]);
    }
  },
);

Deno.test(
  "MIGRATE selects the database it is told, also on a connection that was kept",
  SHARED,
  async () => {
    await using pair = await Pair.start();
    const { here, there, target } = pair;
    const to = (key: string, database: string) =>
      here.call("MIGRATE", "127.0.0.1", `${target.port}`, key, database, "1000");
    await here.call("MSET", "a", "1", "b", "2", "c", "3", "d", "4");
    assertEquals(await to("a", "3"), OK);
    assertEquals(await to("b", "3"), OK);
    assertEquals(await to("c", "0"), OK);
    assertEquals(
      await to("d", "99"),
      error("ERR Target instance replied with error: ERR DB index is out of range"),
    );
    assertEquals(await to("d", "3"), OK);
    assertEquals(await there.call("KEYS", "*"), array(bulk("c"))); // d has not come here
    await there.call("SELECT", "3");
    assertEquals(await there.call("DBSIZE"), integer(3));
  },
);

Deno.test("MIGRATE keeps its connection for ten seconds, and counts it", SHARED, async () => {
  await using pair = await Pair.start();
  const { here, source, target } = pair;
  const received = () => target.core.statistics.connectionsReceived;
  const before = received();
  const kept = async () =>
    /migrate_cached_sockets:(\d+)/.exec(textOf(await here.call("INFO", "stats")))![1];
  await here.call("MSET", "a", "1", "b", "2", "c", "3");
  await pair.migrate("a");
  await pair.migrate("b");
  assertEquals([received() - before, await kept()], [1, "1"]);
  const { keyspace, dispatcher } = source.core;
  dispatcher.migrations.tick(keyspace.steadyMs + 20_000);
  assertEquals(await kept(), "0");
  assertEquals(await pair.migrate("c"), OK);
  assertEquals(received() - before, 2);
});

Deno.test(
  "MIGRATE connects anew when the connection that was kept has been closed",
  SHARED,
  async () => {
    await using pair = await Pair.start();
    const { here, there } = pair;
    await here.call("MSET", "a", "1", "b", "2");
    await pair.migrate("a");
    await there.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    assertEquals(await pair.migrate("b"), OK);
    assertEquals(await there.call("DBSIZE"), integer(2));
  },
);

Deno.test("MIGRATE shows a password to the target, and to nobody else", SHARED, async () => {
  await using pair = await Pair.start("requirepass secret");
  const { here, there, source } = pair;
  await there.call("AUTH", "secret");
  await here.call("MSET", "a", "1", "b", "2", "c", "3");
  using monitor = await source.connect();
  await monitor.call("MONITOR");
  assertEquals(
    await pair.migrate("a"),
    error("ERR Target instance replied with error: NOAUTH Authentication required."),
  );
  assertEquals(
    await pair.migrate("a", "AUTH", "wrong"),
    error(
      "ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.",
    ),
  );
  assertEquals(await here.call("EXISTS", "a", "b"), integer(2));
  assertEquals(await pair.migrate("a", "AUTH", "secret"), OK);
  assertEquals(await pair.migrate("b", "AUTH2", "default", "secret"), OK);
  assertEquals(await there.call("DBSIZE"), integer(2));
  let shown = "";
  while (!shown.includes("AUTH2")) shown += textOf(await monitor.receive());
  assert(
    shown.includes('"AUTH" "(redacted)"') && shown.includes('"AUTH2" "(redacted)" "(redacted)"'),
  );
  assert(!shown.includes("secret"));
});

const REFUSALS: [string[], string][] = [
  [["k", "0", "x"], "ERR value is not an integer or out of range"],
  [["k", "x", "10"], "ERR value is not an integer or out of range"],
  [["k", "0", "10", "AUTH"], "ERR syntax error"],
  [["k", "0", "10", "AUTH2", "u"], "ERR syntax error"],
  [["k", "0", "10", "NOSUCH"], "ERR syntax error"],
  [
    ["k", "0", "10", "KEYS", "a"],
    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
  ],
];

for (const [words, text] of REFUSALS) {
  Deno.test(
    `MIGRATE host port ${words.join(" ")} is refused and connects to nobody`,
    SHARED,
    async () => {
      await using source = await RunningServer.start();
      using target = new FakeTarget();
      using here = await source.connect();
      await here.call("SET", "k", "v");
      assertEquals(
        await here.call("MIGRATE", "127.0.0.1", `${target.port}`, ...words),
        error(text),
      );
      assertEquals(target.connections, 0);
      assertEquals(await here.call("GET", "k"), bulk("v"));
    },
  );
}

const UNREACHABLE: [string, string, string][] = [
  ["127.0.0.1", "nobody", "writing to target instance"],
  ["127.0.0.1", "0", "writing to target instance"],
  ["127.0.0.1", "x", "writing to target instance"],
  ["127.0.0.1", "65536", "writing to target instance"],
  ["127.0.0.1", "-1", "connecting to the client"],
  ["no-such-host.invalid", "1", "connecting to the client"],
];

for (const [host, port, step] of UNREACHABLE) {
  Deno.test(`MIGRATE to port ${port} of ${host} leaves the key here`, SHARED, async () => {
    await using source = await RunningServer.start();
    using here = await source.connect();
    await here.call("SET", "k", "v");
    const words = ["MIGRATE", host, port === "nobody" ? `${freePort()}` : port, "k", "0", "9999"];
    assertEquals(await here.call(...words), error(`IOERR error or timeout ${step}`));
    assertEquals(await here.call("GET", "k"), bulk("v"));
  });
}

Deno.test(
  "MIGRATE gives up on a target that does not answer in time, without a second try",
  SHARED,
  async () => {
    await using source = await RunningServer.start();
    using target = new FakeTarget();
    using here = await source.connect();
    await here.call("SET", "k", "v");
    assertEquals(
      await here.call("MIGRATE", "127.0.0.1", `${target.port}`, "k", "0", "50"),
      error("IOERR error or timeout reading from target instance".replace("from", "to")),
    );
    assertEquals(target.connections, 1);
    assertEquals(await here.call("GET", "k"), bulk("v"));
  },
);

Deno.test("MIGRATE tries a target that hangs up once more, and keeps the key", SHARED, async () => {
  await using source = await RunningServer.start();
  using target = new FakeTarget((conn) => conn.close());
  using here = await source.connect();
  await here.call("SET", "k", "v");
  const reply = await here.call(...toFake(target, "k"));
  assert(reply.kind === "error" && reply.text.startsWith("IOERR error or timeout "));
  assertEquals(target.connections, 2);
  assertEquals(await here.call("GET", "k"), bulk("v"));
});

Deno.test(
  "MIGRATE removes only the keys that were acknowledged before the target hung up",
  SHARED,
  async () => {
    await using source = await RunningServer.start();
    using target = new FakeTarget();
    using here = await source.connect();
    await here.call("MSET", "a", "1", "b", "2", "c", "3");
    const words = toFake(target, "", "KEYS", "a", "b", "c");
    const [migrated] = await underWay(here, target, words);
    await eventually(() => target.received.includes("$1\r\nc"));
    await target.answer("+OK\r\n+O");
    target.hangUp();
    assertEquals(await migrated, error("IOERR error or timeout reading to target instance"));
    assertEquals(await here.call("MGET", "a", "b", "c"), array(NULL_BULK, bulk("2"), bulk("3")));
  },
);

/** The request once its keys have gone out and are not answered yet; its reply is in an array, so as not to be awaited. */
async function underWay(
  here: RespClient,
  target: FakeTarget,
  words = toFake(target, "k"),
): Promise<[Promise<Reply>]> {
  const reply = here.call(...words);
  await eventually(() => target.received.includes("SELECT"));
  await target.answer("+OK\r\n");
  await eventually(() => target.received.includes("RESTORE"));
  return [reply];
}

Deno.test("MIGRATE has those wait who would change the key, and nobody else", SHARED, async () => {
  await using source = await RunningServer.start();
  using target = new FakeTarget();
  using here = await source.connect();
  using other = await source.connect();
  using writer = await source.connect();
  using transaction = await source.connect();
  await here.call("MSET", "k", "1", "x", "1");
  const [migrated] = await underWay(here, target);
  assertEquals(await other.call("GET", "k"), bulk("1"));
  assertEquals(await other.call("INCR", "x"), integer(2));
  const written = writer.call("INCRBY", "k", "10");
  await transaction.pipeline([["MULTI"], ["INCR", "x"], ["INCR", "k"]]);
  const executed = transaction.call("EXEC");
  await eventually(() => source.core.clients.blockedCount === 3);
  assertEquals(await other.call("MGET", "k", "x"), array(bulk("1"), bulk("2")));
  await target.answer("+OK\r\n");
  assertEquals(await migrated, OK);
  assertEquals(await written, integer(10));
  assertEquals(await executed, array(integer(3), integer(11)));
  assertEquals(source.core.clients.blockedCount, 0);
});

Deno.test(
  "MIGRATE sends a key again that a blocked client has changed meanwhile",
  SHARED,
  async () => {
    await using source = await RunningServer.start();
    using target = new FakeTarget();
    using here = await source.connect();
    using blocked = await source.connect();
    using other = await source.connect();
    await here.call("RPUSH", "k", "first");
    const moved = blocked.call("BLMOVE", "empty", "k", "LEFT", "RIGHT", "0");
    await eventually(() => source.core.clients.blockedCount === 1);
    const [migrated] = await underWay(here, target);
    await other.call("RPUSH", "empty", "second");
    assertEquals(await moved, bulk("second"));
    await target.answer("+OK\r\n");
    await eventually(() => target.received.includes("second"));
    assert(target.received.endsWith("$7\r\nREPLACE\r\n"));
    await target.answer("+OK\r\n");
    assertEquals(await migrated, OK);
    assertEquals(await other.call("EXISTS", "k"), integer(0));
  },
);

Deno.test("MIGRATE keeps a key that changes each time it is sent", SHARED, async () => {
  await using source = await RunningServer.start();
  using target = new FakeTarget();
  using here = await source.connect();
  using other = await source.connect();
  await here.call("RPUSH", "k", "0");
  const blocked = [];
  for (let round = 1; round <= 3; round++) {
    const client = await source.connect();
    const reply = client.call("BLMOVE", `list:${round}`, "k", "LEFT", "RIGHT", "0");
    blocked.push({ client, reply });
  }
  await eventually(() => source.core.clients.blockedCount === 3);
  const [migrated] = await underWay(here, target);
  for (let round = 1; round <= 3; round++) {
    await eventually(() => target.received.split("RESTORE").length === round + 1);
    await other.call("RPUSH", `list:${round}`, `${round}`);
    const { client, reply } = blocked[round - 1];
    assertEquals(await reply, bulk(`${round}`));
    client.close();
    await target.answer("+OK\r\n");
  }
  const reply = await migrated;
  assert(reply.kind === "error" && reply.text.startsWith("ERR A key that was being migrated"));
  assertEquals(await other.call("LLEN", "k"), integer(4));
});

Deno.test(
  "MIGRATE of a hash does not send it again for fields whose time is over meanwhile",
  SHARED,
  async () => {
    await using source = await RunningServer.start();
    using target = new FakeTarget();
    using here = await source.connect();
    using other = await source.connect();
    await here.call("HSET", "k", "stays", "1", "goes", "2");
    await here.call("HPEXPIRE", "k", "200", "FIELDS", "1", "goes");
    const [migrated] = await underWay(here, target);
    await eventually(async () => {
      assertEquals(await other.call("HLEN", "k"), integer(1));
      return true;
    });
    await target.answer("+OK\r\n");
    assertEquals(await migrated, OK);
    assertEquals(target.received.split("RESTORE").length, 2);
    assertEquals(await other.call("EXISTS", "k"), integer(0));
  },
);

Deno.test("MIGRATE is carried through when its client has gone", SHARED, async () => {
  await using source = await RunningServer.start();
  using target = new FakeTarget();
  using here = await source.connect();
  using other = await source.connect();
  await here.call("SET", "k", "v");
  const [migrated] = await underWay(here, target);
  migrated.catch(() => {});
  here.close();
  await eventually(() => source.core.clients.count === 1);
  assertEquals(source.core.clients.blockedCount, 0);
  await target.answer("+OK\r\n");
  await eventually(async () => (await other.call("EXISTS", "k") as { value: number }).value === 0);
});

Deno.test(
  "MIGRATE leaves the key when the server becomes a replica meanwhile",
  SHARED,
  async () => {
    await using source = await RunningServer.start();
    using target = new FakeTarget();
    using here = await source.connect();
    using other = await source.connect();
    await here.call("SET", "k", "v");
    const [migrated] = await underWay(here, target);
    await other.call("REPLICAOF", "127.0.0.1", `${freePort()}`);
    const reply = await migrated;
    assert(reply.kind === "error" && reply.text.startsWith("UNBLOCKED"));
    assertEquals(await other.call("GET", "k"), bulk("v"));
  },
);

Deno.test("MIGRATE removes the key only when a pause of writes is over", SHARED, async () => {
  await using source = await RunningServer.start();
  using target = new FakeTarget();
  using here = await source.connect();
  using other = await source.connect();
  await here.call("SET", "k", "v");
  const [migrated] = await underWay(here, target);
  await other.call("CLIENT", "PAUSE", "100000", "WRITE");
  await target.answer("+OK\r\n");
  await eventually(() => source.core.dispatcher.migrations.connectionCount === 2); // kept, and not over
  assertEquals(await other.call("GET", "k"), bulk("v"));
  await other.call("CLIENT", "UNPAUSE");
  assertEquals(await migrated, OK);
  assertEquals(await other.call("GET", "k"), NULL_BULK);
});

Deno.test("MIGRATE of a key that is flushed meanwhile has moved it", SHARED, async () => {
  await using source = await RunningServer.start();
  using target = new FakeTarget();
  using here = await source.connect();
  using other = await source.connect();
  await here.call("SET", "k", "v");
  const [migrated] = await underWay(here, target);
  await other.call("FLUSHALL");
  await target.answer("+OK\r\n");
  assertEquals(await migrated, OK);
});

Deno.test(
  "MIGRATE is refused in a transaction, which then is not carried out",
  SHARED,
  async () => {
    await using pair = await Pair.start();
    const { here } = pair;
    await here.call("SET", "k", "v");
    await here.call("MULTI");
    assertEquals(await pair.migrate("k"), error("ERR Command not allowed inside a transaction"));
    assertEquals(
      await here.call("EXEC"),
      error("EXECABORT Transaction discarded because of previous errors."),
    );
    assertEquals(await here.call("GET", "k"), bulk("v"));
  },
);

for (
  const [name, kind] of [["set", "SADD"], ["hash", "HSET"], ["sorted set", "ZADD"], [
    "list",
    "RPUSH",
  ]]
) {
  Deno.test(`MIGRATE of a large ${name} leaves others their turn`, SHARED, async () => {
    await using pair = await Pair.start();
    const { here, there, source } = pair;
    const words = (from: number) =>
      Array.from(
        { length: 1000 },
        (_, i) =>
          kind === "HSET" || kind === "ZADD"
            ? [`${from + i}`, `element ${from + i}`]
            : [`element ${from + i}`],
      ).flat();
    for (let from = 0; from < 100_000; from += 1000) await here.call(kind, "k", ...words(from));
    const digest = await here.call("DEBUG", "DIGEST-VALUE", "k");
    using other = await source.connect();
    let isOver = false;
    const migrated = pair.migrate("k").finally(() => isOver = true);
    let turns = 0;
    while (!isOver) {
      await other.call("PING");
      turns++;
    }
    assertEquals(await migrated, OK);
    assert(turns > 3, `${turns} turns`);
    assertEquals(await there.call("DEBUG", "DIGEST-VALUE", "k"), digest);
  });
}

Deno.test("RESTORE-ASKING is RESTORE", SHARED, async () => {
  await using pair = await Pair.start();
  const { here } = pair;
  await here.call("SET", "k", "v");
  const payload = textOf(await here.call("DUMP", "k"));
  assertEquals(await here.call("RESTORE-ASKING", "copy", "0", payload), OK);
  assertEquals(await here.call("GET", "copy"), bulk("v"));
});

Deno.test("MIGRATE of a key that rdb-version cannot hold is an error, and no key has gone that was not stored", async () => {
  await using pair = await Pair.start();
  const { here, there } = pair;
  await here.call("CONFIG", "SET", "rdb-version", "8");
  await here.call("XADD", "stream", "1-1", "f", "v");
  await here.call("XADD", "long", "1-1", "f", "v".repeat(400_000));
  await here.call("SET", "text", "v");
  for (const key of ["stream", "long"]) {
    const refusal = error(`ERR RDB version 8 cannot hold the stream "${key}" (database 0)`);
    assertEquals(await pair.migrate(key), refusal);
    assertEquals(await pair.migrate("", "KEYS", "text", key), refusal);
  }
  assertEquals(await here.call("EXISTS", "stream", "long", "text"), integer(3));
  assertEquals(await there.call("DBSIZE"), integer(0));
  await here.call("CONFIG", "SET", "rdb-version", "9");
  assertEquals(await pair.migrate("", "KEYS", "text", "stream", "long"), OK);
  assertEquals(await there.call("DBSIZE"), integer(3));
});
