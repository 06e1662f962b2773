/**
 * Recorded links of Redis 2.4 to 7.4 and Valkey 8, replayed: once with the test as the master, which
 * says what the recorded one said, and once as the replica, which expects what the recorded one got.
 *
 * What may differ is named here: {@linkcode DIFFERENCES} for the stream of writes, {@linkcode
 * assertSameRequest} for the handshake.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import {
  ask,
  askText,
  infoOf,
  type Make,
  startPeer,
  withLog,
} from "../support/replication_peers.ts";
import { streamBytes } from "../support/replication_load.ts";
import {
  isBytes,
  type Item,
  linkItems,
  readTranscript,
  type Section,
  wordsOf,
} from "../support/replication_transcript.ts";
import { assertSameRequest, type Content, MasterPlayer } from "../support/master_player.ts";
import { ReplicaPlayer } from "../support/replica_player.ts";
import { FakeMaster, fakeReplica, isAck } from "../support/replication_wire.ts";

/** The items up to the end of the first connection. */
function firstConnection(items: Item[]): Item[] {
  const end = items.findIndex((item) => item.kind === "closes");
  return end < 0 ? items : items.slice(0, end);
}

function sectionNamed(transcript: string, part: string): Section {
  const found = readTranscript(transcript).sections.find(({ title }) => title.includes(part));
  if (found === undefined) throw new Error(`${transcript} has no section ${part}`);
  return found;
}

// ---------------------------------------------------------------------------------------------------
// The test as master

/** Replays items with the test as master of a replica of this make. */
async function playMaster(
  items: Item[],
  make: Make = "tsredis",
  args: string[] = [],
): Promise<{ contents: Content[]; log: string }> {
  await using replica = await startPeer(make, { args });
  using player = new MasterPlayer(replica);
  return await withLog([replica], async () => {
    await player.play(items);
    return { contents: player.contents, log: replica.log };
  });
}

/** Parts of transcripts that a replica of redis 7.0 takes too: it says what has to come out. */
const PLAYED_TO_BOTH: [transcript: string, parts: RegExp, args: string[]][] = [
  ["full-sync-3-0", /./, []],
  ["partial-resync-3-0", /./, []],
  ["full-sync-disk-7-0", /./, []],
  ["full-sync-diskless-7-0", /./, []],
  ["full-sync-diskless-7-0", /./, ["--repl-diskless-load", "swapdb"]],
  ["partial-resync-7-0", /^(?!raw PSYNC)/, []],
  ["sync-2-4", /master 2\.4\.18, slave 3\.0\.7/, []],
];

for (const [transcript, parts, args] of PLAYED_TO_BOTH) {
  Deno.test({
    name: `${[transcript, ...args].join(" ")}: with the master of it, the replica ends as redis's`,
    ignore: !hasRedisServer,
    async fn() {
      const { sections } = readTranscript(transcript);
      const items = sections.filter(({ title }) => title === "" || parts.test(title))
        .filter(({ title }) => transcript !== "sync-2-4" || title !== "")
        .flatMap(linkItems);
      const ours = await playMaster(items, "tsredis", args);
      const real = await playMaster(items, "redis", args);
      assertEquals(ours.contents, real.contents, ours.log);
      assert(ours.contents.some((content) => Object.keys(content).length > 0));
    },
  });
}

Deno.test("a master of 2.4 without PSYNC: its RDB and its inline SELECTs are taken", async () => {
  await using replica = await startPeer("tsredis");
  using player = new MasterPlayer(replica);
  const { sections } = readTranscript("sync-2-4");
  // The handshake is the one that a 2.4 master has with a later replica, in the second part.
  const second = sections.find(({ title }) => title === "master 2.4.18, slave 3.0.7")!;
  const handshake = firstConnection(linkItems(second));
  const begun = handshake.slice(0, handshake.findIndex((item) => isBytes(item) && item.isRdb) - 1);
  const first = linkItems(sections[0]);
  const stream = first.slice(first.findIndex((item) => isBytes(item) && item.isRdb) - 1);
  await withLog([replica], () => player.play([...begun, ...stream]));
  const [content] = player.contents.slice(-1);
  assertEquals(Object.keys(content).sort(), ["0/a", "0/c", "0/e", "0/k", "3/b"]);
  assertEquals(await askText(replica, "GET", "a"), "1");
});

for (const master of ["4.0.14", "5.0.14", "6.2.16", "7.2.6", "7.4.1"]) {
  Deno.test(`a master of ${master}: its handshake, its RDB and its stream are taken`, async () => {
    await using replica = await startPeer("tsredis");
    using player = new MasterPlayer(replica);
    const section = sectionNamed("handshakes-other-versions", `of master redis-${master}`);
    await withLog([replica], () => player.play(firstConnection(linkItems(section))));
    assertEquals(await askText(replica, "GET", "k"), "v");
    await player.acknowledged();
  });
}

Deno.test("a master of Valkey 8.0.1: its handshake and its RDB are taken", async () => {
  await using replica = await startPeer("tsredis");
  using player = new MasterPlayer(replica);
  const section = sectionNamed("handshakes-other-versions", "of master valkey-8.0.1");
  await withLog([replica], () => player.play(firstConnection(linkItems(section))));
  assertEquals(await askText(replica, "GET", "k"), "v");
  await player.acknowledged();
});

const NOAUTH = "-NOAUTH Authentication required.\r\n";
const WRONGPASS = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const LOGINS: [part: string, password: string, user: string][] = [
  ["no password set", "", ""],
  ["a wrong password", "wrong", ""],
  ["the right password", "secret", ""],
  ["a user of its own", "pw", "rep"],
];

for (const [part, password, user] of LOGINS) {
  Deno.test(`announce-and-auth, ${part}: the replica announces itself and authenticates`, async () => {
    const section = sectionNamed("announce-and-auth", part);
    const said = section.items.filter(isBytes).filter(({ to }) => to === "M")
      .map(({ bytes }) => wordsOf(bytes));
    const expected = said.slice(0, said.findIndex((words, i) => i > 0 && words[0] === "PING") + 1);
    const handshake = expected.length > 0 ? expected.slice(0, -1) : said;
    const isRefused = password === "" || password === "wrong";

    const args = ["--replica-announce-ip", "203.0.113.7", "--replica-announce-port", "7777"];
    await using replica = await startPeer("tsredis", { args });
    await ask(replica, "CONFIG", "SET", "masterauth", password, "masteruser", user);
    using fake = new FakeMaster();
    await ask(replica, "REPLICAOF", "127.0.0.1", `${fake.port}`);
    using wire = await fake.accept();
    await withLog([replica], async () => {
      for (const words of handshake) {
        if (isAck(words) || words.length === 0) break;
        let request: string[];
        try {
          request = await wire.request();
        } catch (thrown) {
          if (isRefused) break; // it may give up at any of the words behind the refusal
          throw thrown;
        }
        assertSameRequest(request, words, new Set());
        if (request[1] === "listening-port") assertEquals(request[2], "7777");
        const answer = words[0] === "PING"
          ? NOAUTH
          : isRefused
          ? words[0] === "AUTH" ? WRONGPASS : NOAUTH
          : "+OK\r\n";
        await wire.send(answer).catch(() => {});
      }
      if (password === "wrong") {
        await eventually(() =>
          replica.log.includes(`Unable to AUTH to MASTER: ${WRONGPASS.trim()}`)
        );
      }
    });
  });
}

// ---------------------------------------------------------------------------------------------------
// The test as replica

/**
 * What our stream has instead of the recorded one, by the version of the recorded master: since 7.0
 * lives go down the link as instants, and a transaction of one command without its brackets.
 */
const DIFFERENCES: Record<string, string> = {
  "SET e v EX 100": "SET e v PXAT <ms>",
  "SETEX e 100 v": "SET e v PXAT <ms>",
  "SETEX e 100 x": "SET e x PXAT <ms>",
  "EXPIRE e 50": "PEXPIREAT e <ms>",
  "PEXPIRE e 40000": "PEXPIREAT e <ms>",
  "SET f 0.1": "SET f 0.1 KEEPTTL",
  "GETSET gs x": "SET gs x",
  "PSETEX dies 150 x": "SET dies x PXAT <ms>",
};

/** Client commands that are not there yet; what they put into the recorded stream is passed over. */
const NOT_THERE = /^(X[A-Z]+|EVAL|SCRIPT|FUNCTION|FCALL|redis)\b/;

/** A command of the stream without what differs from run to run. */
function withoutChance(words: string[]): string {
  if (words[0] === "SREM" && words[1] === "s") return "SREM s <one>";
  if (words[0] === "RESTORE") words = words.with(3, "<payload>");
  return words.map((word) => /^\d{13}$/.test(word) ? "<ms>" : word).join(" ");
}

async function playReplica(
  items: Item[],
  { args, differences = {} }: { args: string[]; differences?: Record<string, string> },
): Promise<string[]> {
  await using master = await startPeer("tsredis", { args });
  await ask(master, "SET", "k", "v");
  const player = new ReplicaPlayer(master, {
    differences,
    isPassedOver: (command) => NOT_THERE.test(command),
    withoutChance,
    compareSnapshots: () => {}, // the recorded one is of another server
  });
  return await withLog([master], async () => {
    await player.play(items);
    return player.compared;
  });
}

const DISK = ["--repl-diskless-sync", "no"];
const DISKLESS = ["--repl-diskless-sync", "yes"];
/** The stream as it is: what older servers are sent otherwise is the subject of tests/replication/unit. */
const UNTRANSLATED = ["--rdb-version-for-replicas", "12"];

Deno.test("full-sync-3-0: with the replica of it, handshake and stream are the same", async () => {
  const items = readTranscript("full-sync-3-0").sections.flatMap(linkItems);
  const compared = await playReplica(items, {
    args: [...DISK, ...UNTRANSLATED],
    differences: DIFFERENCES,
  });
  assert(compared.length > 30, `${compared.length} commands compared`);
});

Deno.test("partial-resync-3-0: with the replica of it, +CONTINUE has no id", async () => {
  const { sections } = readTranscript("partial-resync-3-0");
  const compared = await playReplica(sections.flatMap(linkItems), {
    args: DISKLESS,
    differences: DIFFERENCES,
  });
  assertEquals(compared.length, 4, compared.join("; "));
});

Deno.test("full-sync-disk-7-0: with the replica of it, handshake and stream are the same", async () => {
  const items = readTranscript("full-sync-disk-7-0").sections.flatMap(linkItems);
  const compared = await playReplica(items, { args: DISK });
  assert(compared.length > 45, `${compared.length} commands compared`);
});

Deno.test("full-sync-diskless-7-0: with the replica of it, handshake and stream are the same", async () => {
  const items = readTranscript("full-sync-diskless-7-0").sections.flatMap(linkItems);
  assertEquals(await playReplica(items, { args: DISKLESS }), ["SELECT 0", "SET after 1"]);
});

Deno.test("partial-resync-7-0: with the replica of it, what is refused is refused", async () => {
  const sections = readTranscript("partial-resync-7-0").sections
    .filter(({ title }) => !title.startsWith("raw PSYNC"));
  const compared = await playReplica(sections.flatMap(linkItems), {
    args: [...DISKLESS, "--repl-backlog-size", "16kb"],
  });
  assertEquals(compared.length, 7, compared.join("; "));
});

for (const [part, sync] of [["", "2.4 of 2.4"], ["master 3.0.7, slave 2.4.18", "2.4 of 3.0"]]) {
  Deno.test(`sync-2-4: a replica of ${sync} that knows only SYNC is served`, async () => {
    const section = readTranscript("sync-2-4").sections.find(({ title }) => title === part)!;
    const compared = await playReplica(firstConnection(linkItems(section)), {
      args: [...DISK, ...UNTRANSLATED],
      differences: DIFFERENCES,
    });
    assertEquals(compared.length, part === "" ? 6 : 0, compared.join("; "));
  });
}

for (
  const replica of ["redis-4.0.14", "redis-5.0.14", "redis-6.2.16", "redis-7.2.6", "redis-7.4.1"]
) {
  Deno.test(`a replica of ${replica}: its handshake gets what a 7.0 master answers`, async () => {
    const section = sectionNamed(
      "handshakes-other-versions",
      `replica ${replica} of master redis-7.0.15`,
    );
    await playReplica(firstConnection(linkItems(section)), { args: DISKLESS });
  });
}

Deno.test("a replica of Valkey 8.0.1: its version, which 7.0 refuses to know, is taken", async () => {
  const section = sectionNamed(
    "handshakes-other-versions",
    "replica valkey-8.0.1 of master redis-7",
  );
  const items = firstConnection(linkItems(section)).map((item) =>
    isBytes(item) && item.bytes === "-ERR Unrecognized REPLCONF option: version\r\n"
      ? { ...item, bytes: "+OK\r\n" }
      : item
  );
  const compared = await playReplica(items, { args: DISKLESS });
  assertEquals(compared, ["SELECT 0", "SET a 1"]);
});

Deno.test("partial-resync-7-0, raw PSYNC: what a master answers to each way to ask", async () => {
  await using master = await startPeer("tsredis", {
    args: [...DISKLESS, "--repl-backlog-size", "16kb"],
  });
  // A first replica makes the backlog; what comes then overruns it, so that byte 1 is gone.
  const first = await fakeReplica(master);
  await first.send("PSYNC ? -1\r\n");
  await first.line();
  first.close();
  await eventually(async () => (await infoOf(master)).connected_slaves === "0");
  for (let i = 0; i < 3; i++) await ask(master, "SET", "big", "x".repeat(15_000));
  const info = await infoOf(master);
  const id = info.master_replid;
  const section = sectionNamed("partial-resync-7-0", "raw PSYNC");
  const items = section.items.filter(isBytes).filter(({ from, to }) => [from, to].includes("C"));
  const recorded = wordsOf(items[2].bytes)[1]; // the second request names the master's own id
  let asked = 0;
  for (let i = 0; i < items.length; i += 2) {
    const words = wordsOf(items[i].bytes).map((word) =>
      word === recorded
        ? id
        : word === recorded.toUpperCase()
        ? id.toUpperCase()
        : word === "45296"
        ? `${Number(info.master_repl_offset) + 1}`
        : word === "45297"
        ? `${Number(info.master_repl_offset) + 2}`
        : word
    );
    using wire = await fakeReplica(master);
    await wire.send(streamBytes(...words));
    const answer = await wire.line();
    const expected = items[i + 1].bytes.replace(/\r\n[^]*/, "");
    const shape = (line: string) => line.replace(/^(\+FULLRESYNC) .*/, "$1").replace(/^\$.*/, "$");
    assertEquals(shape(answer), shape(expected), words.join(" "));
    asked++;
  }
  assertEquals(asked, 9);
});
