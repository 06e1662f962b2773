/** The process of a simulated machine: what it is told of itself, what it says, how it ends. */

import type { HeapUse, HostProcess, SignalName } from "../runtime.ts";
import { SystemError } from "../system_error.ts";
import type { Life } from "./schedule.ts";

/** Unwinds the code that has called `exit`; the world takes no notice of it. */
export class ProcessEnd extends Error {
  override readonly name = "ProcessEnd";
}

export class SimulatedProcess implements HostProcess {
  readonly arguments = [];
  readonly os = "linux";
  readonly architecture = "x86_64";
  /** What it has written to standard output. */
  output = "";
  /** What it has written to standard error. */
  errors = "";
  /** With what it has ended itself; null before that, and when it was killed. */
  exitCode: number | null = null;
  /** What a program may read. */
  standardInput: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  readonly variables = new Map<string, string>();
  readonly #listeners = new Map<SignalName, (() => void)[]>();

  constructor(readonly id: number, readonly life: Life, readonly workingFolder: string) {}

  systemRelease(): string {
    return "simulated";
  }

  executablePath(): string {
    return "";
  }

  environment(name: string): string | undefined {
    return this.variables.get(name);
  }

  readonly returnedMin = 0;

  residentBytes(): number {
    return 64 << 20;
  }

  heap(): HeapUse {
    return { usedBytes: 16 << 20, limitBytes: 2 ** 32 };
  }

  availableMemoryBytes(): number {
    return 2 ** 32;
  }

  /** How often it was asked for. */
  collections = 0;

  collectGarbage(): void {
    this.collections++;
  }

  systemMemoryBytes(): number {
    return 2 ** 33;
  }

  processorMicros(): { readonly user: number; readonly system: number } {
    return { user: 0, system: 0 };
  }

  openFilesMax(): number | null {
    return 1024;
  }

  readStandardInput(): Uint8Array<ArrayBuffer> {
    const bytes = this.standardInput;
    this.standardInput = new Uint8Array(0);
    return bytes;
  }

  writeStandardOutput(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.life.isOver) throw new SystemError("EPIPE");
    this.output += new TextDecoder().decode(bytes);
  }

  writeStandardError(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.life.isOver) throw new SystemError("EPIPE");
    this.errors += new TextDecoder().decode(bytes);
  }

  isErrorTerminal(): boolean {
    return false;
  }

  terminalColumns(): number {
    return 80;
  }

  onSignal(signal: SignalName, listener: () => void): void {
    const listeners = this.#listeners.get(signal) ?? [];
    listeners.push(listener);
    this.#listeners.set(signal, listeners);
  }

  /** Who listens for a signal; without any, the system ends the process. */
  listenersFor(signal: SignalName): readonly (() => void)[] {
    return this.#listeners.get(signal) ?? [];
  }

  notifyServiceManager(): Promise<boolean> {
    return Promise.resolve(false);
  }

  lowerThreadPriority(): void {}

  setTitle(): void {}

  /** May be handed on by itself, as that of other runtimes. */
  readonly exit = (code: number): never => {
    if (!this.life.isOver) this.exitCode = code;
    this.life.end();
    throw new ProcessEnd(`exit(${code})`);
  };
}
