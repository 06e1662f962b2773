/** The process and its machine, as Deno shows them and as far as its permissions let one look. */

import { nodeGlobal, nodeV8, nodeVm } from "./builtin_modules.ts";
import { notifyByDeno } from "./deno_notify.ts";
import { translated } from "./deno_errors.ts";
import { openFilesLimit } from "./proc_limits.ts";
import { readToEnd } from "./read_to_end.ts";
import type { HeapUse, HostProcess, SignalName } from "./runtime.ts";
import { lowerThreadPriority } from "./thread_priority.ts";

/** Of a terminal that does not say how wide it is. */
const COLUMNS = 80;

export class DenoProcess implements HostProcess {
  #collect: Collector | null = null;

  /**
   * GNU's C library maps what is larger than 32 MB by itself, and unmaps it at once, unless it has so much free in
   * one piece: it keeps up to 64 MB. Of those all would be zeroed and so become resident.
   */
  readonly returnedMin = 65 << 20;
  readonly id = Deno.pid;
  readonly arguments = Deno.args;
  readonly os = Deno.build.os;
  readonly architecture = Deno.build.arch;

  get workingFolder(): string {
    return Deno.cwd();
  }

  systemRelease(): string {
    return ifPermitted(() => Deno.osRelease(), "");
  }

  executablePath(): string {
    return ifPermitted(() => Deno.execPath(), "");
  }

  environment(name: string): string | undefined {
    return ifPermitted(() => Deno.env.get(name), undefined);
  }

  residentBytes(): number {
    return Deno.memoryUsage().rss;
  }

  /** V8's own figures: its limit is fixed at the start, and does not go by the machine's memory. */
  heap(): HeapUse {
    const { used_heap_size, heap_size_limit } = nodeV8().getHeapStatistics();
    return { usedBytes: used_heap_size, limitBytes: heap_size_limit };
  }

  availableMemoryBytes(): number {
    return ifPermitted(() => Deno.systemMemoryInfo().available, Infinity);
  }

  /** Of kinds of collection this is the one that lets go of buffers, too; it blocks. */
  collectGarbage(): void {
    this.#collect ??= exposedCollector();
    this.#collect({ type: "major", execution: "sync" });
  }

  systemMemoryBytes(): number {
    return ifPermitted(() => Deno.systemMemoryInfo().total, 0);
  }

  processorMicros(): { user: number; system: number } {
    return nodeGlobal().cpuUsage();
  }

  /** Deno lets only those look into /proc who have all permissions. */
  openFilesMax(): number | null {
    return ifPermitted(() => openFilesLimit(Deno.readTextFileSync("/proc/self/limits")), null);
  }

  readStandardInput(): Uint8Array<ArrayBuffer> {
    return translated(() => readToEnd((into) => Deno.stdin.readSync(into) ?? 0));
  }

  writeStandardOutput(bytes: Uint8Array<ArrayBuffer>): void {
    writeAll(Deno.stdout, bytes);
  }

  writeStandardError(bytes: Uint8Array<ArrayBuffer>): void {
    writeAll(Deno.stderr, bytes);
  }

  isErrorTerminal(): boolean {
    return Deno.stderr.isTerminal();
  }

  terminalColumns(): number {
    return ifPermitted(() => Deno.consoleSize().columns, 0) || COLUMNS;
  }

  onSignal(signal: SignalName, listener: () => void): void {
    try {
      Deno.addSignalListener(signal, listener);
    } catch (error) {
      // The system does not know it (Windows): nobody will send it either.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  notifyServiceManager(state: string): Promise<boolean> {
    return notifyByDeno(this.environment("NOTIFY_SOCKET"), state);
  }

  lowerThreadPriority(): void {
    lowerThreadPriority(this.os);
  }

  setTitle(title: string): void {
    ifPermitted(() => nodeGlobal().title = title, "");
  }

  exit(code: number): never {
    return Deno.exit(code);
  }
}

function writeAll(
  to: { writeSync(bytes: Uint8Array): number },
  bytes: Uint8Array<ArrayBuffer>,
): void {
  translated(() => {
    for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
  });
}

/** What `look` sees; `fallback` when the system or Deno's permissions do not let it. */
function ifPermitted<T>(look: () => T, fallback: T): T {
  try {
    return look();
  } catch {
    return fallback;
  }
}

/** V8's `gc`. */
type Collector = (options: { type: "major"; execution: "sync" }) => void;

/** V8 shows it only where a flag says so, in what is made after that: a global object of its own. */
function exposedCollector(): Collector {
  nodeV8().setFlagsFromString("--expose-gc");
  return nodeVm().runInNewContext("gc");
}
