/**
 * A snapshot without keys, for who asks for the stream only (`redis-cli --replica`) or for functions
 * (`redis-cli --functions-rdb`).
 */

import { accessOf, DatasetWriter } from "../rdb/save_dataset.ts";
import { replicaVersion } from "../rdb/versions.ts";
import { RdbEncoder } from "../rdb/writer.ts";
import type { ReplicationHost } from "./host.ts";
import type { RelayTransfer } from "./relay_transfer.ts";

export class EmptySnapshot {
  readonly #host: ReplicationHost;

  constructor(host: ReplicationHost) {
    this.#host = host;
  }

  /** Puts all of it, with these aux fields, into a transfer, once its receivers are there. */
  sendTo(
    transfer: RelayTransfer,
    aux: readonly (readonly [string, string | number])[],
    hasLibraries: boolean,
  ): void {
    const { config, keyspace, runtime } = this.#host;
    const pieces: { chunk: Uint8Array<ArrayBuffer>; length: number }[] = [];
    const encoder = new RdbEncoder((chunk, length) => pieces.push({ chunk, length }), {
      compress: config.value("rdbcompression"),
      version: replicaVersion(keyspace, config),
      checksum: config.value("rdbchecksum"),
      chunkBytes: 4096,
    });
    const writer = new DatasetWriter(keyspace, accessOf(config.value("maxmemory-policy")));
    writer.begin(encoder, { aux });
    if (hasLibraries) writer.writeLibraries(encoder);
    encoder.writeEof();
    runtime.timers.soon(() => {
      for (const { chunk, length } of pieces) transfer.onBytes(chunk, length);
      transfer.onEnd(null);
    });
  }
}
