/**
 * Recorded links between tsredis and servers of other versions, played without those: whoever was served is sent the
 * same snapshot and the same words as then, which it has understood; what a newer master has sent is taken as then.
 */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { MasterPlayer } from "../support/master_player.ts";
import { contentOfSnapshot, digestIn, SERVED_ARGS } from "../support/recorded_bridges.ts";
import { ReplicaPlayer } from "../support/replica_player.ts";
import {
  askText,
  assertNoFaults,
  infoOf,
  startPeer,
  withLog,
} from "../support/replication_peers.ts";
import { type Item, linkItems, readTranscript } from "../support/replication_transcript.ts";

const FOLDER = new URL("../fixtures/replication/", import.meta.url);

function recorded(part: string): string[] {
  return [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => name.startsWith(part)).map((name) => name.replace(".txt", "")).sort();
}

function itemsOf(name: string): Item[] {
  return readTranscript(name).sections.flatMap(linkItems);
}

function digestOf(items: Item[]): string {
  const found = items.flatMap((item) => item.kind === "note" ? digestIn(item.text) ?? [] : []);
  assertEquals(found.length, 1);
  return found[0];
}

for (const name of recorded("served-")) {
  Deno.test(`${name}: it is sent the snapshots and the commands that it has taken`, async () => {
    await using master = await startPeer("tsredis", { args: [...SERVED_ARGS] });
    const items = itemsOf(name);
    let snapshots = 0;
    const player = new ReplicaPlayer(master, {
      differences: {},
      isPassedOver: () => false,
      withoutChance: (words) =>
        words.map((word) => /^1\d{12}$/.test(word) ? "<ms>" : word).join(" "),
      compareSnapshots(recorded, ours) {
        snapshots++;
        assertEquals(contentOfSnapshot(ours), contentOfSnapshot(recorded));
      },
    });
    await withLog([master], async () => {
      await player.play(items);
      assert(player.compared.length > 60, `${player.compared.length} commands compared`);
      assert(snapshots > 0);
      assertEquals(await askText(master, "DEBUG", "DIGEST"), digestOf(items));
      assertNoFaults(master);
    });
  });
}

for (const name of recorded("followed-")) {
  Deno.test(`${name}: what it has sent is taken as it was`, async () => {
    await using replica = await startPeer("tsredis");
    using player = new MasterPlayer(replica);
    const items = itemsOf(name);
    await withLog([replica], async () => {
      await player.play(items);
      assertEquals(await askText(replica, "DEBUG", "DIGEST"), digestOf(items));
      assertNoFaults(replica);
    });
    await eventually(async () => (await infoOf(replica)).master_stream_errors === "0");
  });
}
