/**
 * What do the primitives of a snapshot cost: checksum and LZF per megabyte, reading and writing per
 * small key? Loading and saving a million keys have to stay within 1.5 times the time of Redis, so
 * reader and writer may take some 100 ns of each key together.
 *
 * Groups named "MB" do one megabyte (10^6 bytes) per iteration: 1 ms is 1000 MB/s. Groups named
 * "1000 keys" do so many per iteration: 1 µs is 1 ns per key.
 */

import { latin1 } from "../src/base/bytes.ts";
import { writeInteger } from "../src/base/integers.ts";
import { Crc64 } from "../src/rdb/crc64.ts";
import { TYPE_STRING } from "../src/rdb/format.ts";
import { ZiplistCursor } from "../src/rdb/legacy.ts";
import { lzfCompress, lzfDecompress } from "../src/rdb/lzf.ts";
import { RdbReader } from "../src/rdb/reader.ts";
import { ChunkCollector, RdbEncoder } from "../src/rdb/writer.ts";
import { Random } from "../tests/support/random.ts";

const MEGABYTE = 1_000_000;
const KEYS = 1000;

const noise = new Random(1).bytes(MEGABYTE);

const crc = new Crc64();
Deno.bench("Crc64, long run", { group: "MB" }, () => crc.update(noise, 0, MEGABYTE));
Deno.bench("Crc64, runs of 40 bytes", { group: "MB" }, () => {
  for (let at = 0; at < MEGABYTE; at += 40) crc.update(noise, at, 40);
});

/** Text with the redundancy of JSON documents. */
const json = new Uint8Array(MEGABYTE);
for (let at = 0, i = 0; at < MEGABYTE; i++) {
  const line = latin1(
    `{"id":${i},"name":"user-${i * 7919 % 100003}","tags":["a${i % 7}","b"],"ok":true}\n`,
  );
  json.set(line.subarray(0, MEGABYTE - at), at);
  at += line.length;
}
const packed = new Uint8Array(MEGABYTE);
const packedLen = lzfCompress(json, 0, MEGABYTE, packed, 0, MEGABYTE);
const unpacked = new Uint8Array(MEGABYTE);
Deno.bench(`lzfCompress, JSON to ${Math.round(packedLen / 10_000)} %`, { group: "MB" }, () => {
  lzfCompress(json, 0, MEGABYTE, packed, 0, MEGABYTE);
});
Deno.bench("lzfCompress, JSON in strings of 100", { group: "MB" }, () => {
  for (let at = 0; at < MEGABYTE; at += 100) lzfCompress(json, at, 100, packed, 0, 96);
});
const scraps = new Uint8Array(MEGABYTE);
Deno.bench("lzfCompress, noise", { group: "MB" }, () => {
  lzfCompress(noise, 0, MEGABYTE, scraps, 0, MEGABYTE);
});
const repacked = new Uint8Array(MEGABYTE);
const repackedLen = lzfCompress(json, 0, MEGABYTE, repacked, 0, MEGABYTE);
Deno.bench("lzfDecompress, JSON", { group: "MB" }, () => {
  lzfDecompress(repacked, 0, repackedLen, unpacked, 0, MEGABYTE);
});

const KEY_BYTES = 14;
const keys = latin1("key:1000000000".repeat(KEYS));
for (let i = 0; i < KEYS; i++) writeInteger(keys, i * KEY_BYTES + 4, 1_000_000_000 + i);

const values: [string, Uint8Array][] = [
  ["16 bytes", latin1("xxxxxxxxxxxxxxxx")],
  ["integer", latin1("1234567")],
  ["100 bytes of JSON", json.slice(0, 100)],
];
for (const [name, value] of values) {
  const write = (encoder: RdbEncoder) => {
    for (let i = 0; i < KEYS; i++) {
      encoder.writeByte(TYPE_STRING);
      encoder.writeString(keys, i * KEY_BYTES, KEY_BYTES);
      encoder.writeString(value, 0, value.length);
    }
  };
  const encoder = new RdbEncoder((chunk) => encoder.recycle(chunk));
  Deno.bench(`write, ${name}`, { group: "1000 keys" }, () => write(encoder));

  const collector = new ChunkCollector();
  const once = new RdbEncoder(collector.sink);
  write(once);
  once.writeEof();
  const bytes = collector.take();
  const reader = RdbReader.fromBytes(bytes);
  let sum = 0;
  Deno.bench(`read with checksum, ${name}`, { group: "1000 keys" }, () => {
    reader.resetBytes(bytes, 0, bytes.length);
    for (let i = 0; i < KEYS; i++) {
      sum += reader.readByte();
      reader.readString();
      sum += reader.strBuf[reader.strOff];
      reader.readString();
      sum += reader.strLen;
    }
    sum += reader.readByte();
    if (!reader.verifyChecksum() || sum < 0) throw new Error("unreachable");
  });
}

// <size> <offset of the last> <count> and entries of 11 bytes: "value-xyz" behind its back link.
const ziplist = new Uint8Array(11 + KEYS * 11).fill(11);
new DataView(ziplist.buffer).setUint32(0, ziplist.length, true);
new DataView(ziplist.buffer).setUint32(4, 10 + (KEYS - 1) * 11, true);
new DataView(ziplist.buffer).setUint16(8, KEYS, true);
for (let i = 0; i < KEYS; i++) ziplist.set([i === 0 ? 0 : 11, 9], 10 + i * 11);
ziplist[ziplist.length - 1] = 255;
const cursor = new ZiplistCursor();
Deno.bench("walk a ziplist", { group: "1000 keys" }, () => {
  cursor.open(ziplist, 0, ziplist.length, 0);
  while (cursor.next());
});
