import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../../src/base/bytes.ts";
import { MasterRig, type Peer, withoutIds } from "../../support/master_rig.ts";

const SELECT_0 = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
const SET_A = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";

function asking(rig: MasterRig, ...capa: string[]): Peer {
  const peer = rig.peer(...capa.flatMap((word) => ["capa", word]));
  peer.send("PSYNC", "?", "-1");
  return peer;
}

Deno.test("over the socket: the offset of the snapshot's instant, the bytes, the mark, then nothing before an ACK", () => {
  const rig = new MasterRig();
  const peer = asking(rig, "eof");
  const [, mark] = /^\+FULLRESYNC [0-9a-f]{40} 0\r\n\$EOF:(.{40})\r\n$/.exec(peer.read())!;
  rig.run("SET", "a", "1"); // after the snapshot's instant
  rig.snapshots.make("REDIS");
  assertEquals(peer.read(), "REDIS");
  rig.snapshots.make("0011");
  rig.snapshots.endRelay();
  assertEquals(peer.read(), `0011${mark}`);
  assertEquals(rig.info()[1], "slave0:ip=127.0.0.1,port=0,state=online,offset=0,lag=0");
  assertEquals(peer.read(), "");
  peer.send("REPLCONF", "ACK", "0");
  assertEquals(peer.read(), SELECT_0 + SET_A);
});

Deno.test("an ACK that comes while the mark is on its way is not forgotten", () => {
  const rig = new MasterRig();
  const peer = asking(rig, "eof");
  peer.read();
  rig.snapshots.endRelay();
  rig.run("SET", "a", "1");
  const mark = peer.client.feed!.next()!;
  peer.send("REPLCONF", "ACK", "0");
  peer.client.feed!.sent(mark.length);
  assertEquals(peer.read(), SELECT_0 + SET_A);
});

Deno.test("over the socket: begins after the delay, for all that have come by then", () => {
  const rig = new MasterRig({ "repl-diskless-sync-delay": "5" });
  const first = asking(rig, "eof");
  rig.pass(3000);
  const second = asking(rig, "eof");
  assertEquals(rig.snapshots.isSaving, false);
  assertEquals(first.read(), "\n\n\n");
  rig.pass(2000);
  assertEquals(rig.snapshots.isSaving, true);
  for (const peer of [first, second]) {
    assert(/^\n*\+FULLRESYNC <id> 0\r\n\$EOF:<id>\r\n$/.test(withoutIds(peer.read())));
  }
  const third = asking(rig, "eof");
  rig.pass(6000);
  assertEquals(first.read(), "", "no newlines within the payload");
  rig.snapshots.endRelay();
  assert(rig.snapshots.isSaving, "the third one's turn");
  assert(withoutIds(third.read()).includes("+FULLRESYNC"));
});

Deno.test("over the socket: begins before the delay is over when enough have come", () => {
  const rig = new MasterRig({
    "repl-diskless-sync-delay": "5",
    "repl-diskless-sync-max-replicas": "2",
  });
  asking(rig, "eof");
  rig.pass(100);
  assertEquals(rig.snapshots.isSaving, false);
  asking(rig, "eof");
  rig.pass(100);
  assertEquals(rig.snapshots.isSaving, true);
});

Deno.test("chunks go back when all have passed them, and the walk waits for the slowest", () => {
  const rig = new MasterRig({ "repl-diskless-sync-delay": "1" });
  const fast = asking(rig, "eof");
  const slow = asking(rig, "eof");
  rig.pass(1000);
  fast.read();
  slow.read();
  const chunks = ["a", "b", "c"].map((letter) => letter.repeat(2 << 20));
  for (const chunk of chunks) rig.snapshots.make(chunk);
  assertEquals(fast.read().length, 6 << 20);
  assertEquals(rig.snapshots.released, []);
  assertEquals(rig.snapshots.relay!.isFull(), true);
  assertEquals(slow.read(3 << 20).length, 3 << 20);
  assertEquals(rig.snapshots.released.map((chunk) => chunk[0]), ["a"]);
  assertEquals(rig.snapshots.relay!.isFull(), false);
  slow.read();
  assertEquals(rig.snapshots.released.map((chunk) => chunk[0]), ["a", "b", "c"]);
});

Deno.test("a replica that goes away in the middle leaves the others undisturbed", () => {
  const rig = new MasterRig({ "repl-diskless-sync-delay": "1" });
  const [leaving, staying] = [asking(rig, "eof"), asking(rig, "eof")];
  rig.pass(1000);
  leaving.read();
  staying.read();
  rig.snapshots.make("one");
  rig.snapshots.make("two");
  leaving.read(2);
  staying.read(4);
  leaving.hangUp();
  assertEquals(rig.snapshots.released, ["one"]);
  rig.snapshots.make("three");
  rig.snapshots.endRelay();
  assertEquals(staying.read().slice(0, -40), "wothree");
  assertEquals(rig.snapshots.released, ["one", "two", "three"]);
  assertEquals(rig.snapshots.givenUp, 0);
});

Deno.test("a snapshot that nobody receives any more is given up", () => {
  const rig = new MasterRig();
  const peer = asking(rig, "eof");
  const next = asking(rig, "eof");
  peer.hangUp();
  assertEquals(rig.snapshots.givenUp, 1);
  assert(rig.hasLogged("Diskless rdb transfer, last replica dropped, killing fork child."));
  assert(next.read().startsWith("+FULLRESYNC"), "who waited for its end has its turn");
});

Deno.test("a snapshot that fails ends the links of who received it", () => {
  const rig = new MasterRig();
  const peer = asking(rig, "eof");
  rig.snapshots.make("RED");
  rig.snapshots.endRelay("disk on fire");
  assertEquals(peer.isClosed, true);
  assert(rig.hasLogged("SYNC failed. BGSAVE child returned an error"));
  assert(
    rig.replication.events.latest(1)[0].detail.startsWith("the snapshot failed: disk on fire"),
  );
});

Deno.test("over the disk: length and file, and the stream right after it", async () => {
  const path = await Deno.makeTempFile();
  const rig = new MasterRig({ "repl-diskless-sync": "no" });
  const peer = asking(rig, "eof");
  assertEquals(withoutIds(peer.read()), "+FULLRESYNC <id> 0\r\n");
  rig.pass(2000);
  assertEquals(peer.read(), "\n\n");
  rig.run("SET", "a", "1");
  const content = "0123456789".repeat(60_000);
  rig.snapshots.endDisk(path, content);
  assertEquals(rig.info()[1], "slave0:ip=127.0.0.1,port=0,state=send_bulk,offset=0,lag=0");
  await Deno.remove(path); // it has been opened
  let text = "";
  while (!text.endsWith(SET_A)) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    text += peer.read(100_000);
  }
  const signsOfLife = /\*1\r\n\$4\r\nping\r\n/g;
  assertEquals(text.replace(signsOfLife, ""), `$600000\r\n${content}${SELECT_0}${SET_A}`);
});

Deno.test("over the disk: who comes in time shares the snapshot, also when repl-backlog-size has been passed", async () => {
  const path = await Deno.makeTempFile();
  const rig = new MasterRig({ "repl-diskless-sync": "no", "repl-backlog-size": "16384" });
  const first = asking(rig, "eof");
  for (let i = 0; i < 8; i++) rig.run("SET", "big", "x".repeat(15_000));
  assert(rig.replication.offset > 7 * 16384);
  const second = asking(rig, "eof", "psync2");
  const other = asking(rig); // can do less than the first one
  assertEquals(rig.snapshots.begunToDisk, 1);
  rig.snapshots.endDisk(path, "REDIS");
  assertEquals(rig.snapshots.begunToDisk, 2, "for the other one");
  const texts = ["", "", ""];
  while (!texts[0].endsWith("x\r\n") || !texts[1].endsWith("x\r\n")) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    [first, second, other].forEach((peer, index) => texts[index] += withoutIds(peer.read()));
  }
  assertEquals(texts[0], texts[1]);
  assert(
    texts[0].startsWith("+FULLRESYNC <id> 0\r\n$5\r\nREDIS" + SELECT_0),
    texts[0].slice(0, 99),
  );
  assertEquals(texts[2], `+FULLRESYNC <id> ${rig.replication.offset}\r\n`);
  await Deno.remove(path);
});

Deno.test("over the disk: a BGSAVE of somebody else is not shared", () => {
  const rig = new MasterRig({ "repl-diskless-sync": "no" });
  rig.snapshots.startBackground();
  const peer = asking(rig, "eof");
  assertEquals(peer.read(), "");
  rig.snapshots.isSaving = false;
  rig.snapshots.ended("file", null, "");
  assertEquals(rig.snapshots.begunToDisk, 2);
  assertEquals(withoutIds(peer.read()), "+FULLRESYNC <id> 0\r\n");
});

Deno.test("over the disk: a BGSAVE that fails ends the links of who waited", () => {
  const rig = new MasterRig({ "repl-diskless-sync": "no" });
  const peer = asking(rig, "eof");
  rig.snapshots.endDisk("", null);
  assertEquals(peer.isClosed, true);
  assert(rig.hasLogged("SYNC failed. BGSAVE child returned an error"));
});

Deno.test("over the disk: when all that waited have gone, the BGSAVE goes too, unless there are save points", () => {
  for (const [save, givenUp] of [["", 1], ["3600 1", 0]] as const) {
    const rig = new MasterRig({ "repl-diskless-sync": "no", save });
    asking(rig, "eof").hangUp();
    assertEquals(rig.snapshots.givenUp, givenUp, save);
  }
});

Deno.test("who cannot find the end of a stream gets a file, and SYNC no line before it", () => {
  const rig = new MasterRig();
  const old = rig.peer();
  old.send("SYNC");
  assertEquals(rig.snapshots.begunToDisk, 1);
  assertEquals(old.read(), "");
});

Deno.test("who wants the snapshot only is closed when it has it", () => {
  const rig = new MasterRig();
  const peer = rig.peer("capa", "eof", "rdb-only", "1");
  peer.send("PSYNC", "?", "-1");
  rig.snapshots.make("REDIS");
  rig.snapshots.endRelay();
  assert(peer.read().includes("REDIS"));
  assertEquals(peer.isClosed, true);
});

for (
  const [filter, has] of [["", false], ["functions", true]] as const
) {
  Deno.test(`who wants "${filter}" alone gets a snapshot ${has ? "with" : "without"} function libraries`, async () => {
    const rig = new MasterRig();
    rig.run("SET", "secret", "1");
    rig.keyspace.libraries.set("lib", latin1("#!lua name=lib\n-- source"));
    const peer = rig.peer("capa", "eof", "rdb-filter-only", filter);
    peer.send("PSYNC", "?", "-1");
    await Promise.resolve();
    const text = peer.read();
    assert(text.includes("REDIS0") && !text.includes("secret"));
    assertEquals(text.includes("#!lua name=lib\n-- source"), has);
  });
}

Deno.test("who wants no data gets a snapshot without", async () => {
  const rig = new MasterRig();
  rig.run("SET", "secret", "1");
  const peer = rig.peer("capa", "eof", "rdb-filter-only", "");
  peer.send("PSYNC", "?", "-1");
  await Promise.resolve();
  const text = peer.read();
  assertEquals(rig.snapshots.isSaving, false);
  assert(text.includes("REDIS0"));
  assert(!text.includes("secret"));
  peer.send("REPLCONF", "ACK", "0");
  rig.run("SET", "a", "1");
  assertEquals(peer.read(), SELECT_0 + SET_A);
});

Deno.test("repl-max-concurrent-full-syncs: the others wait until those before them have the snapshot, or are gone", () => {
  const rig = new MasterRig({
    "repl-max-concurrent-full-syncs": "2",
    "repl-diskless-sync-delay": "1",
  });
  const peers = [1, 2, 3, 4].map(() => asking(rig, "eof"));
  rig.pass(2000);
  const begun = peers.map((peer) => peer.read().includes("+FULLRESYNC"));
  assertEquals(begun, [true, true, false, false]);
  rig.snapshots.make("RDB");
  rig.snapshots.endRelay();
  const late = asking(rig, "eof");
  assert(rig.hasLogged("of which repl-max-concurrent-full-syncs are under way"));
  rig.pass(2000);
  assertEquals([peers[2].read(), late.read()].map((text) => text.includes("+FULLRESYNC")), [
    false,
    false,
  ]);
  // One has it and says so, one goes.
  peers[0].read();
  peers[0].send("REPLCONF", "ACK", "0");
  peers[1].hangUp();
  rig.pass(2000);
  assertEquals([peers[2], peers[3], late].map((peer) => peer.read().includes("+FULLRESYNC")), [
    true,
    true,
    false,
  ]);
});
