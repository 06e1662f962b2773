/**
 * Snapshots in each version that can be written beside real servers: what is written now is what servers of that
 * version have read (tests/rdb/written_versions.ts has asked them), and the installed redis-server is asked again.
 */

import { assert, assertEquals } from "@std/assert";
import { toLatin1 } from "../../src/base/bytes.ts";
import { seedHash } from "../../src/base/hash.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { OPCODE_AUX } from "../../src/rdb/format.ts";
import { RdbReader } from "../../src/rdb/reader.ts";
import { saveToBytes } from "../rdb/datasets.ts";
import { SAMPLE_HASH_SEED, sampleServer, VERSIONS } from "../rdb/version_samples.ts";
import {
  askLoaded,
  askRestored,
  expectedAnswer,
  walkedBytes,
  writtenDigests,
  writtenFile,
  type WrittenVersion,
} from "../rdb/written_versions.ts";
import { hasRedisServer } from "../support/real_redis.ts";

seedHash(...SAMPLE_HASH_SEED);

const written: Record<string, WrittenVersion> = JSON.parse(Deno.readTextFileSync(writtenDigests));

/** A snapshot without what stands before its first database and without its checksum. */
function keysOf(bytes: Uint8Array): Uint8Array {
  const reader = RdbReader.fromBytes(bytes);
  reader.readHeader();
  for (;;) {
    const at = reader.offset;
    if (reader.readByte() !== OPCODE_AUX) return bytes.subarray(at, bytes.length - 8);
    reader.skipString();
    reader.skipString();
  }
}

for (const version of VERSIONS) {
  Deno.test(`version ${version}: what is written is what servers of that version have read`, () => {
    const { keyspace } = sampleServer(version);
    const { digest, servers } = written[version];
    assert(servers.length > 0, "no server has read it");
    assertEquals(datasetDigest(keyspace), digest);
    const bytes = saveToBytes(keyspace, { version });
    const recorded = Deno.readFileSync(writtenFile(version));
    assertEquals(toLatin1(bytes, 0, 9), `REDIS${String(version).padStart(4, "0")}`);
    assertEquals(toLatin1(bytes, 0, 9), toLatin1(recorded, 0, 9));
    assert(toLatin1(keysOf(bytes)) === toLatin1(keysOf(recorded)), "it is written otherwise now");
  });
}

for (const version of [6, 7, 8, 9, 10]) {
  Deno.test({
    name:
      `redis-server loads a snapshot of version ${version}, and takes its payloads, as what it was`,
    ignore: !hasRedisServer,
    async fn() {
      const s = sampleServer(version);
      const expected = await expectedAnswer(s);
      assertEquals(expected[2].includes("alice"), version >= 9);
      const bytes = saveToBytes(s.keyspace, { version });
      assertEquals(await askLoaded("redis-server", bytes), expected);
      assertEquals(await askLoaded("redis-server", walkedBytes(s, version)), expected);
      assertEquals(await askRestored("redis-server", s, version), expected);
    },
  });
}
