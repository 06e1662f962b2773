import { assertEquals, assertThrows } from "@std/assert";
import { ChunkFinisher } from "../../src/rdb/finisher.ts";
import { ChunkCollector, RdbEncoder } from "../../src/rdb/writer.ts";
import { Random } from "../support/random.ts";
import { mixedBytes } from "./mixed_bytes.ts";

/** Writes drawn strings, integers and bytes; the same ones for the same seed. */
function write(out: RdbEncoder, seed: number): void {
  const random = new Random(seed);
  out.writeHeader();
  for (let i = 0; i < 300; i++) {
    const size = random.below(4) === 0 ? random.below(3000) : random.below(60);
    const bytes = mixedBytes(random, size);
    const kind = random.below(6);
    if (kind === 0) out.writeLength(random.below(1 << 20));
    else if (kind === 1) out.writeInteger(random.below(1 << 30));
    else if (kind === 2) out.writeRawString(bytes, 0, size);
    else out.writeString(bytes, 0, size);
  }
}

for (const compress of [true, false]) {
  Deno.test(
    `chunks that deferred their strings are finished to what one encoder writes, ${
      compress ? "with" : "without"
    } compression`,
    () => {
      for (let seed = 0; seed < 20; seed++) {
        const whole = new ChunkCollector();
        const encoder = new RdbEncoder(whole.sink, { compress });
        write(encoder, seed);
        encoder.writeEof();

        const parts = new ChunkCollector();
        const finisher = new ChunkFinisher(new RdbEncoder(parts.sink, { compress }));
        const deferring: RdbEncoder = new RdbEncoder((chunk, length, strings) => {
          finisher.add(chunk, length, strings);
          deferring.recycle(chunk);
        }, { compress, checksum: false, deferStrings: true, chunkBytes: 64 + seed * 97 });
        write(deferring, seed);
        deferring.flush();
        finisher.end();
        assertEquals(parts.take(), whole.take());
      }
    },
  );
}

Deno.test("finishing inside a string is an error", () => {
  const collector = new ChunkCollector();
  const finisher = new ChunkFinisher(new RdbEncoder(collector.sink));
  finisher.add(new Uint8Array(10), 10, new Int32Array([4, 100]));
  assertThrows(() => finisher.end(), Error, "inside a string");
});
