/**
 * What the tests use of Deno, for `bun test` (see tools/test_bun.ts, which loads this before them):
 * `Deno.test` with its steps, files, sockets. The program itself needs none of it: it has src/runtime/.
 *
 * Deno's checks that a test leaves nothing open or pending are not made.
 */

import * as fs from "node:fs";
import * as net from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
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

/** The errors that tests ask for by class, by the system's codes. */
const errors = Object.fromEntries(
  Object.entries({
    ENOENT: "NotFound",
    EADDRINUSE: "AddrInUse",
    EADDRNOTAVAIL: "AddrNotAvailable",
    ECONNREFUSED: "ConnectionRefused",
    ECONNRESET: "ConnectionReset",
    EPIPE: "BrokenPipe",
  }).map(([code, name]) => [
    name,
    class extends Error {
      static code = code;
    },
  ]),
);

/** The error of Deno's that an error of the system's is. */
function translated(error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string };
  const found = Object.values(errors).find((errorClass) => errorClass.code === code);
  return found === undefined ? error : new found(message, { cause: error });
}

/** A connection, as much of `Deno.Conn` as the tests' clients use. */
class Connection {
  #failure: unknown = null;
  /** Where the other end is; known also once the socket has been closed. */
  readonly remoteAddr: { transport: "tcp"; hostname: string; port: number };

  constructor(private readonly socket: net.Socket) {
    const { remoteAddress = "", remotePort = 0 } = socket;
    this.remoteAddr = { transport: "tcp", hostname: remoteAddress, port: remotePort };
    socket.on("error", (error) => this.#failure = translated(error));
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      const count = Math.min(into.length, this.socket.readableLength);
      const bytes: Uint8Array | null = count > 0 ? this.socket.read(count) : null;
      if (bytes !== null) {
        into.set(bytes);
        return bytes.length;
      }
      if (this.socket.readableEnded || this.socket.destroyed) return null;
      await new Promise<void>((resolve) => {
        const events = ["readable", "end", "error", "close"];
        const heard = () => {
          for (const event of events) this.socket.off(event, heard);
          resolve();
        };
        for (const event of events) this.socket.on(event, heard);
        this.socket.read(0);
      });
    }
  }

  get readable(): ReadableStream<Uint8Array> {
    return new ReadableStream({
      pull: async (controller) => {
        const bytes = new Uint8Array(16_384);
        const count = await this.read(bytes);
        if (count === null) controller.close();
        else controller.enqueue(bytes.subarray(0, count));
      },
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      // The bytes are the caller's again once this resolves.
      this.socket.write(bytes, (error) => {
        if (error) reject(translated(error));
        else resolve(bytes.length);
      });
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.socket.end(resolve));
  }

  close(): void {
    this.socket.destroy();
  }

  setNoDelay(isOn = true): void {
    this.socket.setNoDelay(isOn);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

type ConnectTo = { hostname?: string; port: number } | { transport: "unix"; path: string };

function connect(to: ConnectTo): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const options = "path" in to
      ? { path: to.path }
      : { host: to.hostname ?? "127.0.0.1", port: to.port };
    const socket = net.connect({ ...options, allowHalfOpen: true, noDelay: true });
    socket.once("error", (error) => reject(translated(error)));
    socket.once("connect", () => resolve(new Connection(socket)));
  });
}

/** A listener on a port, as much of `Deno.Listener` as tests use. */
class PortListener {
  readonly #server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  readonly #accepted: Connection[] = [];
  #waiting: { resolve(conn: Connection): void; reject(error: unknown): void } | null = null;
  readonly addr: { hostname: string; port: number };

  constructor(hostname: string, port: number) {
    this.#server.on("connection", (socket) => {
      const conn = new Connection(socket);
      if (this.#waiting === null) this.#accepted.push(conn);
      else this.#waiting.resolve(conn);
      this.#waiting = null;
    });
    // Under Bun the port is there, or the error is thrown, when this returns.
    let failure: unknown = null;
    this.#server.on("error", (error) => failure = error);
    this.#server.listen(port, hostname);
    if (failure !== null) throw translated(failure);
    this.addr = { hostname, port: (this.#server.address() as net.AddressInfo).port };
  }

  accept(): Promise<Connection> {
    const conn = this.#accepted.shift();
    if (conn !== undefined) return Promise.resolve(conn);
    return new Promise((resolve, reject) => this.#waiting = { resolve, reject });
  }

  close(): void {
    this.#server.close();
    this.#waiting?.reject(new Error("the listener is closed"));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Connection> {
    for (;;) {
      const conn = await this.accept().catch(() => null);
      if (conn === null) return;
      yield conn;
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function listen({ hostname = "0.0.0.0", port }: { hostname?: string; port: number }): PortListener {
  return new PortListener(hostname, port);
}

const synchronous = {
  makeTempDirSync,
  makeTempFileSync,
  removeSync,
  statSync,
  readFileSync: (path: string | URL) => new Uint8Array(fs.readFileSync(path)),
  readTextFileSync: (path: string | URL) => fs.readFileSync(path, "utf8"),
  writeFileSync: (path: string | URL, data: Uint8Array) => fs.writeFileSync(path, data),
  truncateSync: (path: string, length: number) => fs.truncateSync(path, length),
  writeTextFileSync: (path: string | URL, text: string) => fs.writeFileSync(path, text),
  mkdirSync: (path: string | URL, options?: Deno.MkdirOptions) => void fs.mkdirSync(path, options),
  chmodSync: fs.chmodSync,
  renameSync: fs.renameSync,
  copyFileSync: (from: string | URL, to: string | URL) => fs.copyFileSync(from, to),
  realPathSync: fs.realpathSync,
};

/** Each throws Deno's errors. */
const files = Object.entries(synchronous).map(([name, fn]) => {
  const call = fn as (...args: unknown[]) => unknown;
  return [name, (...args: unknown[]) => {
    try {
      return call(...args);
    } catch (error) {
      throw translated(error);
    }
  }] as const;
});

/** `readFile` for `readFileSync`: as quick as that, in a promise. */
const asynchronousFiles = files.map(([name, call]) => {
  const inPromise = (...args: unknown[]) => new Promise((resolve) => resolve(call(...args)));
  return [name.slice(0, -"Sync".length), inPromise] as const;
});

Object.assign(globalThis, {
  Deno: {
    ...Object.fromEntries([...files, ...asynchronousFiles]),
    readDirSync,
    async *readDir(path: string | URL) {
      yield* readDirSync(path);
    },
    test,
    errors,
    connect,
    listen,
    networkInterfaces: () => Object.values(networkInterfaces()).flat(),
    inspect,
    pid: process.pid,
    cwd: () => process.cwd(),
    env: { get: (name: string) => process.env[name] },
    build: { os: process.platform },
    execPath: () => process.execPath,
  },
});
