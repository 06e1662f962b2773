/**
 * The work behind BGSAVE and full syncs, done in a thread of its own (save_worker.ts): takes chunks of a
 * snapshot, compresses strings, adds up the checksum (or makes commands of it), and writes the file or sends the finished bytes
 * back, so that none of it costs the event loop time. It also frees memory, which takes the system long.
 * Errors go back as a message.
 */

import type { Files, PostMessage, Runtime } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import { CommandFinisher } from "./as_commands/command_finisher.ts";
import { ChunkFinisher, type Finisher } from "./finisher.ts";
import type { FinishedForm, FromSaveWorker, ToSaveWorker } from "./save_messages.ts";
import { SnapshotFile } from "./snapshot_file.ts";
import { type ChunkSink, RdbEncoder } from "./writer.ts";

/** The snapshot under way. */
interface Save {
  readonly job: number;
  /** Null when the bytes go back. */
  readonly file: SnapshotFile | null;
  readonly finisher: Finisher;
}

/** What finishes a snapshot in this form for a sink; `onRemark` hears of what it cannot say. */
export function finisherOf(
  form: FinishedForm,
  sink: ChunkSink,
  onRemark: (message: string) => void,
): Finisher {
  const { commands } = form;
  if (commands !== null) return new CommandFinisher(sink, commands, onRemark);
  return new ChunkFinisher(new RdbEncoder(sink, form));
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
        save?.finisher.recycle(message.chunk);
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

  #begin({ job, file: target, form }: ToSaveWorker & { kind: "begin" }): Save {
    const onRemark = (message: string) => this.#post({ kind: "remark", job, message }, []);
    if (target === null) {
      const send: ChunkSink = (chunk, length) => {
        this.#post({ kind: "bytes", job, chunk, length }, [chunk.buffer]);
      };
      return { job, file: null, finisher: finisherOf(form, send, onRemark) };
    }
    const { folder, temporary, name } = target;
    const file = new SnapshotFile(this.#files, folder, temporary, name, form.syncsAhead);
    const finisher: Finisher = finisherOf(form, (chunk, length) => {
      file.write(chunk, length);
      finisher.recycle(chunk);
    }, onRemark);
    return { job, file, finisher };
  }

  #abandon(): void {
    this.#save?.file?.abandon();
    this.#save = null;
  }
}
