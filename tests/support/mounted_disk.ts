/**
 * A small disk of its own, in memory, for tests of disks that are full or cannot be written to. Linux, and a user
 * who may mount: a test that needs one says `ignore: !canMount` and is then reported as skipped, by name,
 * which ends with `[own disk]`: then CI lets it be.
 */

/** Whether such a disk can be had. */
export const canMount: boolean = tryMount();

function tryMount(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const path = Deno.makeTempDirSync({ prefix: "tsredis-mount-" });
  try {
    if (!runs("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", path)) return false;
    return runs("umount", path);
  } finally {
    Deno.removeSync(path);
  }
}

function runs(program: string, ...args: string[]): boolean {
  try {
    const { success } = new Deno.Command(program, { args, stdout: "null", stderr: "null" })
      .outputSync();
    return success;
  } catch {
    return false;
  }
}

const CHUNK_BYTES = 4096;

/** `using` takes it away again: whoever has files open on it is to be gone before. */
export class MountedDisk implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "tsredis-mount-" });

  constructor(sizeBytes: number) {
    this.#mount("-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs");
  }

  #mount(...args: string[]): void {
    if (!runs("mount", ...args, this.path)) throw new Error(`cannot mount ${this.path}`);
  }

  get #filler(): string {
    return `${this.path}/filler`;
  }

  /** Takes all space that is free but for `leftBytes`, in whole blocks of 4 KB. */
  fill(leftBytes = 0): void {
    const block = new Uint8Array(CHUNK_BYTES);
    using file = Deno.openSync(this.#filler, { create: true, write: true });
    let sizeBytes = 0;
    try {
      for (;;) sizeBytes += file.writeSync(block);
    } catch {
      file.truncateSync(Math.max(0, sizeBytes - leftBytes));
    }
  }

  /** Gives that space back. */
  free(): void {
    Deno.removeSync(this.#filler);
  }

  /** Nothing on it can be changed. Fails while a file there is open for writing. */
  forbidWrites(): void {
    this.#mount("-o", "remount,ro");
  }

  allowWrites(): void {
    this.#mount("-o", "remount,rw");
  }

  [Symbol.dispose](): void {
    if (!runs("umount", this.path)) runs("umount", "--lazy", this.path);
    Deno.removeSync(this.path);
  }
}
