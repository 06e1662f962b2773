/// <reference lib="deno.worker" />
/**
 * The worker behind BGSAVE and full syncs: takes chunks of a snapshot, compresses strings, adds up the
 * checksum, and writes the file or sends the finished bytes back, so that none of it costs the event
 * loop time. Errors go back as a message.
 */

import { ChunkFinisher } from "./finisher.ts";
import type { FromSaveWorker, ToSaveWorker } from "./save_messages.ts";
import { SnapshotFile } from "./snapshot_file.ts";
import { RdbEncoder } from "./writer.ts";

/** The snapshot under way. */
interface Save {
  readonly job: number;
  /** Null when the bytes go back. */
  readonly file: SnapshotFile | null;
  readonly finisher: ChunkFinisher;
  readonly encoder: RdbEncoder;
}

/** Null between snapshots and after a failure. */
let save: Save | null = null;

function answer(message: FromSaveWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, transfer);
}

function begin({ job, file: target, compress, checksum }: ToSaveWorker & { kind: "begin" }): Save {
  const options = { compress, checksum };
  if (target === null) {
    const encoder = new RdbEncoder((chunk, length) => {
      answer({ kind: "bytes", job, chunk, length }, [chunk.buffer]);
    }, options);
    return { job, file: null, encoder, finisher: new ChunkFinisher(encoder) };
  }
  const file = new SnapshotFile(target.folder, target.temporary, target.name);
  const encoder: RdbEncoder = new RdbEncoder((chunk, length) => {
    file.write(chunk, length);
    encoder.recycle(chunk);
  }, options);
  return { job, file, encoder, finisher: new ChunkFinisher(encoder) };
}

function take(message: ToSaveWorker): void {
  switch (message.kind) {
    case "begin":
      save?.file?.abandon();
      save = begin(message);
      return;
    case "chunk":
      save?.finisher.add(message.chunk, message.length, message.strings);
      return;
    case "release":
      save?.encoder.recycle(message.chunk);
      return;
    case "abandon":
      save?.file?.abandon();
      save = null;
      return;
    case "end":
      if (save === null) return;
      save.finisher.end();
      save.file?.finish();
      if (save.file === null) save = null;
      answer({ kind: "finished", job: message.job });
      return;
    case "renamed":
      save?.file?.syncFolder();
      save = null;
      answer({ kind: "done", job: message.job });
  }
}

self.onmessage = ({ data }: MessageEvent<ToSaveWorker>) => {
  try {
    take(data);
  } catch (error) {
    const job = save?.job ?? (data.kind === "release" ? 0 : data.job);
    save?.file?.abandon();
    save = null;
    const message = error instanceof Error ? error.message : String(error);
    answer({ kind: "failed", job, message });
  }
  if (data.kind === "chunk") {
    answer({ kind: "taken", job: data.job, chunk: data.chunk }, [data.chunk.buffer]);
  }
};
