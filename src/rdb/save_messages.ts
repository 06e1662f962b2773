/** What the main thread and the worker that writes a snapshot to a file say to each other. */

/** To the worker. */
export type ToSaveWorker =
  | {
    readonly kind: "begin";
    readonly folder: string;
    /** The name until the file is complete, and then. */
    readonly temporary: string;
    readonly name: string;
    readonly compress: boolean;
    readonly checksum: boolean;
  }
  | {
    readonly kind: "chunk";
    readonly chunk: Uint8Array<ArrayBuffer>;
    readonly length: number;
    readonly strings: Int32Array<ArrayBuffer> | null;
  }
  /** All chunks have been sent: complete the file and bring it to the disk. */
  | { readonly kind: "end" }
  /** The file has its name: bring that to the disk too. */
  | { readonly kind: "renamed" }
  /** Remove what was written. */
  | { readonly kind: "abandon" };

/** From the worker. */
export type FromSaveWorker =
  /** A chunk is dealt with and comes back. */
  | { readonly kind: "taken"; readonly chunk: Uint8Array<ArrayBuffer> }
  /** The file is complete. Its name is given by the main thread, which knows whether it is still wanted. */
  | { readonly kind: "finished" }
  /** The file is on the disk under its name. */
  | { readonly kind: "done" }
  /** The save has failed; chunks that still come are let go of. */
  | { readonly kind: "failed"; readonly message: string };
