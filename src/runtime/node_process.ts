/** The process and its machine by Node's `process` and `node:os`, for Bun. */

import { bunFfi, bunJsc, nodeFs, nodeGlobal, nodeOs, nodeTty } from "./builtin_modules.ts";
import { bun } from "./bun_types.ts";
import { notifyByBun } from "./bun_notify.ts";
import { translatedFromNode as translated } from "./node_errors.ts";
import { openFilesLimit } from "./proc_limits.ts";
import { overwriteCommandLine } from "./command_line.ts";
import { readToEnd } from "./read_to_end.ts";
import type { HeapUse, HostProcess, SignalName } from "./runtime.ts";
import { isSystemError } from "./system_error.ts";
import { lowerThreadPriority } from "./thread_priority.ts";

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;
/** Of a terminal that does not say how wide it is. */
const COLUMNS = 80;
/** A pipe that does not block and is full or empty: when it is looked at again. */
const PIPE_AGAIN_MS = 1;

const SYSTEMS: Record<string, string> = { win32: "windows" };
const ARCHITECTURES: Record<string, string> = { x64: "x86_64", arm64: "aarch64" };

/** JavaScriptCore sets its heap no limit. Its size takes a while to be found out. */
const HEAP: HeapUse = {
  get usedBytes() {
    return bunJsc().heapSize();
  },
  limitBytes: 0,
};

export class NodeProcess implements HostProcess {
  readonly #process = nodeGlobal();
  /** Of Bun: its allocator gives back pages of any size, a moment after they are freed. */
  readonly returnedMin = 0;
  readonly id = this.#process.pid;
  /** The first two are the program that runs the script, and the script. */
  readonly arguments = this.#process.argv.slice(2);
  readonly os = SYSTEMS[this.#process.platform] ?? this.#process.platform;
  readonly architecture = ARCHITECTURES[this.#process.arch] ?? this.#process.arch;

  get workingFolder(): string {
    return this.#process.cwd();
  }

  systemRelease(): string {
    return nodeOs().release();
  }

  executablePath(): string {
    return this.#process.execPath;
  }

  environment(name: string): string | undefined {
    return this.#process.env[name];
  }

  residentBytes(): number {
    return this.#process.memoryUsage.rss();
  }

  heap(): HeapUse {
    return HEAP;
  }

  availableMemoryBytes(): number {
    return nodeOs().freemem();
  }

  /** Of Bun, whose collector works in the background unless it is to be thorough. */
  collectGarbage(isThorough: boolean): void {
    bun().gc(isThorough);
  }

  systemMemoryBytes(): number {
    return nodeOs().totalmem();
  }

  processorMicros(): { user: number; system: number } {
    return this.#process.cpuUsage();
  }

  openFilesMax(): number | null {
    try {
      return openFilesLimit(nodeFs().readFileSync("/proc/self/limits", "latin1"));
    } catch {
      return null; // not Linux
    }
  }

  readStandardInput(): Uint8Array<ArrayBuffer> {
    const fs = nodeFs();
    return readToEnd((into) => patiently(() => fs.readSync(STANDARD_INPUT, into)));
  }

  writeStandardOutput(bytes: Uint8Array<ArrayBuffer>): void {
    writeAll(STANDARD_OUTPUT, bytes);
  }

  writeStandardError(bytes: Uint8Array<ArrayBuffer>): void {
    writeAll(STANDARD_ERROR, bytes);
  }

  isErrorTerminal(): boolean {
    return nodeTty().isatty(STANDARD_ERROR);
  }

  terminalColumns(): number {
    return this.#process.stderr.columns || COLUMNS;
  }

  onSignal(signal: SignalName, listener: () => void): void {
    try {
      this.#process.on(signal, listener);
    } catch {
      // The system does not know it (Windows): nobody will send it either.
    }
  }

  notifyServiceManager(state: string): Promise<boolean> {
    const socket = this.environment("NOTIFY_SOCKET");
    return Promise.resolve(notifyByBun(bunFfi, socket, state));
  }

  lowerThreadPriority(): void {
    lowerThreadPriority(this.os);
  }

  /** Bun takes it and shows nothing of it: so it is written over the command line, where there is `/proc`. */
  setTitle(title: string): void {
    this.#process.title = title;
    if (this.os === "linux") overwriteCommandLine(title);
  }

  exit(code: number): never {
    return this.#process.exit(code);
  }
}

function writeAll(descriptor: number, bytes: Uint8Array<ArrayBuffer>): void {
  const fs = nodeFs();
  for (let at = 0; at < bytes.length;) at += patiently(() => fs.writeSync(descriptor, bytes, at));
}

/** Runs `operation` on a pipe; again and again while the pipe only says that it is not ready. */
function patiently(operation: () => number): number {
  for (;;) {
    try {
      return translated(operation);
    } catch (error) {
      if (!isSystemError(error, "EAGAIN")) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_AGAIN_MS);
    }
  }
}
