/** Payloads that name the first version which can express them, with a sum that is right. */

import { assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { Crc64 } from "../../src/rdb/crc64.ts";
import { lowerVersion } from "../../src/rdb/payload_version.ts";
import { testServer } from "../support/test_server.ts";

/** A payload that begins with this type, of this version; `sum` is "right", "wrong" or "none". */
function payload(type: number, version: number, sum = "right"): Uint8Array {
  const bytes = new Uint8Array(40).fill(7);
  bytes[0] = type;
  const footer = bytes.length - 10;
  bytes[footer] = version & 255;
  bytes[footer + 1] = version >> 8;
  const crc = new Crc64();
  crc.update(bytes, 0, footer + 2);
  crc.writeTo(bytes, footer + 2);
  if (sum === "none") bytes.fill(0, footer + 2);
  if (sum === "wrong") bytes[footer + 5] ^= 1;
  return bytes;
}

/** What becomes of it when it lies somewhere in other bytes, none of which may change. */
function lowered(before: Uint8Array): { version: number; after: Uint8Array } {
  const around = new Uint8Array(before.length + 24).fill(0x55);
  around.set(before, 11);
  const version = lowerVersion(around, 11, before.length);
  const after = around.slice(11, 11 + before.length);
  around.fill(0x55, 11, 11 + before.length);
  assertEquals(around.every((byte) => byte === 0x55), true);
  return { version, after };
}

for (
  const [what, type, from, to] of [
    ["a string of Redis 7.4", 0, 12, 6],
    ["a string of Redis 8.10", 0, 15, 6],
    ["a string of Valkey 9", 0, 80, 6],
    ["a list of nodes", 14, 12, 7],
    ["a sorted set with scores in binary", 5, 12, 8],
    ["a stream of 5.0", 15, 12, 9],
    ["a list of listpacks", 18, 12, 10],
    ["a set as a listpack", 20, 12, 11],
    ["a stream of 7.2", 21, 80, 11],
    ["a hash whose fields expire", 24, 15, 12],
    ["function libraries", 245, 12, 10],
    // What cannot be told to be readable under another number stays:
    ["a hash whose fields expire, of Valkey", 22, 80, 80],
    ["a type of Redis 7.4 in a version of Valkey", 24, 80, 80],
    ["a stream of Redis 8.6", 26, 13, 13],
    ["an array", 28, 14, 14],
    ["a hash with a template", 29, 15, 15],
    ["a value with metadata of modules", 243, 13, 13],
    ["a version that is not known", 0, 16, 16],
    ["another", 0, 79, 79],
    ["a string of 2.6", 0, 6, 6],
    ["a string of 2.4", 0, 3, 3],
  ] as const
) {
  Deno.test(`the payload of ${what}: version ${from} becomes ${to}, with a right sum`, () => {
    assertEquals(lowered(payload(type, from)), { version: to, after: payload(type, to) });
    assertEquals(
      lowered(payload(type, from, "wrong")).after,
      payload(type, to, "wrong"),
      "a sum that was wrong stays wrong",
    );
  });
}

Deno.test("a sum that was left out is made where the version becomes one that needs it", () => {
  assertEquals(lowered(payload(0, 15, "none")).after, payload(0, 6));
  assertEquals(lowered(payload(24, 15, "none")).after, payload(24, 12));
  assertEquals(lowered(payload(29, 15, "none")).after, payload(29, 15, "none"));
  const broken = lowered(payload(0, 12, "none")).after;
  assertEquals(toLatin1(broken) === toLatin1(payload(0, 6)), false, "version 12 has a sum");
});

Deno.test("what is too short for a payload is none", () => {
  for (let length = 0; length <= 10; length++) {
    const bytes = new Uint8Array(length).fill(12);
    assertEquals(lowerVersion(bytes, 0, length), 0);
    assertEquals(bytes.every((byte) => byte === 12), true);
  }
});

// The types as they are; a string in a string is not looked into.
for (
  const [request, version] of [
    ["SET k v", 6],
    ["SET k 12345", 6],
    ["RPUSH k a b", 10],
    ["SADD k 1 2 3", 6],
    ["SADD k a b", 11],
    ["HSET k f v", 10],
    ["ZADD k 1 a", 10],
    ["XADD k 1-1 f v", 11],
  ] as const
) {
  Deno.test(`DUMP after ${request} in version 12 is good in version ${version} too`, () => {
    const s = testServer();
    s.run(...request.split(" "));
    s.run("CONFIG", "SET", "rdb-version", "12");
    const bytes = latin1(s.run("DUMP", "k") as string);
    assertEquals(lowerVersion(bytes, 0, bytes.length), version);
    assertEquals(s.run("RESTORE", "other", "0", toLatin1(bytes)), "OK");
    assertEquals(s.run("DUMP", "other"), s.run("DUMP", "k"));
  });
}
