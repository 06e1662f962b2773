/**
 * What the pure tests use of Deno, for `bun test` (see tools/test_bun.ts, which loads this before them):
 * `Deno.test` with its steps, and files. The program itself needs none of it: it has src/runtime/.
 *
 * Deno's checks that a test leaves nothing open or pending are not made.
 */

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";

type TestContext = { step(name: string, fn: (context: TestContext) => unknown): Promise<boolean> };
type TestFunction = (context: TestContext) => unknown;

interface TestDefinition {
  name: string;
  ignore?: boolean;
  fn: TestFunction;
}

/** As `test` of `bun:test`. */
type BunTest =
  & ((name: string, fn: () => unknown) => void)
  & { skip(name: string, fn: () => unknown): void };

// Not a literal in `import()`, or Deno's type check would look for this module.
const bunTestModule = "bun:test";
const { test: bunTest }: { test: BunTest } = await import(bunTestModule);

const context: TestContext = {
  async step(name, fn) {
    try {
      await fn(context);
    } catch (cause) {
      throw new Error(`step "${name}" failed`, { cause });
    }
    return true;
  },
};

/** All the forms in which `Deno.test` is called here. */
function test(
  first: string | TestDefinition,
  second?: TestFunction | Partial<TestDefinition>,
  third?: TestFunction,
): void {
  const options = typeof first === "object" ? first : typeof second === "object" ? second : {};
  const name = typeof first === "string" ? first : first.name;
  const fn = third ?? (typeof second === "function" ? second : options.fn!);
  (options.ignore ? bunTest.skip : bunTest)(name, async () => {
    await fn(context);
  });
}

function makeTempDirSync({ prefix = "test-", dir = tmpdir() }: Deno.MakeTempOptions = {}): string {
  return fs.mkdtempSync(join(dir, prefix));
}

function makeTempFileSync(options: Deno.MakeTempOptions = {}): string {
  const path = join(makeTempDirSync(options), `file${options.suffix ?? ""}`);
  fs.writeFileSync(path, "");
  return path;
}

function removeSync(path: string | URL, options: Deno.RemoveOptions = {}): void {
  // rmSync takes no folder, not even an empty one, unless it is recursive.
  if (!options.recursive && fs.lstatSync(path).isDirectory()) fs.rmdirSync(path);
  else fs.rmSync(path, options);
}

function* readDirSync(path: string | URL) {
  for (const entry of fs.readdirSync(path, { withFileTypes: true })) {
    yield { name: entry.name, isFile: entry.isFile(), isDirectory: entry.isDirectory() };
  }
}

function statSync(path: string | URL) {
  const info = fs.statSync(path);
  const { size, mode, mtime } = info;
  return { size, mode, mtime, isFile: info.isFile(), isDirectory: info.isDirectory() };
}

const synchronous = {
  makeTempDirSync,
  makeTempFileSync,
  removeSync,
  statSync,
  readFileSync: (path: string | URL) => new Uint8Array(fs.readFileSync(path)),
  readTextFileSync: (path: string | URL) => fs.readFileSync(path, "utf8"),
  writeFileSync: (path: string | URL, data: Uint8Array) => fs.writeFileSync(path, data),
  writeTextFileSync: (path: string | URL, text: string) => fs.writeFileSync(path, text),
  mkdirSync: (path: string | URL, options?: Deno.MkdirOptions) => void fs.mkdirSync(path, options),
  chmodSync: fs.chmodSync,
  renameSync: fs.renameSync,
  realPathSync: fs.realpathSync,
};

/** `readFile` for `readFileSync`: as quick as that, in a promise. */
const asynchronous = Object.fromEntries(
  Object.entries(synchronous).map(([name, fn]) => {
    const call = fn as (...args: unknown[]) => unknown;
    return [name.slice(0, -"Sync".length), (...args: unknown[]) => {
      try {
        return Promise.resolve(call(...args));
      } catch (error) {
        return Promise.reject(error);
      }
    }];
  }),
);

Object.assign(globalThis, {
  Deno: {
    ...synchronous,
    ...asynchronous,
    readDirSync,
    async *readDir(path: string | URL) {
      yield* readDirSync(path);
    },
    test,
    inspect,
    pid: process.pid,
    cwd: () => process.cwd(),
    env: { get: (name: string) => process.env[name] },
    build: { os: process.platform },
    execPath: () => process.execPath,
  },
});
