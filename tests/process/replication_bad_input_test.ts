/**
 * What a master, a replica or the network between them may do wrong. Whatever it is: the server
 * lives, says what happened, and no data is dropped before the new data are whole.
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Random } from "../support/random.ts";
import { eventually } from "../support/eventually.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { writeSome } from "../support/replication_load.ts";
import {
  ask,
  askText,
  infoOf,
  inStep,
  linkUp,
  plain,
  replicate,
  startPeer,
  startPeers,
  withLog,
} from "../support/replication_peers.ts";
import { LinkProxy } from "../support/replication_proxy.ts";
import { readTranscript } from "../support/replication_transcript.ts";
import { FakeMaster, fakeReplica, shakeHands, type Wire } from "../support/replication_wire.ts";
import { bulk, connect } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";

const SEED = fuzzSeed(20_131_108);
const ID = "0123456789abcdef0123456789abcdef01234567";
const OTHER_ID = "fedcba9876543210fedcba9876543210fedcba98";
const MARK = "m".repeat(40);

/** A whole RDB of redis 7.0 with the one key k. */
const RDB = recordedRdb();

function recordedRdb(): string {
  const { sections } = readTranscript("announce-and-auth");
  for (const item of sections.flatMap(({ items }) => items)) {
    if (item.kind === "bytes" && item.isRdb) return item.bytes;
  }
  throw new Error("the transcript has no RDB");
}

function command(...words: string[]): string {
  return `*${words.length}\r\n` +
    words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

/** What of a full sync comes before the RDB, by length or by mark. */
function fullSyncHead(isDiskless: boolean, size = RDB.length): string {
  return `+FULLRESYNC ${ID} 100\r\n` + (isDiskless ? `$EOF:${MARK}\r\n` : `$${size}\r\n`);
}

/** A replica with data of its own, and masters that are bad in turns. */
class Victim implements AsyncDisposable {
  #master = new FakeMaster();

  private constructor(readonly replica: ServerProcess, readonly digest: string) {}

  static async start(args: string[] = []): Promise<Victim> {
    const replica = await startPeer("tsredis", { args });
    await writeSome(replica, { seed: SEED, count: 100 });
    await ask(replica, "SET", "own", "value");
    await ask(replica, "DEBUG", "SET-ACTIVE-EXPIRE", "0");
    return new Victim(replica, await askText(replica, "DEBUG", "DIGEST"));
  }

  /** The replica is told to follow the next master; `play` plays that one. */
  async attack(play: (wire: Wire) => Promise<void>): Promise<void> {
    await withLog([this.replica], async () => {
      // Another port each time: it connects at once, without the pause before a retry.
      const before = this.#master;
      this.#master = new FakeMaster();
      await replicate(this.replica, this.#master);
      before.close();
      using wire = await this.#master.accept();
      await play(wire);
    });
  }

  /** The data are there, all of them and no others. */
  async assertUnharmed(context: string): Promise<void> {
    await withLog([this.replica], async () => {
      assertEquals(await askText(this.replica, "DEBUG", "DIGEST"), this.digest, context);
      assertEquals((await infoOf(this.replica)).master_link_status, "down", context);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#master.close();
    await this.replica[Symbol.asyncDispose]();
  }
}

/** Sends until the other end closes, or as many bytes as no reader should put up with. */
async function flood(wire: Wire, bytes: string, atMostBytes: number): Promise<void> {
  const ended = wire.untilClosed();
  for (let sent = 0; sent < atMostBytes; sent += bytes.length) {
    try {
      await wire.send(bytes);
    } catch {
      break;
    }
  }
  await ended;
}

/** Masters that never come to a dataset: what they say, and what the log has to have of it. */
const BAD_ANSWERS: [name: string, toPing: string | null, toPsync: string, log: RegExp][] = [
  ["garbage to PING", "\x00\xff\x80garbage\r\n", "", /PING/],
  ["an error to PING", "-ERR no\r\n", "", /PING/],
  ["a number to PSYNC", null, ":42\r\n", /PSYNC/],
  ["garbage to PSYNC", null, "\x01\x02\xff\r\n", /PSYNC/],
  ["+FULLRESYNC alone", null, "+FULLRESYNC\r\n", /FULLRESYNC/],
  ["an id that is too short", null, "+FULLRESYNC 0123456789abcdef 0\r\n", /FULLRESYNC/],
  ["an id that is too long", null, `+FULLRESYNC ${ID}00 0\r\n`, /FULLRESYNC/],
  ["an id that is none", null, `+FULLRESYNC ${"z".repeat(40)} 0\r\n`, /FULLRESYNC|Full resync/],
  ["no offset", null, `+FULLRESYNC ${ID}\r\n`, /FULLRESYNC/],
  ["an offset that is none", null, `+FULLRESYNC ${ID} x\r\n`, /FULLRESYNC/],
  ["a negative offset", null, `+FULLRESYNC ${ID} -7\r\n`, /FULLRESYNC/],
  ["an offset without end", null, `+FULLRESYNC ${ID} ${"9".repeat(40)}\r\n`, /FULLRESYNC/],
  ["an RDB of no length", null, `+FULLRESYNC ${ID} 0\r\n$x\r\n`, /MASTER|master/],
  ["an RDB of negative length", null, `+FULLRESYNC ${ID} 0\r\n$-1\r\n`, /MASTER|master/],
  ["a mark that is too short", null, `+FULLRESYNC ${ID} 0\r\n$EOF:abc\r\n`, /MASTER|master/],
  ["an array for an RDB", null, `+FULLRESYNC ${ID} 0\r\n*1\r\n`, /MASTER|master/],
  ["an error for an RDB", null, `+FULLRESYNC ${ID} 0\r\n-ERR out of memory\r\n`, /out of memory/],
  ["an RDB of garbage", null, `+FULLRESYNC ${ID} 0\r\n$10\r\n0123456789`, /RDB|DB/],
  ["nothing at all for an RDB", null, `+FULLRESYNC ${ID} 0\r\n`, /MASTER|master/],
];

Deno.test("a master that answers wrongly: the data stay, the log says what came", async (t) => {
  await using victim = await Victim.start();
  for (const [name, toPing, toPsync, log] of BAD_ANSWERS) {
    await t.step(name, async () => {
      const logged = victim.replica.log.length;
      await victim.attack(async (wire) => {
        if (toPing !== null) {
          assertEquals(await wire.request(), ["PING"]);
          await wire.send(toPing);
        } else {
          await shakeHands(wire);
          await wire.send(toPsync);
          if (name.startsWith("nothing")) wire.close();
        }
        if (!name.startsWith("nothing")) await closedOrGivenUp(wire);
      });
      await eventually(() => log.test(victim.replica.log.slice(logged)), {
        what: `the log to tell of ${name}`,
      }).catch((thrown) => {
        throw new Error(`${thrown.message}\n${victim.replica.log.slice(logged)}`);
      });
      await victim.assertUnharmed(name);
    });
  }
});

/** Waits for the replica to go; one that waits for more is left. */
async function closedOrGivenUp(wire: Wire): Promise<void> {
  const given = new Promise<string>((resolve) => setTimeout(() => resolve(""), 1_000));
  await Promise.race([wire.untilClosed().catch(() => ""), given]);
}

Deno.test("a master that sends without end: the replica ends the link, its data stay", async (t) => {
  await using victim = await Victim.start();
  const junk = "x".repeat(65_536);
  await t.step("a line without end", async () => {
    await victim.attack(async (wire) => {
      await wire.request();
      await flood(wire, junk, 64 << 20);
    });
    await victim.assertUnharmed("a line without end");
  });
  await t.step("an answer to PSYNC without end", async () => {
    await victim.attack(async (wire) => {
      await shakeHands(wire);
      await flood(wire, junk, 64 << 20);
    });
    await victim.assertUnharmed("an answer without end");
  });
  await t.step("a streamed RDB without its mark", async () => {
    await victim.attack(async (wire) => {
      await shakeHands(wire);
      await wire.send(fullSyncHead(true) + RDB);
      for (let sent = 0; sent < 8 << 20; sent += junk.length) await wire.send(junk);
    });
    await victim.assertUnharmed("an RDB without its mark");
  });
});

const TRANSFERS: [how: string, isDiskless: boolean, step: number, args: string[]][] = [
  ["with its length", false, 1, []],
  ["with a mark", true, 3, []],
  ["with a mark, loaded as it comes", true, 2, ["--repl-diskless-load", "swapdb"]],
];

for (const [how, isDiskless, step, args] of TRANSFERS) {
  Deno.test(`an RDB cut at ${step === 1 ? "any byte" : `every ${step} bytes`}, ${how}: the data stay`, async () => {
    await using victim = await Victim.start(args);
    for (let size = 0; size < RDB.length; size += step) {
      await victim.attack(async (wire) => {
        await shakeHands(wire);
        await wire.send(fullSyncHead(isDiskless) + RDB.slice(0, size));
      });
      if (size % (16 * step) === 0) await victim.assertUnharmed(`cut at ${size}`);
    }
    await victim.assertUnharmed("cut at the end");
    // The whole one is taken: what was refused was refused for being cut.
    await victim.attack(async (wire) => {
      await shakeHands(wire);
      await wire.send(fullSyncHead(isDiskless) + RDB + (isDiskless ? MARK : ""));
      assertEquals(await wire.ack(), 100);
      assertEquals(plain(await ask(victim.replica, "KEYS", "*")), '["k"]');
    });
  });

  Deno.test(`an RDB with a flipped bit, ${how}: the data stay`, async () => {
    console.log(`seed ${SEED}`);
    await using victim = await Victim.start(args);
    const random = new Random(SEED);
    for (let round = 0; round < fuzzRounds(60); round++) {
      const at = random.between(0, RDB.length - 1);
      const bit = 1 << random.between(0, 7);
      const flipped = RDB.slice(0, at) + String.fromCharCode(RDB.charCodeAt(at) ^ bit) +
        RDB.slice(at + 1);
      const logged = victim.replica.log.length;
      await victim.attack(async (wire) => {
        await shakeHands(wire);
        await wire.send(fullSyncHead(isDiskless) + flipped + (isDiskless ? MARK : ""));
        await wire.untilClosed();
      });
      await victim.assertUnharmed(`bit ${bit} of byte ${at} flipped (seed ${SEED})`);
      await eventually(() => victim.replica.log.length > logged, {
        what: `something to be logged of byte ${at}`,
      });
    }
  });
}

Deno.test("a full sync that is cut again and again: the data stay until one is whole", async () => {
  console.log(`seed ${SEED}`);
  await using stack = new AsyncDisposableStack();
  const [master, replica] = await startPeers(stack, ["tsredis", "tsredis"], [
    "--rdbcompression",
    "no",
  ]);
  const proxy = stack.use(LinkProxy.to(master));
  for (let i = 0; i < 2_000; i += 100) {
    const pairs = Array.from({ length: 100 }, (_, j) => [`key:${i + j}`, `${i * j}`.repeat(20)]);
    await ask(master, "MSET", ...pairs.flat());
  }
  await ask(replica, "SET", "own", "value");
  const digest = await askText(replica, "DEBUG", "DIGEST");
  const random = new Random(SEED);
  await withLog([master, replica], async () => {
    for (let round = 0; round < fuzzRounds(4); round++) {
      const at = random.between(200, 60_000);
      if (round % 2 === 0) proxy.cutAfter("toReplica", at);
      else proxy.damage({ direction: "toReplica", at, flip: 1 << random.between(0, 7) });
      proxy.acceptOne(); // a further try could be the one that goes well
      if (round === 0) await replicate(replica, proxy);
      await eventually(() => proxy.links[round]?.isClosed, { what: `try ${round} to fail` });
      assertEquals(await askText(replica, "DEBUG", "DIGEST"), digest, `byte ${at}`);
    }
    proxy.accept();
    await linkUp(replica);
    await inStep(master, replica);
  });
});

/** A replica in step with a played master, at offset 100 of ID, holding the key k. */
async function synced(master: FakeMaster, replica: ServerProcess): Promise<Wire> {
  await replicate(replica, master);
  const wire = await master.accept();
  await shakeHands(wire);
  await wire.send(fullSyncHead(false) + RDB);
  await linkUp(replica);
  return wire;
}

/** Streams that no master should send; what comes before them has to have been applied. */
const BAD_STREAMS: [name: string, bytes: string][] = [
  ["a count that is none", "*x\r\n"],
  ["a length that is none", "*1\r\n$x\r\n"],
  ["a word of negative length", "*1\r\n$-1\r\n"],
  ["too many words", "*99999999999\r\n"],
  ["a word without its length", "*1\r\nGET\r\n"],
  ["a word without end", `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${2 ** 50}\r\n`],
  ["garbage", "\x00\x01\x02\xff\xfe\r\n\r\n\x80*garbage\r\n"],
];

Deno.test("a broken stream of a master: the link is made anew, what was applied stays", async (t) => {
  for (const [name, bytes] of BAD_STREAMS) {
    await t.step(name, async () => {
      await using replica = await startPeer("tsredis");
      using master = new FakeMaster();
      const wire = await synced(master, replica);
      await withLog([replica], async () => {
        const good = command("SET", "good", "1");
        await wire.send(good + bytes);
        await wire.untilClosed();
        assertEquals(await askText(replica, "GET", "good"), "1");
        assertEquals(await askText(replica, "GET", "k"), "v");
        // It asks for all, or to go on at the place up to which it has understood.
        using again = await master.accept();
        const [, id, wanted] = await shakeHands(again);
        if (id !== "?") assertEquals([id, wanted], [ID, `${100 + good.length + 1}`]);
        await replica.untilLogged(/[Pp]rotocol error/);
      });
    });
  }
});

Deno.test("commands that a replica does not know or refuses are logged, and the stream goes on", async () => {
  await using replica = await startPeer("tsredis");
  using master = new FakeMaster();
  using wire = await synced(master, replica);
  const stream = command("NOSUCHCOMMAND", "a") + command("GET") + command("LPUSH", "k", "x") +
    command("SET", "after", "all") + command("REPLCONF", "GETACK", "*");
  await wire.send(stream);
  await withLog([replica], async () => {
    await eventually(async () => plain(await ask(replica, "GET", "after")) === '"all"');
    // Nothing behind the first of them is acknowledged.
    assertEquals(await wire.ack(), 100);
    const critical = () => replica.log.split("\n").filter((line) => line.includes("CRITICAL"));
    await eventually(() => critical().length >= 3);
    const told = critical();
    assertMatch(told[0], /sending an error to its master: '.*unknown command 'NOSUCHCOMMAND'/i);
    assertMatch(told[1], /wrong number of arguments for 'get' command/);
    assertMatch(told[2], /'WRONGTYPE .*' after processing the command 'lpush'/);
    assertEquals(told.length, 3);
    using again = await master.accept();
    assertEquals((await shakeHands(again)).slice(1), ["?", "-1"]);
  });
});

Deno.test("a master that changes identity in mid-stream: first told by +CONTINUE, then by a full sync", async () => {
  await using replica = await startPeer("tsredis");
  using master = new FakeMaster();
  await withLog([replica], async () => {
    const first = await synced(master, replica);
    const stream = command("SET", "a", "1");
    await first.send(stream);
    await eventually(async () => await first.ack() === 100 + stream.length);
    first.close();
    // The same history under another name: a promoted replica of the old master, say.
    const second = await master.accept();
    assertEquals((await shakeHands(second)).slice(1), [ID, `${101 + stream.length}`]);
    await second.send(`+CONTINUE ${OTHER_ID}\r\n` + stream);
    await eventually(async () => await second.ack() === 100 + 2 * stream.length);
    const info = await infoOf(replica);
    assertEquals([info.master_replid, info.master_replid2], [OTHER_ID, ID]);
    assertEquals(info.second_repl_offset, `${101 + stream.length}`);
    second.close();
    // Another history, and its dataset is cut: the old one stays.
    const third = await master.accept();
    assertEquals((await shakeHands(third))[1], OTHER_ID);
    await third.send(fullSyncHead(false) + RDB.slice(0, 100));
    third.close();
    using fourth = await master.accept();
    await shakeHands(fourth);
    assertEquals(await askText(replica, "GET", "a"), "1");
    await fourth.send(fullSyncHead(false) + RDB);
    await linkUp(replica);
    assertEquals(plain(await ask(replica, "GET", "a")), "null");
    assertEquals((await infoOf(replica)).master_replid, ID);
  });
});

Deno.test("a +CONTINUE that nobody asked for: the data stay", async () => {
  await using victim = await Victim.start();
  for (const answer of ["+CONTINUE\r\n", `+CONTINUE ${ID.slice(1)}\r\n`]) {
    await victim.attack(async (wire) => {
      await shakeHands(wire);
      await wire.send(answer);
      wire.close();
    });
    assertEquals(await askText(victim.replica, "DEBUG", "DIGEST"), victim.digest, answer);
  }
});

Deno.test("a master that falls silent is given up after repl-timeout, wherever that happens", async (t) => {
  const args = ["--repl-timeout", "1"];
  await using victim = await Victim.start(args);
  await t.step("before its first word", async () => {
    await victim.attack(async (wire) => void await wire.untilClosed());
    await victim.replica.untilLogged(/[Tt]imeout/);
    await victim.assertUnharmed("no word");
  });
  await t.step("within the RDB", async () => {
    await victim.attack(async (wire) => {
      await shakeHands(wire);
      await wire.send(fullSyncHead(false) + RDB.slice(0, 50));
      await wire.untilClosed();
    });
    await victim.assertUnharmed("half an RDB");
  });
  await t.step("within the stream", async () => {
    await victim.attack(async (wire) => {
      await shakeHands(wire);
      await wire.send(fullSyncHead(false) + RDB);
      await wire.untilClosed();
    });
    assertEquals(await askText(victim.replica, "GET", "k"), "v");
    await victim.replica.untilLogged(/MASTER timeout: no data nor PING received/);
  });
});

Deno.test("a replica that never acknowledges is dropped after repl-timeout; the master goes on", async () => {
  await using master = await startPeer("tsredis", {
    args: ["--repl-timeout", "1", "--repl-diskless-sync", "no"],
  });
  await ask(master, "SET", "k", "v");
  await withLog([master], async () => {
    using wire = await fakeReplica(master);
    await wire.send("PSYNC ? -1\r\n");
    assertMatch(await wire.line(), /^\+FULLRESYNC/);
    await wire.rdb(await wire.line());
    await wire.untilClosed();
    await master.untilLogged(/Disconnecting timedout replica \(streaming sync\)/);
    assertEquals(await askText(master, "GET", "k"), "v");
    assertEquals((await infoOf(master)).connected_slaves, "0");
  });
});

Deno.test("a replica that sends garbage is dropped without a word into its stream, and the log says why", async () => {
  await using master = await startPeer("tsredis");
  await withLog([master], async () => {
    using wire = await fakeReplica(master);
    await wire.send("PSYNC ? -1\r\n");
    assertMatch(await wire.line(), /^\+FULLRESYNC/);
    await wire.rdb(await wire.line());
    await wire.send("REPLCONF ACK 0\r\n");
    await eventually(async () => (await infoOf(master)).slave0?.includes("state=online"));
    await wire.send("*3\r\n$x\r\n");
    assertEquals((await wire.untilClosed()).includes("-ERR"), false);
    await master.untilLogged(
      /# Protocol error \(Protocol error: invalid bulk length\) from client: id=\d+ addr=/,
    );
    const events = plain(await ask(master, "REPLICATION", "LOG", "3"));
    assertMatch(events, /it sent what is no command: Protocol error: invalid bulk length/);
    assertEquals((await infoOf(master)).connected_slaves, "0");
  });
});

Deno.test("a replica that never reads is dropped at its output limit and slows nobody", async () => {
  await using master = await startPeer("tsredis", {
    args: ["--client-output-buffer-limit", "replica 1mb 0 0", "--repl-backlog-size", "1mb"],
  });
  await withLog([master], async () => {
    using wire = await fakeReplica(master);
    await wire.send("REPLCONF capa eof capa psync2\r\n");
    assertEquals(await wire.line(), "+OK");
    await wire.send("PSYNC ? -1\r\n");
    await eventually(async () => (await infoOf(master)).connected_slaves === "1");
    using client = await connect(master.port);
    const value = "x".repeat(100_000);
    await eventually(async () => {
      await client.pipeline(Array.from({ length: 50 }, () => ["SET", "k", value]));
      return (await infoOf(master)).connected_slaves === "0";
    }, { what: "the replica to be dropped" });
    assertEquals(await client.call("GET", "k"), bulk(value));
    await master.untilLogged(/output buffer limits/);
  });
});

Deno.test("A follows B follows A: both keep their data, and one that is told to lead is followed", async () => {
  await using stack = new AsyncDisposableStack();
  const [a, b] = await startPeers(stack, ["tsredis", "tsredis"]);
  await ask(a, "SET", "of", "a");
  await ask(b, "SET", "of", "b");
  await replicate(a, b);
  await replicate(b, a);
  await withLog([a, b], async () => {
    for (const [server, other, name] of [[a, b, "a"], [b, a, "b"]] as const) {
      await server.untilLogged("NOMASTERLINK");
      await server.untilLogged(
        "A ring of replicas without a master: this server follows " +
          `127.0.0.1:${other.port}, which follows this server. Nobody takes writes and nothing is ` +
          "synchronized, until one of them is told REPLICAOF NO ONE. The data here are kept",
      );
      assertEquals((await infoOf(server)).master_link_status, "down");
      assertEquals(await askText(server, "GET", "of"), name);
    }
    await ask(a, "REPLICAOF", "NO", "ONE");
    await linkUp(b);
    await inStep(a, b);
    assertEquals(await askText(b, "GET", "of"), "a");
  });
});

for (const makes of [["tsredis", "tsredis", "tsredis"], ["tsredis", "redis", "redis"]] as const) {
  Deno.test({
    name: `a ring of ${makes.join(", ")} and who hangs on it: told of once, with the way round`,
    ignore: !hasRedisServer,
    async fn() {
      await using stack = new AsyncDisposableStack();
      // Whether the links of the ring come up, and then carry nothing, is a matter of who connects first.
      const pings = ["--repl-ping-replica-period", "1"];
      const [a, b, c, outside] = await startPeers(stack, [...makes, "tsredis"], pings);
      const ring = [a, b, c];
      for (const [i, server] of ring.entries()) {
        await ask(server, "SET", "of", `${i}`);
        await replicate(server, ring[(i + 1) % 3]);
      }
      await replicate(outside, a);
      const at = ({ port }: ServerProcess) => `127.0.0.1:${port}`;
      await withLog([a, b, c, outside], async () => {
        await a.untilLogged(
          `this server follows ${at(b)}, which follows ${at(c)}, which follows this server.`,
        );
        await outside.untilLogged(
          `this server follows ${at(a)}, which follows ${at(b)}, which follows ${at(c)}, ` +
            `which follows ${at(a)}.`,
        );
        await ask(c, "REPLICAOF", "NO", "ONE");
        for (const server of [b, a, outside]) await linkUp(server);
        await inStep(c, a, b, outside);
        assertEquals(a.log.split("A ring of replicas").length, 2, "told of once");
      });
    },
  });
}

Deno.test("a replica of itself keeps its data and takes writes again once it leads", async () => {
  await using server = await startPeer("tsredis");
  await ask(server, "SET", "k", "v");
  await replicate(server, server);
  await withLog([server], async () => {
    await server.untilLogged(/cannot follow itself/);
    assertEquals((await infoOf(server)).master_link_status, "down");
    assertEquals(await askText(server, "GET", "k"), "v");
    await ask(server, "REPLICAOF", "NO", "ONE");
    await ask(server, "SET", "k", "w");
    assertEquals(await askText(server, "GET", "k"), "w");
  });
});

Deno.test("REPLICAOF and MIGRATE to what is no address: the log or the reply says so, and the server lives", async () => {
  await using server = await startPeer("tsredis");
  await ask(server, "SET", "k", "v");
  await withLog([server], async () => {
    for (const host of ["", "a b", "x".repeat(300)]) {
      const logged = server.log.length;
      await ask(server, "REPLICAOF", host, "6379");
      await eventually(
        () => server.log.slice(logged).includes("Error condition on socket for SYNC: "),
        { what: `the refusal of "${host}"` },
      );
      assertEquals(await askText(server, "GET", "k"), "v");
    }
    await ask(server, "REPLICAOF", "NO", "ONE");
    for (const host of ["", "a b"]) {
      const migrate = () => ask(server, "MIGRATE", host, "6379", "k", "0", "1000");
      await assertRejects(migrate, Error, "IOERR error or timeout connecting to the client");
      assertEquals(await askText(server, "GET", "k"), "v");
    }
  });
});
