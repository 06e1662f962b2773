/** Disks that are full or fail: writes are refused with the reason, tried again, and allowed when that works. */

import { assert, assertEquals } from "@std/assert";
import { type Machine, World } from "../../src/runtime/simulated.ts";
import { eventually } from "../support/eventually.ts";
import { Random } from "../support/random.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

const NO_SPACE = { error: "MISCONF Errors writing to the AOF file: No space left on device" };
const BROKEN = { error: "MISCONF Errors writing to the AOF file: Input/output error" };
const INCREMENT = "/data/appendonlydir/appendonly.aof.1.incr.aof";

/** A server whose disk is simulated. */
class Rig implements Disposable {
  readonly world = new World(new Random(1).draw);
  readonly machine: Machine = this.world.machine("a");
  readonly files = this.machine.start().files;
  readonly server: TestServer;

  constructor(appendfsync: string) {
    this.server = testServer({
      folder: "/data",
      files: this.files,
      directives: { appendfsync, "save": [] },
      keepsStream: false,
    });
  }

  static async start(appendfsync: string): Promise<Rig> {
    const rig = new Rig(appendfsync);
    await rig.server.core.aof.start();
    return rig;
  }

  get disk() {
    return this.machine.disk;
  }

  get aof() {
    return this.server.core.aof;
  }

  /** Runs a request; the reply, and whether it may leave. */
  turn(...words: (string | number)[]): [reply: unknown, mayLeave: boolean] {
    return [this.server.run(...words), this.aof.endTurn() === Infinity];
  }

  get text(): string {
    return new TextDecoder().decode(this.files.read(INCREMENT));
  }

  get log(): string {
    return this.server.logLines.join("");
  }

  /** Time passes, for the disk and for the server. */
  async pass(ms: number): Promise<void> {
    this.server.clock.nowMs += ms;
    await this.world.run(ms);
  }

  [Symbol.dispose](): void {
    this.server.core.close();
  }
}

Deno.test("a full disk: writes are refused with MISCONF until there is room, and nothing is torn", async () => {
  using rig = await Rig.start("everysec");
  const { server, disk, aof } = rig;
  rig.turn("SET", "a", 1);
  const before = rig.text;
  disk.capacityBytes = disk.usedBytes + 10;
  assertEquals(rig.turn("SET", "b", 2), ["OK", true]);
  assertEquals(rig.text, before);
  assertEquals(aof.failure, "No space left on device");
  assert(rig.log.includes("Error writing to the AOF file: No space left on device"));
  assertEquals(server.run("SET", "c", 3), NO_SPACE);
  assertEquals(server.run("PING"), NO_SPACE);
  assertEquals(server.run("GET", "b"), "2");
  const call = "return redis.call(unpack(ARGV))";
  assert(JSON.stringify(server.run("EVAL", call, 0, "SET", "c", 3)).includes(NO_SPACE.error));
  assertEquals(server.run("EVAL", call, 0, "GET", "a"), "1");
  assertEquals(server.run("EVAL", `#!lua\n${call}`, 0, "GET", "a"), NO_SPACE);
  assertEquals(server.run("EVAL", `#!lua flags=no-writes\n${call}`, 0, "GET", "a"), "1");
  assert(String(server.run("INFO", "persistence")).includes("aof_last_write_status:err"));
  aof.tick();
  assertEquals(rig.text, before);
  disk.capacityBytes = Infinity;
  aof.tick();
  assertEquals(rig.text, before + "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n");
  assert(rig.log.includes("AOF write error looks solved, Redis can write again."));
  assertEquals(rig.turn("SET", "c", 3), ["OK", true]);
  assert(String(server.run("INFO", "persistence")).includes("aof_last_write_status:ok"));
});

Deno.test("a write that went half-way and cannot be taken back is completed", async () => {
  using rig = await Rig.start("no");
  const { disk, aof, files } = rig;
  rig.turn("SET", "a", 1);
  const before = rig.text;
  disk.capacityBytes = disk.usedBytes + 10;
  const truncate = files.truncate;
  files.truncate = () => {
    throw new Error("it is busy");
  };
  rig.turn("SET", "b", 2);
  assertEquals(rig.text, before + "*3\r\n$3\r\nSE");
  assert(rig.log.includes("Could not remove short write"));
  files.truncate = truncate;
  disk.capacityBytes = Infinity;
  aof.tick();
  assertEquals(rig.text, before + "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n");
});

Deno.test("with always the replies of a turn that is not on the disk wait for it; others do not", async () => {
  using rig = await Rig.start("always");
  const { server, disk, aof } = rig;
  const { turn } = server.core;
  const sent: string[] = [];
  disk.faults.sync = 1;
  server.run("SET", "a", 1);
  const { appliedOffset } = server.keyspace.stream;
  turn.hold({ appliedOffset, sendHeld: () => sent.push("of the write") });
  turn.hold({ appliedOffset: 0, sendHeld: () => sent.push("of a read") });
  await eventually(() => aof.failure !== null);
  assertEquals([aof.failure, sent], ["Input/output error", ["of a read"]]);
  assertEquals(server.run("SET", "b", 2), BROKEN);
  turn.hold({ appliedOffset: 0, sendHeld: () => sent.push("of a refusal") });
  await eventually(() => sent.length === 2);
  disk.faults.sync = 0;
  aof.tick();
  assertEquals([aof.failure, sent[2]], [null, "of the write"]);
  // As often as it was tried, it is there once, and synced.
  rig.machine.crash();
  const left = rig.machine.start().files.read(INCREMENT);
  assertEquals(
    new TextDecoder().decode(left),
    "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n",
  );
});

Deno.test("with everysec a sync that fails refuses writes; when one works the file is to be rewritten", async () => {
  using rig = await Rig.start("everysec");
  const { server, disk, aof } = rig;
  disk.faults.sync = 1;
  await rig.pass(1000);
  assertEquals(rig.turn("SET", "a", 1), ["OK", true]);
  await rig.pass(1000);
  assertEquals(aof.failure, "Input/output error");
  assert(rig.log.includes("Fail to fsync the AOF file: Input/output error"));
  assertEquals(server.run("SET", "b", 2), BROKEN);
  disk.faults.sync = 0;
  await rig.pass(1000);
  rig.turn("GET", "a");
  await rig.pass(1000);
  assertEquals(aof.failure, null);
  assertEquals(aof.writer.isDamaged, true);
});

Deno.test("while a sync takes long the writer waits two seconds, and then says so", async () => {
  using rig = await Rig.start("everysec");
  const { server, disk, aof } = rig;
  disk.delayMs = [100_000, 100_000];
  await rig.pass(1000);
  rig.turn("SET", "a", 1);
  const before = rig.text;
  assert(aof.writer.isSyncing);
  assert(String(server.run("INFO", "persistence")).includes("aof_pending_bio_fsync:1"));
  rig.turn("SET", "b", 2);
  await rig.pass(1900);
  aof.tick();
  assertEquals(rig.text, before);
  await rig.pass(200);
  aof.tick();
  assert(rig.text.endsWith("SET\r\n$1\r\nb\r\n$1\r\n2\r\n"));
  assertEquals(aof.writer.delayedSyncs, 1);
  assert(rig.log.includes("Asynchronous AOF fsync is taking too long (disk is busy?)."));
});

Deno.test("a server does not start where its append-only file cannot be made", async () => {
  const rig = new Rig("everysec");
  rig.disk.faults.names = 1;
  const failure = await rig.aof.start().then(() => null, (error) => error.message);
  assertEquals(
    failure,
    "Can't open or create append-only dir appendonlydir: Input/output error",
  );
});
