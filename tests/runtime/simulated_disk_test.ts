/** The simulated disk: what a power cut leaves, and each of its faults. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Machine, type SimulatedRuntime, World } from "../../src/runtime/simulated.ts";
import { SystemError } from "../../src/runtime/system_error.ts";
import { Random } from "../support/random.ts";

function machineOf(
  seed: number,
): { world: World; machine: Machine; files: SimulatedRuntime["files"] } {
  const world = new World(new Random(seed).draw);
  const machine = world.machine("a");
  return { world, machine, files: machine.start().files };
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

function write(
  files: SimulatedRuntime["files"],
  path: string,
  text: string,
  isSynced = true,
): void {
  using file = files.open(path, "write");
  const bytes = bytesOf(text);
  file.write(bytes, 0, bytes.length);
  if (isSynced) file.sync();
}

function textOf(files: SimulatedRuntime["files"], path: string): string | null {
  return files.info(path) === null ? null : new TextDecoder().decode(files.read(path));
}

/** What a power cut leaves of what `work` has done, over many seeds: each outcome with its count. */
function outcomes(
  work: (files: SimulatedRuntime["files"]) => void,
  look: (files: SimulatedRuntime["files"]) => string | null,
): Map<string | null, number> {
  const found = new Map<string | null, number>();
  for (let seed = 0; seed < 200; seed++) {
    const { machine, files } = machineOf(seed);
    work(files);
    machine.crash();
    const left = look(machine.start().files);
    found.set(left, (found.get(left) ?? 0) + 1);
  }
  return found;
}

Deno.test("what was synced, with its name, is there after a power cut", () => {
  const found = outcomes((files) => {
    write(files, "dump.rdb", "content");
    files.syncFolder("/data");
    write(files, "other", "more");
  }, (files) => textOf(files, "dump.rdb"));
  assertEquals([...found.keys()], ["content"]);
});

Deno.test("a name whose folder was not synced is there or not, with what was synced", () => {
  const found = outcomes(
    (files) => write(files, "dump.rdb", "content"),
    (files) => textOf(files, "dump.rdb"),
  );
  assertEquals([...found.keys()].toSorted(), ["content", null].toSorted());
});

Deno.test("content that was not synced is there, or not, or in part", () => {
  const [old, fresh] = ["o".repeat(20_000), "n".repeat(30_000)];
  const found = outcomes((files) => {
    write(files, "f", old);
    files.syncFolder("/data");
    write(files, "f", fresh, false);
  }, (files) => textOf(files, "f"));
  assert(found.get(old)! > 10 && found.get(fresh)! > 10 && found.size > 20);
  assert([...found.keys()].some((text) => text!.includes("on") && text!.includes("no")));
});

Deno.test("a rename is there or not, never half, and never with a third content", () => {
  const found = outcomes((files) => {
    write(files, "dump.rdb", "old");
    files.syncFolder("/data");
    write(files, "temp", "new");
    files.rename("temp", "dump.rdb");
  }, (files) => `${textOf(files, "dump.rdb")} ${textOf(files, "temp")}`);
  assertEquals([...found.keys()].toSorted(), ["new null", "old new", "old null"]);
});

Deno.test("a file that was renamed before it was synced can be empty under its new name", () => {
  const found = outcomes((files) => {
    write(files, "dump.rdb", "old");
    files.syncFolder("/data");
    write(files, "temp", "new", false);
    files.rename("temp", "dump.rdb");
    files.syncFolder("/data");
  }, (files) => textOf(files, "dump.rdb"));
  assert(found.has("") && found.has("new") && !found.has("old"));
});

Deno.test("a killed process loses nothing of what it has written", () => {
  const { machine, files } = machineOf(1);
  write(files, "f", "content", false);
  machine.kill();
  assertEquals(textOf(machine.start().files, "f"), "content");
});

Deno.test("a full disk takes what fits, then refuses; space that is given up is free", () => {
  const { machine, files } = machineOf(1);
  const { disk } = machine;
  write(files, "a", "x".repeat(100));
  disk.capacityBytes = 150;
  const refusal = assertThrows(() => write(files, "b", "y".repeat(80)), SystemError);
  assertEquals([refusal.code, refusal.message], ["ENOSPC", "No space left on device"]);
  assertEquals([textOf(files, "b"), disk.usedBytes], ["y".repeat(50), 150]);
  files.remove("a");
  assertEquals(disk.usedBytes, 50);
  write(files, "b", "z".repeat(150));
  assertEquals([textOf(files, "b"), disk.usedBytes], ["z".repeat(150), 150]);
  disk.fill();
  assertThrows(() => write(files, "c", "1"), SystemError);
  disk.capacityBytes = Infinity;
  write(files, "c", "1");

  // A file that is open keeps its space though its name has gone.
  const open = files.open("b", "read");
  files.remove("b");
  assertEquals(disk.usedBytes, 151);
  open.close();
  assertEquals(disk.usedBytes, 1);
});

Deno.test("space is counted right after a power cut", () => {
  for (let seed = 0; seed < 50; seed++) {
    const { machine, files } = machineOf(seed);
    write(files, "a", "x".repeat(9_000), seed % 2 === 0);
    files.link("a", "b");
    write(files, "gone", "y");
    files.remove("gone");
    const open = files.open("c", "append");
    open.write(bytesOf("z".repeat(5_000)), 0, 5_000);
    machine.crash();
    const left = machine.start().files;
    const sizes = new Map(
      left.list("/data").map(({ name }) => [name === "b" ? "a" : name, left.info(name)!.sizeBytes]),
    );
    assertEquals(machine.disk.usedBytes, [...sizes.values()].reduce((sum, size) => sum + size, 0));
  }
});

Deno.test("a failing disk fails in what it was told to", async () => {
  const { world, machine, files } = machineOf(1);
  const { faults } = machine.disk;
  write(files, "f", "content");
  const file = files.open("f", "append");
  const one = new Uint8Array(1);
  const attempts = {
    read: () => void files.read("f"),
    write: () => file.write(one, 0, 1),
    sync: () => file.sync(),
    names: () => files.rename("f", "g"),
  };
  for (const [kind, attempt] of Object.entries(attempts)) {
    faults[kind as keyof typeof faults] = 1;
    assertEquals(assertThrows(attempt, SystemError).message, "Input/output error");
    for (const [other, works] of Object.entries(attempts)) {
      // Each of the others works, but for those that have to open a file first.
      if (kind !== "names" && other !== kind && other !== "names") works();
    }
    faults[kind as keyof typeof faults] = 0;
  }
  faults.sync = 1;
  const folder = assertRejects(() => files.syncFolderSoon("/data"), SystemError, "Input/output");
  const content = assertRejects(() => file.syncSoon(), SystemError, "Input/output");
  await world.run(10);
  await Promise.all([folder, content]);
});

Deno.test("a slow disk makes what is done in the background late", async () => {
  const { world, machine, files } = machineOf(1);
  machine.disk.delayMs = [100, 200];
  const file = files.open("f", "create");
  const done: string[] = [];
  file.writeSoon(bytesOf("abc"), 0, 3).then(() => done.push("write"));
  file.syncSoon().then(() => done.push("sync"));
  await world.run(99);
  assertEquals([done, file.sizeBytes()], [[], 0]);
  await world.run(101);
  assertEquals([done, file.sizeBytes()], [["write"], 3]);
  await world.run(200);
  assertEquals(done, ["write", "sync"]);
});

Deno.test("operations under way end with an error when their file is closed", async () => {
  const { world, files } = machineOf(1);
  const file = files.open("f", "create");
  const writing = assertRejects(
    () => file.writeSoon(bytesOf("abc"), 0, 3),
    SystemError,
    "Bad file descriptor",
  );
  file.close();
  file.close();
  await world.run(10);
  await writing;
  assertEquals(textOf(files, "f"), "");
});

Deno.test("modes of opening, names and their errors are the system's", () => {
  const { machine, files } = machineOf(1);
  const codeOf = (work: () => void) => assertThrows(work, SystemError).code;
  assertEquals(codeOf(() => files.open("f", "read")), "ENOENT");
  assertEquals(codeOf(() => files.open("no/f", "write")), "ENOENT");
  assertEquals(codeOf(() => files.open("/data", "write")), "EISDIR");
  assertEquals(codeOf(() => files.open("x".repeat(256), "write")), "ENAMETOOLONG");
  assertEquals(codeOf(() => files.remove("f")), "ENOENT");
  assertEquals(codeOf(() => files.rename("f", "g")), "ENOENT");
  assertEquals(codeOf(() => files.list("f")), "ENOENT");
  assertEquals(codeOf(() => files.syncFolder("f")), "ENOENT");
  assertEquals([files.info("f"), files.info("no/f")], [null, null]);
  write(files, "f", "content");
  assertEquals(codeOf(() => files.open("f", "create")), "EEXIST");
  assertEquals(codeOf(() => files.open("f/g", "write")), "ENOTDIR");
  assertEquals(codeOf(() => files.list("f")), "ENOTDIR");
  files.link("f", "g");
  assertEquals(codeOf(() => files.link("f", "g")), "EEXIST");
  using both = files.open("h", "create", 0o660);
  both.write(bytesOf("abcdef"), 1, 4);
  both.seek(0);
  const into = new Uint8Array(2);
  assertEquals([both.read(into), new TextDecoder().decode(into)], [2, "bc"]);
  assertEquals([both.read(into), both.read(into), both.sizeBytes()], [1, 0, 3]);
  using end = files.open("g", "append");
  assertEquals(codeOf(() => end.read(into)), "EBADF");
  end.write(bytesOf("!"), 0, 1);
  assertEquals([textOf(files, "f"), textOf(files, "/data/../data/./f")], ["content!", "content!"]);
  assertEquals(files.info("h"), { sizeBytes: 3, isFolder: false, mode: 0o640 });
  files.setMode("h", 0o600);
  assertEquals(files.info("h")!.mode, 0o600);
  machine.disk.makeFolder("/data/folder");
  assertEquals(files.info("folder")!.isFolder, true);
  assertEquals(codeOf(() => files.rename("f", "folder")), "EISDIR");
  assertEquals(files.list("/data").map(({ name }) => name).toSorted(), ["f", "folder", "g", "h"]);
  files.remove("folder");
  machine.kill();
  assertEquals(codeOf(() => files.open("f", "read")), "EBADF");
});

Deno.test("removeSoon takes the name away some time later, and no notice when it is not there", async () => {
  const { world, files } = machineOf(1);
  write(files, "f", "content");
  files.removeSoon("f");
  files.removeSoon("nothing");
  assertEquals(textOf(files, "f"), "content");
  await world.run(10);
  assertEquals(files.info("f"), null);
});
