/**
 * A dataset as a snapshot of any version that can be written, key by key, as the keys are shown: it holds none of them.
 */

import { REDIS_VERSION } from "../../config/version.ts";
import { RDB_VERSION_AUX, RDB_VERSION_LISTPACKS, RDB_VERSION_STREAMS } from "../../rdb/format.ts";
import { writeRecord } from "../../rdb/save_value.ts";
import { RdbEncoder, type RdbEncoderOptions } from "../../rdb/writer.ts";
import type { BytesSink } from "../byte_writer.ts";
import type { DatasetOutput } from "./dataset_output.ts";
import type { ShownKey } from "../dataset/dataset.ts";

export class RdbOutput implements DatasetOutput {
  readonly #out: RdbEncoder;
  readonly #nowMs: number;
  #selected = -1;

  constructor(sink: BytesSink, options: RdbEncoderOptions, nowMs: number) {
    const out: RdbEncoder = new RdbEncoder((chunk, length) => {
      sink.write(chunk, 0, length);
      out.recycle(chunk);
    }, options);
    this.#out = out;
    this.#nowMs = nowMs;
  }

  begin(): void {
    const out = this.#out;
    out.writeHeader();
    if (out.version < RDB_VERSION_AUX) return;
    out.writeAux("redis-ver", REDIS_VERSION);
    out.writeAux("redis-bits", 64);
    out.writeAux("ctime", Math.floor(this.#nowMs / 1000));
  }

  library(code: Uint8Array): void {
    if (this.#out.version < RDB_VERSION_LISTPACKS) {
      throw new Error("rdb: a library in an old version");
    }
    this.#out.writeLibrary(code);
  }

  key({ database, place, ref, expiresAtMs, idleSeconds, frequency }: ShownKey): void {
    const out = this.#out;
    if (database !== this.#selected) out.writeSelectDb(database);
    this.#selected = database;
    if (expiresAtMs === expiresAtMs) out.writeExpiry(expiresAtMs);
    if (out.version >= RDB_VERSION_STREAMS) {
      if (idleSeconds >= 0) out.writeIdle(idleSeconds);
      if (frequency >= 0) out.writeFrequency(frequency);
    }
    writeRecord(out, place, ref);
  }

  end(): void {
    this.#out.writeEof();
  }
}
