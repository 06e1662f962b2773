/** The process and its machine, as Deno shows them and as far as its permissions let one look. */

import process from "node:process";
import { translated } from "./deno_errors.ts";
import { openFilesLimit } from "./proc_limits.ts";
import { readToEnd } from "./read_to_end.ts";
import type { HostProcess, SignalName } from "./runtime.ts";

export const denoProcess: HostProcess = {
  id: Deno.pid,
  os: Deno.build.os,
  architecture: Deno.build.arch,

  get workingFolder(): string {
    return Deno.cwd();
  },

  systemRelease: () => ifPermitted(() => Deno.osRelease(), ""),

  executablePath: () => ifPermitted(() => Deno.execPath(), ""),
  environment: (name: string) => ifPermitted(() => Deno.env.get(name), undefined),
  residentBytes: () => Deno.memoryUsage().rss,
  systemMemoryBytes: () => ifPermitted(() => Deno.systemMemoryInfo().total, 0),
  processorMicros: () => process.cpuUsage(),

  // Deno lets nobody look into /proc who has not all permissions.
  openFilesMax: () =>
    ifPermitted(() => openFilesLimit(Deno.readTextFileSync("/proc/self/limits")), null),

  readStandardInput: () => translated(() => readToEnd((into) => Deno.stdin.readSync(into) ?? 0)),

  writeStandardOutput(bytes: Uint8Array<ArrayBuffer>): void {
    translated(() => {
      for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    });
  },

  onSignal(signal: SignalName, listener: () => void): void {
    try {
      Deno.addSignalListener(signal, listener);
    } catch (error) {
      // The system does not know it (Windows): nobody will send it either.
      if (!(error instanceof TypeError)) throw error;
    }
  },

  notifyServiceManager: () => false,
  exit: (code: number) => Deno.exit(code),
};

/** What `look` sees; `fallback` when the system or Deno's permissions do not let it. */
function ifPermitted<T>(look: () => T, fallback: T): T {
  try {
    return look();
  } catch {
    return fallback;
  }
}
