/** What the main thread and the worker that finishes a snapshot's chunks say to each other. */

import type { CommandFrame } from "./as_commands/command_finisher.ts";

/** What the worker makes of the chunks. */
export interface FinishedForm {
  readonly compress: boolean;
  readonly checksum: boolean;
  /** Commands with these lines around them; null for a snapshot. */
  readonly commands: CommandFrame | null;
  /** Whether a file is brought to the disk bit by bit, as it grows; else at its end. */
  readonly syncsAhead: boolean;
}

/** Where a snapshot's file goes. */
export interface SaveFile {
  readonly folder: string;
  /** The name until the file is complete, and then. */
  readonly temporary: string;
  readonly name: string;
}

/** To the worker. `job` tells one snapshot from the ones before it, which may have been given up. */
export type ToSaveWorker =
  | {
    readonly kind: "begin";
    readonly job: number;
    /** Null: the finished bytes come back as messages instead of going to a file. */
    readonly file: SaveFile | null;
    readonly form: FinishedForm;
  }
  | {
    readonly kind: "chunk";
    readonly job: number;
    readonly chunk: Uint8Array<ArrayBuffer>;
    readonly length: number;
    readonly strings: Int32Array<ArrayBuffer> | null;
  }
  /** Finished bytes that were sent have been used: the buffer may be used again. */
  | { readonly kind: "release"; readonly chunk: Uint8Array<ArrayBuffer> }
  /** All chunks have been sent: complete the snapshot, and bring a file to the disk. */
  | { readonly kind: "end"; readonly job: number }
  /** The file has its name: bring that to the disk too. */
  | { readonly kind: "renamed"; readonly job: number }
  /** Memory that nobody uses, to be freed. */
  | { readonly kind: "free"; readonly memory: ArrayBuffer }
  /** Remove what was written. */
  | { readonly kind: "abandon"; readonly job: number };

/** From the worker. */
export type FromSaveWorker =
  /** A chunk is dealt with and comes back. */
  | { readonly kind: "taken"; readonly job: number; readonly chunk: Uint8Array<ArrayBuffer> }
  /** The next finished bytes of a snapshot that goes to no file. */
  | {
    readonly kind: "bytes";
    readonly job: number;
    readonly chunk: Uint8Array<ArrayBuffer>;
    readonly length: number;
  }
  /** What the commands of a file cannot say; a part of a line for the log. */
  | { readonly kind: "remark"; readonly job: number; readonly message: string }
  /**
   * The snapshot is complete: all bytes have been sent, or the file is on the disk. Its name is given
   * by the main thread, which knows whether it is still wanted.
   */
  | { readonly kind: "finished"; readonly job: number }
  /** The file is on the disk under its name. */
  | { readonly kind: "done"; readonly job: number }
  /** It has failed; chunks that still come are let go of. */
  | { readonly kind: "failed"; readonly job: number; readonly message: string };
