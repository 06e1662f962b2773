/**
 * Files for the part of the backlog that does not fit into memory: what slow replicas are still to be sent. Beside the
 * path of writes: blocks come here in the background, and go back when a replica has come to them.
 *
 * Blocks are appended to one file until that is large, then to the next; a file whose blocks are all done with is
 * closed. Files lose their names as soon as they are open, so whatever ends the process leaves nothing behind. Where
 * the system does not allow that, they are removed when they are closed.
 */

import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";
import type { SpillPlace, SpillStore } from "../propagation/backlog.ts";

/** A file that has become so large gets no more blocks. */
const FILE_BYTES = 64 << 20;

class SpillFile {
  sizeBytes = 0;
  /** Blocks in it that are needed, or are being written. */
  users = 0;
  isFull = false;

  constructor(readonly path: string, readonly writer: OpenFile, readonly reader: OpenFile) {}
}

class Place {
  constructor(readonly file: SpillFile, readonly at: number, readonly length: number) {}
}

export class SpillFiles implements SpillStore {
  readonly #files: Files;
  readonly #pathOf: (number: number) => string;
  readonly #usedChanged: (isUsed: boolean) => void;
  readonly #open = new Set<SpillFile>();
  #current: SpillFile | null = null;
  #number = 0;
  #isClosed = false;

  /** `usedChanged` is called when the first file has been opened, and when the last is gone. */
  constructor(
    files: Files,
    pathOf: (number: number) => string,
    usedChanged: (isUsed: boolean) => void,
  ) {
    this.#files = files;
    this.#pathOf = pathOf;
    this.#usedChanged = usedChanged;
  }

  /** SpillStore. */
  async write(parts: readonly Uint8Array[]): Promise<SpillPlace[]> {
    const file = this.#current ??= this.#newFile();
    file.users += parts.length;
    const bytes = together(parts);
    try {
      await file.writer.writeSoon(bytes, 0, bytes.length);
    } catch (error) {
      // What is at its end now is not known.
      this.#finish(file);
      for (let i = 0; i < parts.length; i++) this.#leave(file);
      throw error;
    }
    const places: SpillPlace[] = [];
    for (const { length } of parts) {
      places.push(new Place(file, file.sizeBytes, length));
      file.sizeBytes += length;
    }
    if (file.sizeBytes >= FILE_BYTES) this.#finish(file);
    return places;
  }

  #newFile(): SpillFile {
    const files = this.#files;
    const path = this.#pathOf(++this.#number);
    const writer = files.open(path, "create", 0o600);
    let reader: OpenFile;
    try {
      writer.tryLock();
      reader = files.open(path, "read");
    } catch (error) {
      writer.close();
      throw error;
    } finally {
      removeIfThere(files, path);
    }
    const file = new SpillFile(path, writer, reader);
    if (this.#open.size === 0) this.#usedChanged(true);
    this.#open.add(file);
    return file;
  }

  /** It gets no more blocks. */
  #finish(file: SpillFile): void {
    file.isFull = true;
    if (this.#current === file) this.#current = null;
  }

  /** SpillStore. */
  async read(places: readonly SpillPlace[]): Promise<Uint8Array[]> {
    const parts: Uint8Array[] = [];
    for (const run of runs(places as readonly Place[])) parts.push(...await readRun(run));
    return parts;
  }

  /** SpillStore. */
  free(place: SpillPlace): void {
    this.#leave((place as Place).file);
  }

  #leave(file: SpillFile): void {
    if (--file.users > 0 || !this.#open.has(file)) return;
    this.#finish(file);
    this.#end(file);
    if (this.#open.size === 0 && !this.#isClosed) this.#usedChanged(false);
  }

  #end(file: SpillFile): void {
    this.#open.delete(file);
    file.writer.close();
    file.reader.close();
    removeIfThere(this.#files, file.path);
  }

  /** SpillStore. */
  close(): void {
    this.#isClosed = true;
    this.#current = null;
    for (const file of this.#open) this.#end(file);
  }
}

function together(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Places in their order, those together that lie one behind the other. */
function runs(places: readonly Place[]): Place[][] {
  const found: Place[][] = [];
  let end = -1;
  for (const place of places) {
    const run = found.at(-1);
    if (run !== undefined && run[0].file === place.file && place.at === end) run.push(place);
    else found.push([place]);
    end = place.at + place.length;
  }
  return found;
}

/** @throws SystemError, or Error where the file has become shorter */
async function readRun(run: readonly Place[]): Promise<Uint8Array[]> {
  const [{ file: { reader }, at }] = run;
  const bytes = new Uint8Array(run.reduce((sum, { length }) => sum + length, 0));
  reader.seek(at);
  for (let filled = 0; filled < bytes.length;) {
    const count = await reader.readSoon(bytes.subarray(filled));
    if (count === 0) throw new Error("the file has become shorter");
    filled += count;
  }
  return run.map((place) => bytes.slice(place.at - at, place.at - at + place.length));
}
