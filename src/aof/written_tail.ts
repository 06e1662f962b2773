/**
 * Reads out of the append-only file what was written behind an offset of a history: what is older than the
 * replication backlog, or than the process, is still there.
 *
 *     base │ cmd cmd #RP:90 cmd cmd #RP:140 cmd cmd #RP:200 cmd │ end
 *          │         behind offset 150: ^──────────────────────▶
 *
 * Offsets of the stream cannot be counted here, as some of it (PING, SELECT) goes to replicas only. So the place
 * is the last line at or before the offset that says where the dataset stands (position.ts); the commands between the
 * two are read as well, some tenth of a second's worth. What is in the base is there as data and no longer as commands.
 */

import type { Words } from "../resp/words.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";
import { CommandReader, READ_COMMAND, READ_END } from "./command_reader.ts";
import { PositionReader } from "./position.ts";

/** Bytes read before others get their turn. */
const TURN_BYTES = 1 << 20;

/** Lets others have their turn. */
type Pause = () => Promise<void>;

/** A place between two commands. */
interface Place {
  /** Index of the file, and the byte in it. */
  readonly file: number;
  readonly at: number;
  /** Database that is selected there. */
  readonly database: number;
  /** Offset of the stream there; -1 when nothing says so: it is the beginning of the first file. */
  readonly offset: number;
}

/** The commands from a place on, in order. `close` has to be called. */
export class WrittenTail implements Disposable {
  readonly #files: Files;
  readonly #paths: readonly string[];
  #index: number;
  #file: OpenFile | null = null;
  #reader: CommandReader | null = null;
  #at: number;
  #turnFrom: number;
  /** Bytes of the files before, but for what is before the place. */
  #bytesBefore: number;

  private constructor(
    files: Files,
    paths: readonly string[],
    place: Place,
    /** Bytes that there are to read. */
    readonly sizeBytes: number,
  ) {
    this.#files = files;
    this.#paths = paths;
    this.#index = place.file;
    this.#at = place.at;
    this.#bytesBefore = -place.at;
    this.#turnFrom = 0;
    this.database = place.database;
    this.offset = place.offset;
  }

  /** Database that is selected where it begins. */
  readonly database: number;
  /** Offset of the stream where it begins; -1 when that is not known, and something before it may be missing. */
  readonly offset: number;

  /**
   * What was written behind `offset` of the history `id`, out of these incremental files; null when there is nothing.
   * Rejects with a SystemError.
   */
  static async open(
    files: Files,
    paths: readonly string[],
    id: string,
    offset: number,
    pause: Pause,
  ): Promise<WrittenTail | null> {
    const place = await placeOf(files, paths, id, offset, pause);
    let bytes = -place.at;
    for (const path of paths.slice(place.file)) bytes += files.info(path)?.sizeBytes ?? 0;
    return bytes <= 0 ? null : new WrittenTail(files, paths, place, bytes);
  }

  /** Words of the command that was read last, and its bytes; good until the next call. */
  get words(): Words {
    return this.#reader!.words;
  }

  get bytes(): Uint8Array {
    return this.#reader!.bytes;
  }

  /** Bytes that have been read, up to the end of that command. */
  get readBytes(): number {
    return this.#bytesBefore + (this.#reader?.offset ?? this.#at);
  }

  /** Whether others are to have their turn. */
  get isTurnOver(): boolean {
    if (this.readBytes - this.#turnFrom < TURN_BYTES) return false;
    this.#turnFrom = this.readBytes;
    return true;
  }

  /** The next command; false at the end, or where there is none: then `readBytes` is less than there are. @throws SystemError */
  next(): boolean {
    for (;;) {
      if (this.#reader === null) {
        if (this.#index === this.#paths.length) return false;
        this.#file = this.#files.open(this.#paths[this.#index], "read");
        this.#file.seek(this.#at);
        this.#reader = new CommandReader(this.#file, this.#at);
      }
      const outcome = this.#reader.next();
      if (outcome === READ_COMMAND) return true;
      if (outcome !== READ_END) return false;
      this.#bytesBefore += this.#reader.offset;
      this.#at = 0;
      this.close();
      this.#index++;
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = this.#reader = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The last place that is known to be at or before this offset. */
async function placeOf(
  files: Files,
  paths: readonly string[],
  id: string,
  offset: number,
  pause: Pause,
): Promise<Place> {
  let place: Place = { file: 0, at: 0, database: 0, offset: -1 };
  let hasSeenId = false;
  let isBehind = false;
  const positions = new PositionReader();
  for (const [index, path] of paths.entries()) {
    let database = 0;
    let looked = 0;
    using file = files.open(path, "read");
    const reader = new CommandReader(file, 0, (text) => {
      positions.command();
      positions.line(text);
      const { position } = positions;
      if (position === null || isBehind) return;
      // A life of the server that is over has the same offsets under another name.
      const isOther = hasSeenId && position.id !== id;
      hasSeenId ||= position.id === id;
      if (isOther || position.offset > offset) {
        isBehind = isOther || position.id === id;
        return;
      }
      place = { file: index, at: reader.offset, database, offset: position.offset };
    });
    while (!isBehind && reader.next() === READ_COMMAND) {
      const { words } = reader;
      if (words.count === 2 && words.is(0, "select")) database = Number(words.text(1));
      if (reader.offset - looked < TURN_BYTES) continue;
      looked = reader.offset;
      await pause();
    }
    if (isBehind) break;
  }
  return place;
}
