/** Where the memory goes: figures behind INFO memory, MEMORY STATS and MEMORY DOCTOR. In bytes. */

import { blocks } from "../../base/blocks.ts";
import type { Services } from "../../dispatch/services.ts";

export interface MemoryUse {
  /** Data, clients' buffers and the program's flat share: what `maxmemory` is compared with. */
  readonly used: number;
  /** The most that `used` has been. */
  readonly peak: number;
  /** Of the whole process, runtime included. */
  readonly resident: number;
  /** Held from the system for data, gaps included, and what else counts as used. */
  readonly reserved: number;
  /** The program's flat share. */
  readonly startup: number;
  /** Everything used that is not data: the share, buffers, tables. */
  readonly overhead: number;
  readonly dataset: number;
  readonly clients: number;
  /** Of the backlog, what is kept only for slow replicas; and their links. */
  readonly replicas: number;
  /** The rest of the backlog. */
  readonly backlog: number;
  /** Of the machine; 0 when that may not be asked. */
  readonly system: number;
}

export function measureMemory(server: Services): MemoryUse {
  const { keyspace } = server;
  const used = server.usedMemory();
  const data = keyspace.dataBytes + keyspace.sealed.bytes;
  const allClients = server.clientBytes();
  const replicas = server.replicaClientBytes();
  const { backlogBytes: held, excessBacklogBytes, master } = server.replication;
  const excess = master.count === 0 ? 0 : excessBacklogBytes;
  const tracked = server.tracking.memoryBytes;
  const scripts = server.scripts.memoryBytes;
  const startup = used - data - allClients - held - tracked - scripts;
  let tables = 0;
  for (const database of keyspace.databases) {
    tables += database.tableBytes + database.expiryIndexBytes;
  }
  const overhead = Math.min(
    used,
    startup + allClients + held + tracked + tables + scripts + keyspace.libraries.memoryBytes,
  );
  return {
    used,
    peak: Math.max(used, server.statistics.peakMemoryBytes),
    resident: residentBytes(server),
    reserved: keyspace.reservedBytes + keyspace.sealed.reservedBytes +
      server.tracking.reservedBytes + blocks.gapBytes + startup +
      allClients + held + scripts,
    startup,
    overhead,
    dataset: used - overhead,
    clients: allClients - replicas,
    replicas: replicas + excess,
    backlog: held - excess,
    system: systemBytes(server),
  };
}

/** How old a measured size may be: asking the system takes longer than all the rest of INFO. */
const SAMPLE_MS = 100;

const samples = new WeakMap<Services, { bytes: number; atMs: number }>();

/** Resident memory, as it was at most 100 ms ago: Redis measures it by its timer, as often as that. */
function residentBytes(server: Services): number {
  const nowMs = server.clock.monotonic();
  let sample = samples.get(server);
  if (sample === undefined || nowMs - sample.atMs >= SAMPLE_MS) {
    sample = { bytes: server.runtime.process.residentBytes(), atMs: nowMs };
    samples.set(server, sample);
  }
  return sample.bytes;
}

const systems = new WeakMap<Services, number>();

/** What the machine has, as it was found first. */
function systemBytes(server: Services): number {
  let bytes = systems.get(server);
  if (bytes === undefined) systems.set(server, bytes = server.runtime.process.systemMemoryBytes());
  return bytes;
}
