/** What the builders of executables find out about the sources and about what they have made. */

import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { causeIn, findWorkers } from "../../tools/compile.ts";
import { formatOf } from "../../tools/executable_format.ts";
import { ROOT } from "../../tools/server_flags.ts";
import { sourceFiles } from "./source_files.ts";

Deno.test("findWorkers finds every module of src/ that runs in a worker", async () => {
  const workers = (await sourceFiles("src", "_worker.ts")).filter(({ text }) =>
    text.includes('lib="deno.worker"')
  );
  assertEquals(await findWorkers(join(ROOT, "src")), workers.map(({ path }) => path));
});

Deno.test("src/ names files beside its modules as it does workers: others are in no executable", async () => {
  for (const { path, text } of await sourceFiles("src", ".ts")) {
    for (const [line] of text.matchAll(/^.*import\.meta\.url.*$/gm)) {
      assertMatch(line, /new URL\("\.[^"]+_worker\.ts", import\.meta\.url\)/, path);
    }
  }
});

Deno.test("causeIn picks the innermost cause of a failed deno compile", () => {
  assertEquals(
    causeIn("error: Failed.\n\nCaused by:\n    0: fetching\n    1: no route to host\n"),
    "no route to host",
  );
  assertEquals(causeIn("error: Module not found\n    at x\n"), "error: Module not found");
});

/** A file of `size` bytes with numbers put in, little endian: [offset, bytes, value]. */
function file(size: number, magic: string, ...numbers: [number, 1 | 2 | 4 | 8, number][]) {
  const bytes = new Uint8Array(size);
  bytes.set([...magic].map((char) => char.charCodeAt(0)));
  const view = new DataView(bytes.buffer);
  for (const [at, width, value] of numbers) {
    if (width === 1) view.setUint8(at, value);
    else if (width === 2) view.setUint16(at, value, true);
    else if (width === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
  }
  return bytes;
}

/** An ELF file with two program headers, of which the second names the loader. */
function elf(machine: number, loader: string) {
  const bytes = file(
    400,
    "\x7fELF\x02\x01",
    [18, 2, machine],
    [32, 8, 64],
    [54, 2, 56],
    [56, 2, 2],
    [64, 4, 6],
    [120, 4, 3],
    [128, 8, 300],
    [152, 8, loader.length],
  );
  bytes.set(new TextEncoder().encode(loader), 300);
  return bytes;
}

function pe(machine: number) {
  const bytes = file(200, "MZ", [60, 4, 128], [132, 2, machine]);
  bytes.set([0x50, 0x45], 128);
  return bytes;
}

function machO(cpu: number) {
  return file(64, "\xcf\xfa\xed\xfe", [4, 4, cpu]);
}

Deno.test("formatOf tells system, processor and C library from a file's first bytes", () => {
  const formats = [
    [elf(62, "/lib64/ld-linux-x86-64.so.2\0"), "linux", "x64"],
    [elf(183, "/lib/ld-linux-aarch64.so.1\0"), "linux", "arm64"],
    [elf(62, "/lib/ld-musl-x86_64.so.1\0"), "linux-musl", "x64"],
    [machO(0x01000007), "macos", "x64"],
    [machO(0x0100000c), "macos", "arm64"],
    [pe(0x8664), "windows", "x64"],
    [pe(0xaa64), "windows", "arm64"],
  ] as const;
  for (const [bytes, system, architecture] of formats) {
    assertEquals(formatOf(bytes), { system, architecture });
  }
});

Deno.test("formatOf knows no script, no other processor, and no file that is cut short", () => {
  const whole = elf(62, "/lib64/ld-linux-x86-64.so.2\0");
  const others = [
    new Uint8Array(0),
    new TextEncoder().encode("#!/bin/sh\nexec tsredis\n"),
    elf(40, "/lib/ld-linux.so.3\0"),
    file(400, "\x7fELF\x01\x01", [18, 2, 3]),
    machO(7),
    pe(0x14c),
    file(200, "MZ", [60, 4, 128], [132, 2, 0x8664]),
    whole.slice(0, 20),
    whole.slice(0, 310),
  ];
  for (const bytes of others) assertEquals(formatOf(bytes), null);
});

Deno.test({
  name: "formatOf knows the program that runs this test",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using runtime = await Deno.open(Deno.execPath());
    const head = new Uint8Array(4_096);
    await runtime.read(head);
    const architecture = Deno.build.arch === "x86_64" ? "x64" : "arm64";
    assertEquals(formatOf(head)?.architecture, architecture);
  },
});
