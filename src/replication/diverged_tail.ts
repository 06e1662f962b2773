/**
 * The writes that only this server has: a master that has been demoted, because it was cut off or frozen while another
 * took its place, drops what it has written since when it takes over the dataset of the new one. Redis drops it in
 * silence. Here it goes to a file first.
 *
 *     our history       ───────────────┬────────── the tail ──────────▶ diverged-<id>-<offset>.aof
 *     the new master's                 └─ second_repl_offset ───▶ ...
 *
 * Where the two part the new master says (INFO replication, asked before PSYNC); where it does not, it is what a replica
 * of ours has acknowledged last, and the first commands may be ones that it has. The tail is read from the backlog; what
 * is older than that, or than this process, from the append-only file, where the first commands may be such as well. If
 * that has not all of it either, what is missing is said in the file. A server that was started from a snapshot keeps
 * that under a second name.
 *
 * The file is an append-only file that any Redis since 7.0 reads: lines that begin with #, then SELECT and commands,
 * transactions with their brackets. Signs of life are left out, and where no command is left there is no file. See "The
 * tail of a demoted master" in NOTES.
 */

import { joined, latin1 } from "../base/bytes.ts";
import { toPath } from "../config/parse.ts";
import { formatBytes } from "../observe/bytes_for_people.ts";
import { removeIfThere } from "../runtime/remove_if_there.ts";
import { problemOf } from "../runtime/system_error.ts";
import type { OpenFile } from "../runtime/runtime.ts";
import { CommandScan, databaseAt, type Pause, selectedBy } from "./command_scan.ts";
import type { History } from "./history.ts";
import type { CommandSource, ReplicationHost } from "./host.ts";

/** Bytes that are collected before they are written. */
const PIECE_BYTES = 256 * 1024;

/** What has been saved. */
interface Saved {
  readonly name: string;
  readonly bytes: number;
  readonly commands: number;
}

export class DivergedTail {
  /** Our history may go on where that of the next master does not: it is to be asked. */
  isExpected = false;
  /** Offset at which they part; -1 when that is not known. */
  #from = -1;
  /** The history of ours that goes on there. */
  #id = "";
  /** It is from what was acknowledged: the new master may have more. */
  #isGuessed = false;
  /** Another goes on with our history, under another name. */
  #isReplaced = false;
  /** What was loaded at the start has been given up for a master's dataset, or is one. */
  #isPastStart = false;
  #saved: Saved | null = null;

  constructor(readonly host: ReplicationHost, readonly history: History) {}

  /** Another master is to be followed, with what we have so far. */
  expect(): void {
    const isOfHistory = this.history.backlog !== null && this.history.offset > 0;
    this.isExpected = isOfHistory || this.#loadedPosition !== null;
    this.#from = -1;
  }

  /** Nothing of ours is lost, or what is has been saved. */
  settled(): void {
    this.isExpected = false;
    this.#isPastStart = true;
    this.#from = -1;
  }

  get #loadedPosition(): ReplicationHost["loadedPosition"] {
    return this.#isPastStart ? null : this.host.loadedPosition;
  }

  /** What the master says of its history (INFO replication); null when it says nothing. */
  heard(info: string | null): void {
    const { ids, acknowledgedOffset } = this.history;
    const loadedPosition = this.#loadedPosition;
    const field = (name: string) => new RegExp(`^${name}:(\\S+)`, "m").exec(info ?? "")?.[1] ?? "";
    const parts: [id: string, offset: number][] = [
      [field("master_replid"), Number(field("master_repl_offset"))],
      [field("master_replid2"), Number(field("second_repl_offset")) - 1],
    ];
    const ours: [id: string, offset: number][] = [
      [ids.id, Infinity],
      [ids.secondId, ids.secondOffset - 1],
    ];
    if (loadedPosition !== null) ours.push([loadedPosition.id, Infinity]);
    this.#isGuessed = false;
    for (const [id, end] of ours) {
      const theirs = end < 0 ? undefined : parts.find((part) => part[0] === id && part[1] >= 0);
      if (theirs === undefined) continue;
      this.#from = Math.min(theirs[1], end);
      this.#id = id;
      // Who is still the master that we had has all that came from it.
      this.#isReplaced = theirs !== parts[0];
      return;
    }
    this.#isGuessed = this.#isReplaced = true;
    this.#from = acknowledgedOffset > 0 ? acknowledgedOffset : -1;
    this.#id = ids.id;
  }

  /**
   * Brings the tail to the disk, if there is one; `peer` is the new master. To be called before the dataset is exchanged.
   * Rejects with the system's error.
   */
  async save(peer: string): Promise<void> {
    const { history: { backlog, events }, host: { config, log } } = this;
    const from = this.#from;
    const bytesMax = config.value("diverged-tail-max-size");
    if (!this.isExpected || from < 0) return;
    const end = this.#end;
    const isCounted = end > from;
    // What was written last before the process ended is in the file, with no line behind it that says how far that is.
    if (!isCounted && (!this.#isReplaced || !this.#isOfFile)) return;
    const lost = isCounted
      ? `${
        formatBytes(end - from)
      } of our history, from offset ${from} to ${end}, are not in that of ${peer}`
      : `What we wrote last, behind offset ${end} of our history, may not be in that of ${peer}`;
    if (bytesMax === 0) {
      const why = "diverged-tail-max-size is 0";
      log.warning(`${lost}, and are not saved (${why})`);
      events.add("self", "", "tail-lost", `${lost}: ${why}`);
      return;
    }
    const name = `diverged-${this.#id}-${from}.aof`;
    const folder = toPath(config.value("dir"));
    const writer = new TailWriter(this.host, folder, name, bytesMax);
    const isInBacklog = backlog !== null && !this.#isOfFile && backlog.covers(from);
    const written = isInBacklog
      ? null
      : await this.host.writtenBehind(this.#id, from, pauseOf(this.host));
    try {
      if (written !== null) {
        await writer.writeFrom(written, from, this.#comments(from, end, peer));
      } else if (backlog !== null && !this.#isOfFile) {
        await writer.write(backlog, from, end, this.#comments(from, end, peer));
      } else writer.missing = "; there is no append-only file";
    } catch (error) {
      writer.abandon();
      throw error;
    } finally {
      written?.close();
    }
    if (writer.commands === 0) {
      if (writer.missing === "" || !isCounted) return; // signs of life only
      const what = `nothing of that can be saved${writer.missing}`;
      log.warning(`${lost}: ${what}${this.#keepSnapshot(from, bytesMax)}`);
      events.add("self", "", "tail-lost", `${lost}: ${what}`);
      return;
    }
    this.#saved = { name, bytes: writer.bytes, commands: writer.commands };
    const what = `${writer.commands} command(s) saved in ${name}${writer.missing}`;
    log.warning(`${lost}: ${what} ("tsredis replay ${name} host:port" sends them)`);
    events.add("self", "", "tail-saved", `${lost}: ${what}`);
  }

  /** Whether the history that goes on elsewhere is only known from what was loaded: nobody has counted it since. */
  get #isOfFile(): boolean {
    const { ids } = this.history;
    return this.#id !== ids.id && this.#id !== ids.secondId;
  }

  /** Up to where our history is known to go. */
  get #end(): number {
    return this.#isOfFile ? this.#loadedPosition?.offset ?? -1 : this.history.offset;
  }

  /** The snapshot that is on the disk has it as data, if it is ours: it is kept from being replaced. Returns what to log. */
  #keepSnapshot(from: number, bytesMax: number): string {
    const { persistence, runtime: { files }, config } = this.host;
    const isOfStart = !this.#isPastStart && persistence.loadedReplication !== null;
    if (!isOfStart || config.value("appendonly")) return "";
    const { filePath } = persistence;
    const name = `diverged-${this.#id}-${from}.rdb`;
    let why = "it is larger than diverged-tail-max-size";
    try {
      const sizeBytes = files.info(filePath)?.sizeBytes;
      if (sizeBytes === undefined) return "";
      if (sizeBytes <= bytesMax) {
        files.link(filePath, `${toPath(config.value("dir"))}/${name}`);
        return `. The snapshot that this server was started from has it, and is kept as ${name}`;
      }
    } catch (error) {
      why = problemOf(error);
    }
    return `. The snapshot that this server was started from has it, ${filePath}, until the next one is ` +
      `saved; no second name was given to it: ${why}`;
  }

  #comments(from: number, end: number, peer: string): string[] {
    const when = new Date(this.host.clock.now()).toISOString();
    return [
      "tsredis diverged tail: writes of a master that another has replaced",
      `history ${this.#id}`,
      `from offset ${from} to ${end}`,
      `saved ${when} before following ${peer.slice(0, COMMENT_MAX - 60)}`,
      ...(this.#isGuessed || this.#isOfFile
        ? ["the first of them may be known to the new master"]
        : []),
    ];
  }

  /** INFO's fields; none where nothing has been saved since the start. */
  infoFields(): [name: string, value: string | number][] {
    if (this.#saved === null) return [];
    const { name, bytes, commands } = this.#saved;
    return [
      ["diverged_tail_file", name],
      ["diverged_tail_bytes", bytes],
      ["diverged_tail_commands", commands],
    ];
  }
}

function pauseOf({ runtime: { timers } }: ReplicationHost): Pause {
  return () => new Promise((resolve) => timers.afterOthers(resolve));
}

/** Redis reads lines of so many bytes at most. */
const COMMENT_MAX = 120;

/** Writes one such file; it is there once it has a command. */
class TailWriter {
  bytes = 0;
  commands = 0;
  /** What the file lacks, for the log; empty for nothing. */
  missing = "";
  #file: OpenFile | null = null;
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  /** What comes next in the stream is of this database, what is in the file ends in that; -1 when not known. */
  #database = -1;
  #written = -1;
  /** The unit at hand. */
  #unit: Uint8Array[] = [];
  #unitBytes = 0;
  #unitCommands = 0;
  #isInMulti = false;
  #unknownBytes = 0;
  readonly #pause: Pause;

  constructor(
    readonly host: ReplicationHost,
    readonly folder: string,
    readonly name: string,
    readonly bytesMax: number,
  ) {
    this.#pause = pauseOf(host);
  }

  get #path(): string {
    return `${this.folder}/${this.name}`;
  }

  async write(
    backlog: NonNullable<History["backlog"]>,
    from: number,
    end: number,
    comments: string[],
  ): Promise<void> {
    const isWhole = backlog.covers(from);
    const begin = isWhole ? from : Math.min(end, backlog.commandOffset);
    this.#database = await databaseAt(backlog, begin, this.#pause);
    this.#comment(comments);
    if (!isWhole) this.#tellMissing(begin - from, "at its beginning were no longer in the backlog");
    const scan = new CommandScan(backlog, begin, end);
    try {
      let unitAt = begin;
      let offset = begin;
      while (offset < end && (scan.next() || await scan.nextLoaded())) {
        if (!this.#isInMulti) unitAt = offset;
        offset = scan.offset;
        if (!this.#take(scan)) {
          this.#tellMissing(end - unitAt, "at its end are beyond diverged-tail-max-size");
          offset = end;
          break;
        }
        if (this.#piecesBytes >= PIECE_BYTES && this.commands > 0) await this.#flush();
        if (scan.isTurnOver) await this.#pause();
      }
      this.#tellMissing(end - offset, "at its end could not be read");
      this.#tellMissing(this.#unknownBytes, "were of a database that is not known any more");
    } finally {
      scan.close();
    }
    await this.#end();
  }

  /** As `write`, of what the append-only file has behind `from`. */
  async writeFrom(source: CommandSource, from: number, comments: string[]): Promise<void> {
    this.#database = source.database;
    this.#comment(comments);
    if (source.offset < 0) {
      const what = "what was written before the append-only file was rewritten last";
      this.#comment([`maybe missing: ${what}`]);
      this.missing = `; ${what} may be missing`;
    } else if (source.offset < from) {
      this.#comment([
        `the first ${from - source.offset} bytes of it, or less, are known to the new master`,
      ]);
    }
    let unitAt = 0;
    let isCut = false;
    for (let at = 0; !isCut && source.next(); at = source.readBytes) {
      if (!this.#isInMulti) unitAt = at;
      isCut = !this.#take(source);
      if (this.#piecesBytes >= PIECE_BYTES && this.commands > 0) await this.#flush();
      if (source.isTurnOver) await this.#pause();
    }
    if (isCut) {
      this.#tellMissing(source.sizeBytes - unitAt, "at its end are beyond diverged-tail-max-size");
    } else this.#tellMissing(source.sizeBytes - source.readBytes, "at its end could not be read");
    await this.#end();
  }

  async #end(): Promise<void> {
    if (this.commands === 0) return;
    await this.#flush();
    await this.#file!.syncSoon();
    this.#file!.close();
    await this.host.runtime.files.syncFolderSoon(this.folder).catch(() => {});
  }

  #comment(lines: string[]): void {
    for (const line of lines) this.#put(latin1(`# ${line.slice(0, COMMENT_MAX)}\r\n`));
  }

  #tellMissing(bytes: number, why: string): void {
    if (bytes <= 0) return;
    const text = `${bytes} bytes ${why}`;
    this.missing += `; ${text}`;
    this.#comment([`missing: ${text}`]);
  }

  /** Takes the command at hand; false when the file may not grow by what it belongs to. */
  #take(scan: Pick<CommandSource, "words" | "bytes">): boolean {
    const { words } = scan;
    const selected = selectedBy(words);
    if (selected >= 0) this.#database = selected;
    else if (words.is(0, "multi")) {
      this.#isInMulti = true;
      this.#hold(scan.bytes.slice());
    } else if (words.is(0, "exec")) {
      this.#hold(scan.bytes.slice());
      return this.#endUnit();
    } else if (!words.is(0, "ping") && !words.is(0, "replconf")) {
      if (this.#database < 0) this.#unknownBytes += scan.bytes.length;
      else this.#add(scan.bytes.slice());
      // A transaction is held until it is whole, unless it is too long by then.
      return this.#isInMulti ? this.#hasRoom : this.#endUnit();
    }
    return true;
  }

  #add(bytes: Uint8Array): void {
    if (this.#written !== this.#database) {
      const digits = String(this.#database);
      this.#hold(latin1(`*2\r\n$6\r\nSELECT\r\n$${digits.length}\r\n${digits}\r\n`));
      this.#written = this.#database;
    }
    this.#hold(bytes);
    this.#unitCommands++;
  }

  #hold(bytes: Uint8Array): void {
    this.#unit.push(bytes);
    this.#unitBytes += bytes.length;
  }

  /** Whether the file may grow by the unit at hand. */
  get #hasRoom(): boolean {
    return this.bytes + this.#unitBytes <= this.bytesMax;
  }

  /** The unit is complete: it goes to the file, if it has a command and the file may have it. */
  #endUnit(): boolean {
    const unit = this.#unit;
    const commands = this.#unitCommands;
    const hasRoom = this.#hasRoom;
    this.#unit = [];
    this.#unitBytes = 0;
    this.#unitCommands = 0;
    this.#isInMulti = false;
    if (commands === 0) return true;
    if (!hasRoom) return false;
    this.commands += commands;
    for (const part of unit) this.#put(part);
    return true;
  }

  #put(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#piecesBytes += bytes.length;
    this.bytes += bytes.length;
  }

  async #flush(): Promise<void> {
    this.#file ??= this.host.runtime.files.open(this.#path, "write");
    const bytes = joined(this.#pieces);
    this.#pieces = [];
    this.#piecesBytes = 0;
    await this.#file.writeSoon(bytes, 0, bytes.length);
  }

  /** Removes what has been written. */
  abandon(): void {
    if (this.#file === null) return;
    this.#file.close();
    removeIfThere(this.host.runtime.files, this.#path);
  }
}
