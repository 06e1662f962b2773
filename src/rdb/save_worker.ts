/// <reference lib="deno.worker" />
/**
 * The worker of BGSAVE: takes chunks of a snapshot, compresses strings, adds up the checksum and
 * writes the file, so that none of it costs the event loop time. Errors go back as a message.
 */

import { ChunkFinisher } from "./finisher.ts";
import type { FromSaveWorker, ToSaveWorker } from "./save_messages.ts";
import { SnapshotFile } from "./snapshot_file.ts";
import { RdbEncoder } from "./writer.ts";

interface Save {
  readonly file: SnapshotFile;
  readonly finisher: ChunkFinisher;
}

/** The save under way; null between saves and after a failure. */
let save: Save | null = null;

function answer(message: FromSaveWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, transfer);
}

function begin(message: ToSaveWorker & { kind: "begin" }): Save {
  const { folder, temporary, name, compress, checksum } = message;
  const file = new SnapshotFile(folder, temporary, name);
  const encoder: RdbEncoder = new RdbEncoder((chunk, length) => {
    file.write(chunk, length);
    encoder.recycle(chunk);
  }, { compress, checksum });
  return { file, finisher: new ChunkFinisher(encoder) };
}

function take(message: ToSaveWorker): void {
  switch (message.kind) {
    case "begin":
      save = begin(message);
      return;
    case "chunk":
      save?.finisher.add(message.chunk, message.length, message.strings);
      return;
    case "abandon":
      save?.file.abandon();
      save = null;
      return;
    case "end":
      if (save === null) return;
      save.finisher.end();
      save.file.finish();
      answer({ kind: "finished" });
      return;
    case "renamed":
      save?.file.syncFolder();
      save = null;
      answer({ kind: "done" });
  }
}

self.onmessage = ({ data }: MessageEvent<ToSaveWorker>) => {
  try {
    take(data);
  } catch (error) {
    save?.file.abandon();
    save = null;
    answer({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }
  if (data.kind === "chunk") answer({ kind: "taken", chunk: data.chunk }, [data.chunk.buffer]);
};
