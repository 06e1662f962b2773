/**
 * A replica whose master sends snapshots that cannot be taken over: how often it asks for another, in virtual
 * time, and what it says meanwhile.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { World } from "../../src/runtime/simulated.ts";
import { HISTORY, snapshot } from "../replication/unit/fake_master.ts";
import { Random } from "../support/random.ts";
import { Peer } from "../support/simulated_peers.ts";
import { PORT, SimulatedServer } from "./simulated_server.ts";

/** A replica, and a master that is played: it answers each PSYNC with the snapshot that it has then. */
class Scene {
  readonly world = new World(new Random(7).draw);
  readonly replica = new SimulatedServer(this.world.machine("replica"), ['save ""']);
  /** What is sent; null: the connection is cut instead. */
  snapshot: string | null = "";
  /** What follows it. */
  behind = "";
  /** When it was asked for one, in seconds of the world. */
  readonly asked: number[] = [];

  constructor() {
    const { network } = this.world.machine("master").start();
    network.listenTcp("0.0.0.0", PORT, {
      accepted: (socket) => {
        const peer = new Peer(1000, () => this.#answer(peer));
        peer.connected(socket);
        return peer;
      },
      failed: () => {},
    });
    this.replica.start(`replicaof master ${PORT}`);
  }

  #answer(peer: Peer): void {
    for (;;) {
      const count = Number(/^\n*\*(\d+)\r\n/.exec(peer.received)?.[1] ?? 0);
      const lines = peer.received.split("\r\n");
      if (count === 0 || lines.length < 2 * count + 2) return;
      peer.received = lines.slice(2 * count + 1).join("\r\n");
      const [, , name, , option] = lines;
      if (name === "PING") peer.send("+PONG\r\n");
      else if (name === "REPLCONF" && option !== "ACK") peer.send("+OK\r\n");
      else if (name === "PSYNC") this.#sync(peer);
    }
  }

  #sync(peer: Peer): void {
    this.asked.push(this.world.nowMs / 1000);
    const { snapshot } = this;
    if (snapshot === null) return peer.socket!.close();
    peer.send(`+FULLRESYNC ${HISTORY} 100\r\n$${snapshot.length}\r\n${snapshot}${this.behind}`);
  }

  /** Whole seconds between the last `count` times it was asked. */
  pauses(count: number): number[] {
    const latest = this.asked.slice(-count - 1);
    return latest.slice(1).map((second, i) => Math.floor(second - latest[i]));
  }

  async untilAsked(times: number): Promise<void> {
    await this.world.until(() => this.asked.length >= times, 600_000);
  }

  /** Lets the replica find out about what it was sent last. */
  async settle(): Promise<void> {
    await this.world.run(500);
  }

  get info(): Map<string, string | number> {
    const { replication, keyspace } = this.replica.server!.core;
    return new Map(replication.infoFields(keyspace.clock.monotonic()));
  }

  logged(pattern: RegExp): string[] {
    return this.replica.logLines.filter((line) => pattern.test(line));
  }
}

/** A snapshot with a value of a kind that nobody knows, behind `bytes` others. */
function unknownKind(bytes: number): string {
  return `REDIS0011\xfe\0\0\x01k${String.fromCharCode(bytes)}${"v".repeat(bytes)}\x70\x01l`;
}

Deno.test("full syncs that fail for what the snapshot holds are tried again in growing pauses, up to a minute", async () => {
  const scene = new Scene();
  for (let i = 0; i < 10; i++) {
    scene.snapshot = unknownKind(i); // where it fails is another place each time
    await scene.untilAsked(i + 1);
  }
  assertEquals(scene.pauses(9), [1, 2, 4, 8, 16, 32, 60, 60, 60]);

  await scene.settle();
  const { info } = scene;
  assertEquals(info.get("master_link_status"), "down");
  assertEquals(info.get("master_sync_failures"), 10);
  assertEquals(info.get("master_sync_retry_in_seconds"), 60);
  assertMatch(String(info.get("master_sync_last_error")), /^Failed trying to load .* at byte \d+/);
  const named = scene.logged(/cannot be taken over/).map((line) =>
    /tried in (\d+) s/.exec(line)![1]
  );
  assertEquals(named, ["1", "2", "4", "8", "16", "32", "60", "60", "60", "60"]);
  const { events } = scene.replica.server!.core.replication;
  const [waiting] = events.latest(1);
  assertEquals([waiting.event, waiting.detail], [
    "waiting",
    "the next full sync is tried in 60 seconds",
  ]);
});

Deno.test("a full sync that succeeds ends the growing of the pauses", async () => {
  const scene = new Scene();
  scene.snapshot = unknownKind(1);
  await scene.untilAsked(4);
  scene.snapshot = snapshot({ k: "v" });
  await scene.untilAsked(5);
  await scene.settle();
  const { info } = scene;
  assertEquals(info.get("master_link_status"), "up");
  assertEquals(
    ["master_sync_failures", "master_sync_retry_in_seconds", "master_sync_last_error"]
      .filter((name) => info.has(name)),
    [],
  );
});

Deno.test("full syncs whose stream is not to be trusted are asked for in growing pauses, wherever that is told", async () => {
  const scene = new Scene();
  for (let i = 0; i < 9; i++) {
    // The stream goes wrong right behind the snapshot, each time with another text.
    scene.behind = `*1\r\n$${i}x\r\n`;
    scene.snapshot = snapshot({ k: String(i) });
    await scene.untilAsked(i + 1);
  }
  assertEquals(scene.pauses(8).slice(1), [1, 2, 4, 8, 16, 32, 60]);
});

Deno.test("a snapshot with keys of a module is asked for in growing pauses, until its loss is accepted", async () => {
  const scene = new Scene();
  const id = "\x81" + "\x01".repeat(8);
  const withModule = (i: number) =>
    `REDIS0011\xfe\0\0\x01k\x01v\x07\x02m${i}${id}\x02\x05\0\xff` + "\0".repeat(8);
  for (let i = 0; i < 5; i++) {
    scene.snapshot = withModule(i);
    await scene.untilAsked(i + 1);
  }
  assertEquals(scene.pauses(4), [1, 2, 4, 8]);
  await scene.settle();
  assertMatch(
    String(scene.info.get("master_sync_last_error")),
    /holds what has no place here: 1 keys of module type '\w{9}': "m4" \(database 0\)/,
  );
  const { core } = scene.replica.server!;
  core.config.assign("replica-accept-lossy-sync", ["yes"]);
  await scene.untilAsked(6);
  await scene.settle();
  assertEquals(scene.info.get("master_link_status"), "up");
  assertEquals(scene.info.get("master_sync_left_out"), 1);
  assertEquals(scene.info.get("slave_priority"), 0);
  assertEquals(core.keyspace.keyCount, 1);
});

Deno.test("REPLICAOF with the same master tries a full sync at once, and the pauses begin anew", async () => {
  const scene = new Scene();
  scene.snapshot = unknownKind(1);
  await scene.untilAsked(6);
  await scene.settle();
  const askedMs = scene.world.nowMs;
  const { core } = scene.replica.server!;
  core.replication.replica.follow("master", PORT);
  await scene.untilAsked(8);
  assertEquals(scene.asked[6] * 1000 - askedMs < 100, true);
  assertEquals(scene.pauses(1), [1]);
});

Deno.test("a network that fails in between keeps its own pauses, and those of snapshots", async () => {
  const scene = new Scene();
  scene.snapshot = unknownKind(1);
  await scene.untilAsked(4); // the next pause is 8 s
  await scene.settle();
  scene.snapshot = null;
  await scene.untilAsked(12);
  assertEquals(scene.pauses(8)[0], 8);
  assertEquals(scene.pauses(7).every((pause) => pause <= 1), true);
  scene.snapshot = unknownKind(1);
  await scene.untilAsked(14);
  assertEquals(scene.pauses(1), [16]);
});
