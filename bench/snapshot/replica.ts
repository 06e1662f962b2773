/** A replica that keeps the snapshot in a file and does nothing with it, in a thread of its own: `replica_worker.ts`. */

import { AskedWorker } from "./asked_worker.ts";

export interface ReplicaQuestion {
  port: number;
  /** Where the snapshot goes. */
  path: string;
}

/** A full sync as the replica saw it. */
export interface ReplicaAnswer {
  /** When the last byte of the snapshot came (`nowMs`). */
  endedMs: number;
  /** What the stream of writes behind it begins with. */
  stream: Uint8Array;
}

/** Asks the server for a full sync; resolves when the snapshot and the beginning of the stream have come. */
export async function fullSync(port: number, path: string): Promise<ReplicaAnswer> {
  const worker = new AskedWorker<ReplicaQuestion, ReplicaAnswer>("./replica_worker.ts");
  try {
    return await worker.ask({ port, path });
  } finally {
    worker.end();
  }
}
