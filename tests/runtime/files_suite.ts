/** What every runtime's files do alike: run by deno_files_test.ts, node_files_test.ts and simulated_files_test.ts. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Files } from "../../src/runtime/runtime.ts";
import { SystemError } from "../../src/runtime/system_error.ts";

/** Files to test, and a folder in which there is nothing. */
export interface FilesRig extends Disposable {
  readonly files: Files;
  readonly folder: string;
  /** Waits for what is in the background. */
  settled<T>(promise: Promise<T>): Promise<T>;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function write(files: Files, path: string, text: string): void {
  using file = files.open(path, "write");
  const bytes = bytesOf(text);
  file.write(bytes, 0, bytes.length);
}

function refuses(code: string, words: string, operation: () => unknown): void {
  const error = assertThrows(operation, SystemError);
  assertEquals([error.code, error.message], [code, words]);
}

async function rejects(code: string, operation: Promise<unknown>): Promise<void> {
  const error = await operation.then(() => null, (error) => error);
  assert(error instanceof SystemError, `${error}`);
  assertEquals(error.code, code);
}

export function filesSuite(name: string, begin: () => FilesRig): void {
  const test = (what: string, check: (rig: FilesRig) => void | Promise<void>) =>
    Deno.test(`${name} files: ${what}`, async () => {
      using rig = begin();
      await check(rig);
    });

  test("what is written is read, and a file opened for writing is empty", ({ files, folder }) => {
    const path = `${folder}/a`;
    write(files, path, "a longer text");
    assertEquals(textOf(files.read(path)), "a longer text");
    write(files, path, "short");
    assertEquals(textOf(files.read(path)), "short");
    files.open(path, "write").close();
    assertEquals(files.read(path).length, 0);
  });

  test("write takes the bytes from one place to another", ({ files, folder }) => {
    using file = files.open(`${folder}/a`, "write");
    file.write(bytesOf("0123456789"), 3, 5);
    file.write(bytesOf("0123456789"), 7, 7);
    file.write(bytesOf("0123456789"), 9, 10);
    assertEquals(file.sizeBytes(), 3);
    assertEquals(textOf(files.read(`${folder}/a`)), "349");
  });

  test("append writes behind what is there, and makes a file", ({ files, folder }) => {
    const path = `${folder}/a`;
    for (const text of ["one ", "two ", "three"]) {
      using file = files.open(path, "append");
      const bytes = bytesOf(text);
      file.write(bytes, 0, bytes.length);
    }
    assertEquals(textOf(files.read(path)), "one two three");
    using first = files.open(path, "append");
    using second = files.open(path, "append");
    first.write(bytesOf("1"), 0, 1);
    second.write(bytesOf("2"), 0, 1);
    first.write(bytesOf("3"), 0, 1);
    assertEquals(textOf(files.read(path)), "one two three123");
  });

  test("create makes a file for writing and reading, and refuses one that is there", (rig) => {
    const { files, folder } = rig;
    const path = `${folder}/a`;
    using file = files.open(path, "create");
    file.write(bytesOf("hello"), 0, 5);
    file.sync();
    file.seek(0);
    const into = new Uint8Array(3);
    assertEquals([file.read(into), textOf(into)], [3, "hel"]);
    assertEquals([file.read(into), textOf(into.subarray(0, 2))], [2, "lo"]);
    assertEquals(file.read(into), 0);
    assertEquals(file.read(into), 0);
    file.write(bytesOf("!"), 0, 1);
    assertEquals(textOf(files.read(path)), "hello!");
    refuses("EEXIST", "File exists", () => files.open(path, "create"));
  });

  test("read goes on where the last one ended, each open file by itself", ({ files, folder }) => {
    write(files, `${folder}/a`, "abcdef");
    using one = files.open(`${folder}/a`, "read");
    using other = files.open(`${folder}/a`, "read");
    const into = new Uint8Array(4);
    assertEquals([one.read(into), textOf(into)], [4, "abcd"]);
    assertEquals([other.read(into.subarray(1, 3)), textOf(into)], [2, "aabd"]);
    assertEquals([one.read(into), textOf(into.subarray(0, 2))], [2, "ef"]);
    one.seek(0);
    assertEquals([one.read(into), textOf(into)], [4, "abcd"]);
    assertEquals(one.sizeBytes(), 6);
  });

  test("seek has reading and writing go on anywhere", ({ files, folder }) => {
    using file = files.open(`${folder}/a`, "create");
    file.write(bytesOf("abcdef"), 0, 6);
    file.seek(2);
    file.write(bytesOf("X"), 0, 1);
    const into = new Uint8Array(2);
    assertEquals([file.read(into), textOf(into)], [2, "de"]);
    file.seek(6);
    assertEquals(file.read(into), 0);
  });

  test("truncate cuts a file off, also one that is being appended to", ({ files, folder }) => {
    const path = `${folder}/a`;
    write(files, path, "abcdef");
    using file = files.open(path, "append");
    files.truncate(path, 2);
    file.write(bytesOf("xy"), 0, 2);
    assertEquals(textOf(files.read(path)), "abxy");
    refuses("ENOENT", "No such file or directory", () => files.truncate(`${folder}/none`, 0));
  });

  test("makeFolder makes a folder where there is none", ({ files, folder }) => {
    files.makeFolder(`${folder}/new`);
    files.makeFolder(`${folder}/new`);
    write(files, `${folder}/new/a`, "text");
    assertEquals(files.info(`${folder}/new`)?.isFolder, true);
    refuses("EEXIST", "File exists", () => files.makeFolder(`${folder}/new/a`));
    refuses("ENOENT", "No such file or directory", () => files.makeFolder(`${folder}/x/y`));
  });

  test("a lock is of one open file, until that is closed", ({ files, folder }) => {
    const path = `${folder}/a`;
    const first = files.open(path, "write");
    using second = files.open(path, "read");
    if (!first.tryLock()) {
      assertEquals(second.tryLock(), false, "where there are no locks, nobody has one");
      first.close();
      return;
    }
    assertEquals(second.tryLock(), false);
    first.close();
    assertEquals(second.tryLock(), true);
  });

  test("in the background files are written, synced and read as well", async (rig) => {
    const { files, folder } = rig;
    using file = files.open(`${folder}/a`, "create");
    await rig.settled(file.writeSoon(bytesOf("0123456789"), 2, 9));
    await rig.settled(file.writeSoon(bytesOf("0123456789"), 9, 10));
    await rig.settled(file.syncSoon());
    assertEquals(textOf(files.read(`${folder}/a`)), "23456789");
    file.seek(0);
    const into = new Uint8Array(6);
    assertEquals([await rig.settled(file.readSoon(into)), textOf(into)], [6, "234567"]);
    assertEquals(await rig.settled(file.readSoon(into)), 2);
    assertEquals(await rig.settled(file.readSoon(into)), 0);
    await rig.settled(files.syncFolderSoon(folder));
  });

  test("what is under way when a file is closed ends with an error or is done", async (rig) => {
    const { files, folder } = rig;
    const file = files.open(`${folder}/a`, "create");
    const bytes = new Uint8Array(1 << 20).fill(7);
    const writing = file.writeSoon(bytes, 0, bytes.length);
    file.close();
    file.close();
    // The system gives the next file the number that this one had; it must not get its bytes.
    using other = files.open(`${folder}/b`, "create");
    other.write(bytesOf("b"), 0, 1);
    const failure = await rig.settled(writing.then(() => null, (error) => error));
    assert(failure === null || failure instanceof SystemError, `${failure}`);
    assertEquals(textOf(files.read(`${folder}/b`)), "b");
  });

  test("a closed file refuses everything", async (rig) => {
    const { files, folder } = rig;
    const file = files.open(`${folder}/a`, "create");
    file.close();
    const bytes = new Uint8Array(1);
    refuses("EBADF", "Bad file descriptor", () => file.read(bytes));
    refuses("EBADF", "Bad file descriptor", () => file.write(bytes, 0, 1));
    refuses("EBADF", "Bad file descriptor", () => file.sync());
    refuses("EBADF", "Bad file descriptor", () => file.sizeBytes());
    await rig.settled(rejects("EBADF", file.readSoon(bytes)));
    await rig.settled(rejects("EBADF", file.writeSoon(bytes, 0, 1)));
    await rig.settled(rejects("EBADF", file.syncSoon()));
  });

  test("info tells size, folder or file, and permissions; null of what is not there", (rig) => {
    const { files, folder } = rig;
    const path = `${folder}/a`;
    files.open(path, "create", 0o600).close();
    write(files, path, "1234");
    const info = files.info(path)!;
    assertEquals([info.sizeBytes, info.isFolder], [4, false]);
    assertEquals(files.info(folder)!.isFolder, true);
    assertEquals(files.info(`${folder}/none`), null);
    if (info.mode === null) return; // a system without permission bits
    assertEquals(info.mode, 0o600);
    files.setMode(path, 0o640);
    assertEquals(files.info(path)!.mode, 0o640);
  });

  test("list gives the names in a folder", ({ files, folder }) => {
    assertEquals(files.list(folder), []);
    write(files, `${folder}/b`, "");
    write(files, `${folder}/.a`, "");
    const names = files.list(folder).map(({ name, isFolder }) => `${name} ${isFolder}`);
    assertEquals(names.sort(), [".a false", "b false"]);
  });

  test("rename takes the place of what has the name", ({ files, folder }) => {
    write(files, `${folder}/a`, "new");
    write(files, `${folder}/b`, "old");
    using old = files.open(`${folder}/b`, "read");
    files.rename(`${folder}/a`, `${folder}/b`);
    files.syncFolder(folder);
    assertEquals(textOf(files.read(`${folder}/b`)), "new");
    assertEquals(files.info(`${folder}/a`), null);
    const into = new Uint8Array(3);
    assertEquals([old.read(into), textOf(into)], [3, "old"]);
  });

  test("a link is a second name, and content goes with the last of them", (rig) => {
    const { files, folder } = rig;
    write(files, `${folder}/a`, "text");
    files.link(`${folder}/a`, `${folder}/b`);
    files.remove(`${folder}/a`);
    assertEquals(textOf(files.read(`${folder}/b`)), "text");
    write(files, `${folder}/c`, "");
    refuses("EEXIST", "File exists", () => files.link(`${folder}/b`, `${folder}/c`));
  });

  test("removeSoon removes, and says nothing of what is not there", async (rig) => {
    const { files, folder } = rig;
    write(files, `${folder}/a`, "text");
    files.removeSoon(`${folder}/a`);
    files.removeSoon(`${folder}/none`);
    for (let tries = 0; files.info(`${folder}/a`) !== null; tries++) {
      assert(tries < 500, "it is still there");
      await rig.settled(new Promise((resolve) => setTimeout(resolve, 10)));
    }
  });

  test("what the system refuses is a SystemError with its code and words", async (rig) => {
    const { files, folder } = rig;
    const missing = "No such file or directory";
    refuses("ENOENT", missing, () => files.open(`${folder}/none`, "read"));
    refuses("ENOENT", missing, () => files.open(`${folder}/none/a`, "write"));
    refuses("ENOENT", missing, () => files.read(`${folder}/none`));
    refuses("ENOENT", missing, () => files.list(`${folder}/none`));
    refuses("ENOENT", missing, () => files.remove(`${folder}/none`));
    refuses("ENOENT", missing, () => files.rename(`${folder}/none`, `${folder}/a`));
    refuses("ENOENT", missing, () => files.link(`${folder}/none`, `${folder}/a`));
    refuses("ENOENT", missing, () => files.setMode(`${folder}/none`, 0o600));
    refuses("ENOENT", missing, () => files.syncFolder(`${folder}/none`));
    await rig.settled(rejects("ENOENT", files.syncFolderSoon(`${folder}/none`)));
    write(files, `${folder}/a`, "");
    refuses("ENOTDIR", "Not a directory", () => files.open(`${folder}/a/b`, "read"));
    refuses("ENOTDIR", "Not a directory", () => files.list(`${folder}/a`));
    refuses("ENOTDIR", "Not a directory", () => files.info(`${folder}/a/b`));
    refuses("EISDIR", "Is a directory", () => files.open(folder, "write"));
    refuses("EISDIR", "Is a directory", () => files.read(folder));
    const long = `${folder}/${"x".repeat(300)}`;
    refuses("ENAMETOOLONG", "File name too long", () => files.open(long, "write"));
  });
}
