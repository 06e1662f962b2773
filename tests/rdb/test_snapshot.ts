/** A snapshot whose steps are taken by the test, between the changes that it makes. */

import { ChunkFinisher } from "../../src/rdb/finisher.ts";
import { ACCESS_NONE, type LeftOutListener } from "../../src/rdb/save_dataset.ts";
import { Snapshot } from "../../src/rdb/snapshot.ts";
import { ChunkCollector, RdbEncoder } from "../../src/rdb/writer.ts";
import type { TestServer } from "../support/test_server.ts";

/** A snapshot that is finished in memory, stepped by the test. */
export class TestSnapshot {
  readonly snapshot: Snapshot;
  readonly #collector = new ChunkCollector();
  readonly #finisher: ChunkFinisher;
  isFull = false;

  constructor(server: TestServer, compress: boolean, version?: number, leftOut?: LeftOutListener) {
    this.#finisher = new ChunkFinisher(new RdbEncoder(this.#collector.sink, { compress }));
    this.snapshot = new Snapshot(server.keyspace, {
      write: (chunk, length, strings) => {
        this.#finisher.add(chunk, length, strings);
        chunk.fill(0xee, 0, length); // whoever keeps a part of it would notice
        this.snapshot?.recycle(chunk);
      },
      isFull: () => this.isFull,
    }, { access: ACCESS_NONE, compress, version, leftOut });
  }

  /** One unit of the walk; true when it is over. */
  step(): boolean {
    return this.snapshot.step(-Infinity, () => 0);
  }

  bytes(): Uint8Array {
    this.#finisher.end();
    return this.#collector.take();
  }
}
