/** What a server takes of memory while time goes by, what a forked child has for itself included. From /proc. */

import { nowMs, pause } from "./asked_worker.ts";

/** Resident bytes at one moment. */
export interface MemoryPoint {
  atMs: number;
  bytes: number;
}

const LOOK_EVERY_MS = 100;
/** To count the pages of a child takes the system tens of milliseconds, which are to be no part of what is measured. */
const COUNT_CHILDREN_EVERY = 5;

export class MemoryWatch {
  readonly points: MemoryPoint[] = [];
  readonly #pid: number;
  #isEnding = false;
  #over: Promise<void>;

  constructor(pid: number) {
    this.#pid = pid;
    this.#over = this.#watch();
    this.#over.catch(() => {}); // whoever asks for the end is told
  }

  async end(): Promise<MemoryPoint[]> {
    this.#isEnding = true;
    await this.#over;
    return this.points;
  }

  async #watch(): Promise<void> {
    for (let ofChildren = 0, look = 0; !this.#isEnding; look++) {
      if (look % COUNT_CHILDREN_EVERY === 0) ofChildren = privateBytesOfChildren(this.#pid);
      this.points.push({ atMs: nowMs(), bytes: residentBytes(this.#pid) + ofChildren });
      await pause(LOOK_EVERY_MS);
    }
  }
}

/** Resident memory of a process. */
export function residentBytes(pid: number): number {
  return sumOf(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/gm);
}

/** Pages that only a child has: those that it or its parent have changed since the fork. Its clients are none. */
function privateBytesOfChildren(pid: number): number {
  let bytes = 0;
  try {
    for (const thread of Deno.readDirSync(`/proc/${pid}/task`)) {
      const children = Deno.readTextFileSync(`/proc/${pid}/task/${thread.name}/children`);
      for (const child of children.split(" ").filter((word) => word.trim() !== "")) {
        bytes += sumOf(`/proc/${child}/smaps_rollup`, /^Private_(?:Clean|Dirty):\s+(\d+) kB/gm);
      }
    }
  } catch {
    // A thread or a child has ended since it was listed.
  }
  return bytes;
}

function sumOf(path: string, lines: RegExp): number {
  let kilobytes = 0;
  for (const [, figure] of Deno.readTextFileSync(path).matchAll(lines)) kilobytes += Number(figure);
  return kilobytes * 1024;
}

/** Processor time of a process with its threads and the children it has waited for, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}
