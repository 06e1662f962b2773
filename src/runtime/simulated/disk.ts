/**
 * A simulated disk: what a program sees of its files, and beside it what would be left of them if the
 * power went now.
 *
 *     names      what the program sees           -- syncFolder -->  durable names
 *     content    what the program wrote          -- sync -------->  synced content
 *
 * At a power cut some of the difference is there and some is not, as drawn. Changes of names come to
 * the disk in their order (a journal), so what is left is a beginning of them; a rename is one change.
 * Content comes to the disk by pages, in any order, whatever the names do: a file that was renamed
 * before it was synced can be there with its new name and with nothing in it.
 *
 * Faults are settings of the disk: it can be full, fail, or be slow. Permissions are kept but not
 * enforced, as for root.
 */

import type { Draw } from "../../base/clock.ts";
import type { FileInfo, Files, OpenFile, OpenMode } from "../runtime.ts";
import { SystemError } from "../system_error.ts";
import { below, type Range, within } from "./chance.ts";
import type { Life, Schedule } from "./schedule.ts";

const PAGE_BYTES = 4096;
const NAME_BYTES_MAX = 255;

class FileNode {
  bytes = new Uint8Array(64);
  size = 0;
  /** Content as of the last sync. */
  synced: Uint8Array = new Uint8Array(0);
  /** The least size since then: what was only added to does not become shorter by a power cut. */
  sizeMin = 0;
  isDirty = false;
  /** The open file that has it locked. */
  lockedBy: SimulatedFile | null = null;
  /** Names and open handles; without any its space is free. */
  holders = 0;

  constructor(readonly disk: SimulatedDisk, public mode: number) {}

  resize(size: number): void {
    if (size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.size));
      this.bytes = grown;
    } else if (size < this.size) this.bytes.fill(0, size, this.size);
    this.disk.usedBytes += size - this.size;
    this.size = size;
    this.sizeMin = Math.min(this.sizeMin, size);
    this.isDirty = true;
  }

  sync(): void {
    this.synced = this.bytes.slice(0, this.size);
    this.sizeMin = this.size;
    this.isDirty = false;
  }

  hold(): void {
    if (this.holders++ === 0) this.disk.usedBytes += this.size;
  }

  release(): void {
    if (--this.holders === 0) this.disk.usedBytes -= this.size;
  }

  /** Content becomes what the power cut has left. */
  tear(draw: Draw): void {
    if (!this.isDirty) return;
    const { synced } = this;
    const written = this.bytes.subarray(0, this.size);
    const fate = draw();
    // Nothing of it, all of it, or a size and pages of either.
    let left: Uint8Array = fate < 0.3 ? synced : written;
    if (fate >= 0.6) {
      const { sizeMin } = this;
      const between = sizeMin + below(draw, written.length - sizeMin + 1);
      const sizes = [synced.length, written.length, between];
      left = new Uint8Array(sizes[below(draw, 3)]);
      for (let at = 0; at < left.length; at += PAGE_BYTES) {
        const from = draw() < 0.5 ? synced : written;
        left.set(from.subarray(at, Math.min(at + PAGE_BYTES, left.length)), at);
      }
    }
    this.bytes = left.slice();
    this.size = left.length;
    this.sync();
  }
}

class FolderNode {
  names = new Map<string, Node>();
  durable = new Map<string, Node>();
  mode = 0o755;
}

/** The name of a Unix socket. */
class SocketNode {
  mode = 0o755;
}

type Node = FileNode | FolderNode | SocketNode;

/** A change of names: this one goes, or gets another node. */
interface NameChange {
  readonly folder: FolderNode;
  readonly name: string;
  readonly node: Node | null;
}

/** What can fail with EIO, each with this probability. */
export interface DiskFaults {
  read: number;
  write: number;
  sync: number;
  /** Opening, renaming, linking, removing. */
  names: number;
}

export class SimulatedDisk {
  /** Content may grow to this many bytes altogether; what is beyond ends a write with ENOSPC. */
  capacityBytes = Infinity;
  usedBytes = 0;
  readonly faults: DiskFaults = { read: 0, write: 0, sync: 0, names: 0 };
  /** Called before each operation: what it throws is how that fails. It may have the machine end. */
  beforeOperation: ((kind: keyof DiskFaults) => void) | null = null;
  /** How long each operation in the background takes. */
  delayMs: Range = [0.05, 1];
  readonly #root = new FolderNode();
  /** Not durable yet, the oldest first. What has to come about at once stands together. */
  #journal: NameChange[][] = [];

  constructor(readonly schedule: Schedule, readonly draw: Draw) {}

  /** Makes a folder and those above it; they are durable at once. */
  makeFolder(path: string): void {
    let folder = this.#root;
    for (const name of partsOf(path)) {
      let next = folder.names.get(name);
      if (next === undefined) {
        next = new FolderNode();
        folder.names.set(name, next);
        folder.durable.set(name, next);
      }
      if (!(next instanceof FolderNode)) throw new SystemError("ENOTDIR");
      folder = next;
    }
  }

  /** The power is cut: what was not synced is lost, or some of it is. */
  losePower(): void {
    const kept = below(this.draw, this.#journal.length + 1);
    for (const change of this.#journal.slice(0, kept)) makeDurable(change);
    this.#journal = [];
    this.usedBytes = 0;
    const seen = new Set<FileNode>();
    const restore = (folder: FolderNode) => {
      folder.names = new Map(folder.durable);
      for (const node of folder.names.values()) {
        if (node instanceof FolderNode) restore(node);
        else if (node instanceof FileNode) {
          if (!seen.has(node)) {
            seen.add(node);
            node.holders = 0;
            node.tear(this.draw);
          }
          node.hold();
        }
      }
    };
    restore(this.#root);
  }

  /** Nothing more can be written until `capacityBytes` is raised or something is removed. */
  fill(): void {
    this.capacityBytes = this.usedBytes;
  }

  fail(kind: keyof DiskFaults): void {
    this.beforeOperation?.(kind);
    const probability = this.faults[kind];
    if (probability > 0 && this.draw() < probability) throw new SystemError("EIO");
  }

  /** The folder that a path's last name is in, and that name. @throws SystemError */
  parentOf(path: string): { folder: FolderNode; name: string } {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw new SystemError(path === "" ? "ENOENT" : "EISDIR");
    let folder = this.#root;
    for (const part of parts) {
      const next = folder.names.get(part);
      if (next === undefined) throw new SystemError("ENOENT");
      if (!(next instanceof FolderNode)) throw new SystemError("ENOTDIR");
      folder = next;
    }
    if (new TextEncoder().encode(name).length > NAME_BYTES_MAX) {
      throw new SystemError("ENAMETOOLONG");
    }
    return { folder, name };
  }

  /** @throws SystemError, but for what is not there */
  find(path: string): Node | undefined {
    if (path === "/") return this.#root;
    const { folder, name } = this.parentOf(path);
    return folder.names.get(name);
  }

  /** Changes names, all at once also at a power cut. */
  change(...changes: NameChange[]): void {
    for (const { folder, name, node } of changes) {
      const before = folder.names.get(name);
      if (node === null) folder.names.delete(name);
      else folder.names.set(name, node);
      if (node instanceof FileNode) node.hold();
      if (before instanceof FileNode) before.release();
    }
    this.#journal.push(changes);
  }

  /** All changes of names up to the last one in this folder become durable. */
  syncNames(folder: FolderNode): void {
    const last = this.#journal.findLastIndex((changes) =>
      changes.some((change) => change.folder === folder)
    );
    for (const changes of this.#journal.splice(0, last + 1)) makeDurable(changes);
  }

  /** @throws SystemError EADDRINUSE when something of that name is there */
  addSocket(path: string, mode: number): void {
    const { folder, name } = this.parentOf(path);
    if (folder.names.has(name)) throw new SystemError("EADDRINUSE");
    const node = new SocketNode();
    if (mode !== 0) node.mode = mode;
    this.change({ folder, name, node });
  }

  /** Removes the name of a socket if it is still there. */
  removeSocket(path: string): void {
    if (!(this.find(path) instanceof SocketNode)) return;
    this.change({ ...this.parentOf(path), node: null });
  }
}

function makeDurable(changes: readonly NameChange[]): void {
  for (const { folder, name, node } of changes) {
    if (node === null) folder.durable.delete(name);
    else folder.durable.set(name, node);
  }
}

/** The names of an absolute path, without "." and "..". */
function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}

/** The files of one disk as one thread sees them. */
export class SimulatedFiles implements Files {
  constructor(
    readonly disk: SimulatedDisk,
    readonly life: Life,
    readonly workingFolder: string,
  ) {}

  open(path: string, mode: OpenMode, permissions = 0o666): OpenFile {
    this.life.check();
    const { disk } = this;
    disk.fail("names");
    const node = this.#find(path);
    if (mode === "create" && node !== undefined) throw new SystemError("EEXIST");
    if (node instanceof FolderNode && mode !== "read") throw new SystemError("EISDIR");
    if (node instanceof SocketNode) throw new SystemError("ENXIO", "No such device or address");
    if (node === undefined) {
      if (mode === "read") throw new SystemError("ENOENT");
      const file = new FileNode(disk, permissions & ~0o022);
      disk.change({ ...this.#parent(path), node: file });
      return new SimulatedFile(this, file, mode);
    }
    if (node instanceof FileNode && mode === "write" && node.size > 0) node.resize(0);
    return new SimulatedFile(this, node, mode);
  }

  read(path: string): Uint8Array<ArrayBuffer> {
    using file = this.open(path, "read");
    const bytes = new Uint8Array(file.sizeBytes());
    file.read(bytes);
    return bytes;
  }

  info(path: string): FileInfo | null {
    this.life.check();
    let node: Node | undefined;
    try {
      node = this.#find(path);
    } catch (error) {
      if (error instanceof SystemError && error.code === "ENOENT") return null;
      throw error;
    }
    if (node === undefined) return null;
    const sizeBytes = node instanceof FileNode ? node.size : 0;
    return { sizeBytes, isFolder: node instanceof FolderNode, mode: node.mode };
  }

  list(folder: string): { readonly name: string; readonly isFolder: boolean }[] {
    const { names } = this.#folder(folder);
    return Array.from(names, ([name, node]) => ({ name, isFolder: node instanceof FolderNode }));
  }

  rename(from: string, to: string): void {
    this.life.check();
    this.disk.fail("names");
    const source = this.#parent(from);
    const target = this.#parent(to);
    const node = source.folder.names.get(source.name);
    const replaced = target.folder.names.get(target.name);
    if (node === undefined) throw new SystemError("ENOENT");
    if (node === replaced) return;
    if (replaced instanceof FolderNode && !(node instanceof FolderNode)) {
      throw new SystemError("EISDIR");
    }
    if (node instanceof FolderNode && replaced !== undefined) {
      if (!(replaced instanceof FolderNode)) throw new SystemError("ENOTDIR");
      if (replaced.names.size > 0) throw new SystemError("ENOTEMPTY");
    }
    this.disk.change({ ...target, node }, { ...source, node: null });
  }

  makeFolder(path: string): void {
    this.life.check();
    this.disk.fail("names");
    const node = this.#find(path);
    if (node instanceof FolderNode) return;
    if (node !== undefined) throw new SystemError("EEXIST");
    this.disk.change({ ...this.#parent(path), node: new FolderNode() });
  }

  truncate(path: string, sizeBytes: number): void {
    this.life.check();
    this.disk.fail("write");
    const node = this.#find(path);
    if (node === undefined) throw new SystemError("ENOENT");
    if (!(node instanceof FileNode)) throw new SystemError("EISDIR");
    if (node.size !== sizeBytes) node.resize(sizeBytes);
  }

  link(existing: string, path: string): void {
    this.life.check();
    this.disk.fail("names");
    const node = this.#find(existing);
    const target = this.#parent(path);
    if (node === undefined) throw new SystemError("ENOENT");
    if (node instanceof FolderNode) throw new SystemError("EPERM");
    if (target.folder.names.has(target.name)) throw new SystemError("EEXIST");
    this.disk.change({ ...target, node });
  }

  remove(path: string): void {
    this.life.check();
    this.disk.fail("names");
    const node = this.#find(path);
    if (node === undefined) throw new SystemError("ENOENT");
    if (node instanceof FolderNode && node.names.size > 0) throw new SystemError("ENOTEMPTY");
    this.disk.change({ ...this.#parent(path), node: null });
  }

  /** The name goes some time later: until then, and in doubt after that, it is not to be used again. */
  removeSoon(path: string): void {
    this.#soon("removes a file", () => this.remove(path)).catch(() => {});
  }

  setMode(path: string, mode: number): void {
    this.life.check();
    const node = this.#find(path);
    if (node === undefined) throw new SystemError("ENOENT");
    node.mode = mode & 0o7777;
  }

  syncFolder(folder: string): void {
    const node = this.#folder(folder);
    this.disk.fail("sync");
    this.disk.syncNames(node);
  }

  syncFolderSoon(folder: string): Promise<void> {
    return this.#soon("syncs a folder", () => this.syncFolder(folder));
  }

  #soon<T>(name: string, work: () => T): Promise<T> {
    const { disk, life } = this;
    return new Promise((resolve, reject) =>
      disk.schedule.after(within(disk.draw, disk.delayMs), life, name, () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      })
    );
  }

  #absolute(path: string): string {
    return path === "" || path.startsWith("/") ? path : `${this.workingFolder}/${path}`;
  }

  #find(path: string): Node | undefined {
    return this.disk.find(this.#absolute(path));
  }

  #parent(path: string): { folder: FolderNode; name: string } {
    return this.disk.parentOf(this.#absolute(path));
  }

  #folder(path: string): FolderNode {
    this.life.check();
    const node = this.#find(path);
    if (node === undefined) throw new SystemError("ENOENT");
    if (!(node instanceof FolderNode)) throw new SystemError("ENOTDIR");
    return node;
  }
}

class SimulatedFile implements OpenFile {
  #position = 0;
  #isClosed = false;
  /** When the last operation in the background ends: they happen one after the other. */
  #idleFromMs = 0;
  readonly #disk: SimulatedDisk;
  readonly #life: Life;
  readonly #node: FileNode | FolderNode;
  readonly #mode: OpenMode;
  readonly #forget: () => void;

  constructor({ disk, life }: SimulatedFiles, node: FileNode | FolderNode, mode: OpenMode) {
    this.#disk = disk;
    this.#life = life;
    this.#node = node;
    this.#mode = mode;
    if (node instanceof FileNode) node.hold();
    this.#forget = life.atEnd(() => this.close());
  }

  read(into: Uint8Array<ArrayBuffer>): number {
    const node = this.#check(this.#mode !== "write" && this.#mode !== "append");
    this.#disk.fail("read");
    const count = Math.max(0, Math.min(into.length, node.size - this.#position));
    into.set(node.bytes.subarray(this.#position, this.#position + count));
    this.#position += count;
    return count;
  }

  write(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): void {
    const disk = this.#disk;
    const node = this.#check(this.#mode !== "read");
    disk.fail("write");
    if (this.#mode === "append") this.#position = node.size;
    const start = this.#position;
    const free = Math.max(0, disk.capacityBytes - disk.usedBytes);
    const end = Math.min(start + to - from, Math.max(start, node.size + free));
    if (end > node.size) node.resize(end);
    node.bytes.set(bytes.subarray(from, from + end - start), start);
    node.isDirty = true;
    this.#position = end;
    if (end < start + to - from) throw new SystemError("ENOSPC");
  }

  readSoon(into: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#soon("reads a file", () => this.read(into));
  }

  writeSoon(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): Promise<void> {
    return this.#soon("writes a file", () => this.write(bytes, from, to));
  }

  sync(): void {
    const node = this.#check(true);
    this.#disk.fail("sync");
    if (!node.isDirty) return;
    node.sync();
  }

  syncSoon(): Promise<void> {
    return this.#soon("syncs a file", () => this.sync());
  }

  seek(position: number): void {
    this.#check(true);
    this.#position = position;
  }

  tryLock(): boolean {
    const node = this.#check(true);
    node.lockedBy ??= this;
    return node.lockedBy === this;
  }

  sizeBytes(): number {
    return this.#check(true).size;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#forget();
    if (this.#node instanceof FileNode && this.#node.lockedBy === this) this.#node.lockedBy = null;
    if (this.#node instanceof FileNode) this.#node.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #check(isAllowed: boolean): FileNode {
    if (this.#isClosed || !isAllowed) throw new SystemError("EBADF");
    if (this.#node instanceof FolderNode) throw new SystemError("EISDIR");
    return this.#node;
  }

  #soon<T>(name: string, work: () => T): Promise<T> {
    const { schedule, draw, delayMs } = this.#disk;
    const begins = Math.max(schedule.nowMs, this.#idleFromMs);
    this.#idleFromMs = begins + within(draw, delayMs);
    return new Promise((resolve, reject) =>
      schedule.at(this.#idleFromMs, this.#life, name, () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      })
    );
  }
}
