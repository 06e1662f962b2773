/**
 * What servers of older versions are taken to know, held against links that were recorded with real ones: all that such
 * a server was sent, and has taken, is taken here, and what only newer ones were sent is not.
 */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { isBytes, linkItems, readTranscript, wordsOf } from "../support/replication_transcript.ts";
import { OldVersion } from "./old_version.ts";

const RECORDED = ["2.6.17", "2.8.24", "3.0.7", "3.2.13", "4.0.14", "5.0.14", "6.2.14"];

/** What a master has sent in a recorded link. */
function sentTo(version: string): { commands: string[][]; snapshots: string[] } {
  const { sections } = readTranscript(`served-${version.replaceAll(".", "-")}`);
  const sent = sections.flatMap(linkItems).filter(isBytes).filter(({ to }) => to === "R");
  return {
    commands: sent.filter(({ bytes, isRdb }) => !isRdb && bytes.startsWith("*"))
      .map(({ bytes }) => wordsOf(bytes)),
    snapshots: sent.filter(({ isRdb }) => isRdb).map(({ bytes }) => bytes),
  };
}

for (const version of RECORDED) {
  Deno.test(`redis ${version} takes each command that a real one was sent, and its last snapshot`, () => {
    const old = new OldVersion(version);
    const { commands, snapshots } = sentTo(version);
    assert(commands.length > 50);
    for (const words of commands) assertEquals(old.refusal(words), null, words.join(" "));
    assertEquals(old.snapshotRefusal(latin1(snapshots.at(-1)!)), null);
    for (const refused of snapshots.slice(0, -1)) {
      const isNewer = refused.slice(5, 9) > String(old.manners.rdbVersion).padStart(4, "0");
      assertEquals(
        old.snapshotRefusal(latin1(refused))?.startsWith("Can't handle") ?? false,
        isNewer,
      );
    }
  });
}

Deno.test("a server before 7.4 takes not all that a 7.4 was sent", () => {
  const { commands } = sentTo("7.4.1");
  for (const version of [...RECORDED, "7.0.15"]) {
    const old = new OldVersion(version);
    const refused = commands.filter((words) => old.refusal(words) !== null);
    assert(refused.length > 0, version);
  }
});

/** Words, and the first version that takes them. */
const SINCE: [string, string][] = [
  ["SET k v", "2.6.17"],
  ["SET k v PX 5 NX", "2.6.17"],
  ["SET k v KEEPTTL", "6.2.14"],
  ["SET k v PXAT 1700000000000", "6.2.14"],
  ["SET k v nx NX", "2.6.17"],
  ["GETDEL k", "6.2.14"],
  ["COPY a b DB 1 REPLACE", "6.2.14"],
  ["EXPIRE k 5 NX", "7.0.15"],
  ["LPOP k", "2.6.17"],
  ["LPOP k 2", "6.2.14"],
  ["LPUSHX k a", "2.6.17"],
  ["LPUSHX k a b", "4.0.14"],
  ["HSET k f v g w", "4.0.14"],
  ["ZADD k 1 a 2 b", "2.6.17"],
  ["ZADD k NX 1 a", "3.0.7"],
  ["ZADD k CH GT 1 a", "6.2.14"],
  ["XADD k MAXLEN ~ 5 1-1 f v", "5.0.14"],
  ["XADD k NOMKSTREAM 1-1 f v", "6.2.14"],
  ["XADD k 1-* f v", "7.0.15"],
  ["XTRIM k MINID 5", "6.2.14"],
  ["XGROUP CREATE k g $ ENTRIESREAD 3", "7.0.15"],
  ["SWAPDB 0 1", "4.0.14"],
  ["UNLINK k", "4.0.14"],
  ["FLUSHALL SYNC", "6.2.14"],
  ["REPLCONF GETACK *", "3.0.7"],
  ["PFADD k a", "2.8.24"],
  ["FUNCTION LOAD code", "7.0.15"],
  ["GEOSEARCHSTORE a b BYRADIUS 1 KM ASC FROMMEMBER m", "6.2.14"],
  ["BITFIELD k SET u8 0 1 OVERFLOW wrap", "3.2.13"],
  ["BITFIELD k SET u8 #1 5 OVERFLOW SAT INCRBY i4 0 -9", "3.2.13"],
];

Deno.test("commands and their arguments are known since the version that brought them", () => {
  for (const [text, since] of SINCE) {
    const takes = [...RECORDED, "7.0.15"].filter((version) =>
      new OldVersion(version).refusal(text.split(" ")) === null
    );
    assertEquals(takes[0], since, text);
    assertEquals(
      takes.length,
      [...RECORDED, "7.0.15"].length - [...RECORDED, "7.0.15"].indexOf(since),
      text,
    );
  }
});

Deno.test("what no version up to 7.0 knows is refused by all", () => {
  const unknown = [
    "SET k v IFEQ w",
    "HPEXPIREAT k 5 FIELDS 1 f",
    "SET k",
    "NONE",
    "BITOP DIFF",
    "EXPIRE k five",
  ];
  const script = ["EVAL", "redis.call('lmpop',1,KEYS[1],'LEFT')", "1", "k"];
  for (const version of RECORDED) {
    const old = new OldVersion(version);
    for (const text of unknown) {
      assert(old.refusal(text.split(" ")) !== null, `${version}: ${text}`);
    }
    assert(old.refusal(script) !== null);
  }
});
