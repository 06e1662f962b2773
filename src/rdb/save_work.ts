/**
 * The work behind BGSAVE and full syncs, done in a thread of its own (save_worker.ts): takes chunks of a
 * snapshot, compresses strings, adds up the checksum, and writes the file or sends the finished bytes
 * back, so that none of it costs the event loop time. It also frees memory, which takes the system long.
 * Errors go back as a message.
 */

import type { Files, PostMessage, Runtime } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
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

/** What a worker does for one server. Returns who takes its messages. */
export function runSaveWork(
  { files }: Runtime,
  post: PostMessage,
): (message: unknown) => void {
  const saver = new Saver(files, post as PostAnswer);
  return (message) => saver.hear(message as ToSaveWorker);
}

type PostAnswer = (message: FromSaveWorker, transfer: ArrayBuffer[]) => void;

class Saver {
  readonly #files: Files;
  readonly #post: PostAnswer;
  /** Null between snapshots and after a failure. */
  #save: Save | null = null;

  constructor(files: Files, post: PostAnswer) {
    this.#files = files;
    this.#post = post;
  }

  hear(message: ToSaveWorker): void {
    try {
      this.#take(message);
    } catch (error) {
      const job = this.#save?.job ?? ("job" in message ? message.job : 0);
      this.#abandon();
      this.#post({ kind: "failed", job, message: problemOf(error) }, []);
    }
    if (message.kind === "chunk") {
      const { job, chunk } = message;
      this.#post({ kind: "taken", job, chunk }, [chunk.buffer]);
    }
  }

  #take(message: ToSaveWorker): void {
    const save = this.#save;
    switch (message.kind) {
      case "begin":
        this.#abandon();
        this.#save = this.#begin(message);
        return;
      case "chunk":
        save?.finisher.add(message.chunk, message.length, message.strings);
        return;
      case "release":
        save?.encoder.recycle(message.chunk);
        return;
      case "free":
        message.memory.transferToFixedLength(0);
        return;
      case "abandon":
        this.#abandon();
        return;
      case "end":
        if (save === null) return;
        save.finisher.end();
        save.file?.finish();
        if (save.file === null) this.#save = null;
        this.#post({ kind: "finished", job: message.job }, []);
        return;
      case "renamed":
        save?.file?.syncFolder();
        this.#save = null;
        this.#post({ kind: "done", job: message.job }, []);
    }
  }

  #begin({ job, file: target, compress, checksum }: ToSaveWorker & { kind: "begin" }): Save {
    const options = { compress, checksum };
    if (target === null) {
      const encoder = new RdbEncoder((chunk, length) => {
        this.#post({ kind: "bytes", job, chunk, length }, [chunk.buffer]);
      }, options);
      return { job, file: null, encoder, finisher: new ChunkFinisher(encoder) };
    }
    const file = new SnapshotFile(this.#files, target.folder, target.temporary, target.name);
    const encoder: RdbEncoder = new RdbEncoder((chunk, length) => {
      file.write(chunk, length);
      encoder.recycle(chunk);
    }, options);
    return { job, file, encoder, finisher: new ChunkFinisher(encoder) };
  }

  #abandon(): void {
    this.#save?.file?.abandon();
    this.#save = null;
  }
}
