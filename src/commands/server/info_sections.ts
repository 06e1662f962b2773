/**
 * INFO: what the server tells of itself, as lines of `name:value` under section titles.
 *
 * One table says for each section which fields it has and where each value comes from; what depends
 * on what has happened (commands, errors, databases) is a function giving the lines. Field names and
 * units are those of Redis 7, so that monitoring tools find what they look for. A few fields of Redis
 * have no meaning in this program; tests/observe/ lists them with the reasons.
 *
 * Off the hot path: parts of the server count, and are asked here.
 */

import { oneLine } from "../../base/printable.ts";
import { fromText } from "../../config/parse.ts";
import { supervisorOf } from "../../config/supervisor.ts";
import { REDIS_VERSION, TSREDIS_VERSION } from "../../config/version.ts";
import type { Command } from "../../dispatch/command.ts";
import type { Services } from "../../dispatch/services.ts";
import { formatBytes } from "../../observe/bytes_for_people.ts";
import { percentileUsec, totalUsec } from "../../observe/latency_counts.ts";
import type { HostProcess } from "../../runtime/runtime.ts";
import { measureMemory, type MemoryUse } from "./memory_use.ts";

/** A line of INFO. */
export type InfoPair = readonly [name: string, value: string | number];

/** What the fields of one INFO are taken from. */
class Look {
  readonly nowMs: number;
  /** By the monotonic clock. */
  readonly steadyMs: number;
  readonly memory: MemoryUse;

  constructor(readonly server: Services) {
    this.nowMs = server.clock.now();
    this.steadyMs = server.clock.monotonic();
    this.memory = measureMemory(server);
  }
}

type Field = readonly [
  name: string | ((look: Look) => string),
  value: (look: Look) => string | number,
];

interface Section {
  readonly title: string;
  /** Whether it comes without being asked for. */
  readonly isDefault: boolean;
  readonly fields: readonly Field[];
  /** Lines that depend on what there is, after the fields. */
  readonly more?: (look: Look) => Iterable<InfoPair>;
}

/** A part that Redis has and this server not: always nothing. */
const none = (name: string): Field => [name, () => 0];
/** A size in bytes, and once more for people to read. */
const size = (name: string, bytes: (look: Look) => number): Field[] => [
  [name, bytes],
  [`${name}_human`, (look) => formatBytes(bytes(look))],
];

const SERVER: Field[] = [
  ["redis_version", () => REDIS_VERSION],
  ["tsredis_version", () => TSREDIS_VERSION],
  // deno_version or bun_version.
  [({ server }) => `${server.runtime.name}_version`, ({ server }) => server.runtime.version],
  ["redis_mode", () => "standalone"],
  ["os", ({ server }) => systemName(server.runtime.process)],
  ["arch_bits", () => 64],
  ["process_id", ({ server }) => server.runtime.process.id],
  ["process_supervised", ({ server }) => supervisorOf(server.config, server.runtime.process)],
  ["run_id", ({ server }) => server.runId],
  ["tcp_port", ({ server }) => server.port],
  ["server_time_usec", ({ nowMs }) => nowMs * 1000],
  ["uptime_in_seconds", ({ server, steadyMs }) => Math.floor((steadyMs - server.startedMs) / 1000)],
  [
    "uptime_in_days",
    ({ server, steadyMs }) => Math.floor((steadyMs - server.startedMs) / 86_400_000),
  ],
  ["hz", ({ server }) => server.config.value("hz")],
  ["configured_hz", ({ server }) => server.config.value("hz")],
  ["lru_clock", ({ server }) => Math.floor(server.keyspace.accessMs / 1000) & 0xffffff],
  ["executable", ({ server }) => fromText(server.runtime.process.executablePath())],
  ["config_file", ({ server }) => fromText(server.config.file ?? "")],
  none("io_threads_active"),
];

const CLIENTS: Field[] = [
  ["connected_clients", ({ server }) => countClients(server, (client) => !client.isReplica)],
  none("cluster_connections"),
  ["maxclients", ({ server }) => server.config.value("maxclients")],
  ["client_recent_max_input_buffer", ({ server }) => {
    let most = 0;
    for (const client of server.clients.byId.values()) {
      most = Math.max(most, client.parser?.bufferBytes ?? 0);
    }
    return most;
  }],
  ["client_recent_max_output_buffer", ({ server }) => {
    let most = 0;
    for (const client of server.clients.byId.values()) {
      most = Math.max(most, client.reply.heldBytes);
    }
    return most;
  }],
  ["blocked_clients", ({ server }) => server.clients.blockedCount],
  none("tracking_clients"),
];

const MEMORY: Field[] = [
  ...size("used_memory", ({ memory }) => memory.used),
  ...size("used_memory_rss", ({ memory }) => memory.resident),
  ...size("used_memory_peak", ({ memory }) => memory.peak),
  ["used_memory_peak_perc", ({ memory }) => percent(memory.used, memory.peak)],
  ["used_memory_overhead", ({ memory }) => memory.overhead],
  ["used_memory_startup", ({ memory }) => memory.startup],
  ["used_memory_dataset", ({ memory }) => memory.dataset],
  [
    "used_memory_dataset_perc",
    ({ memory }) => percent(memory.dataset, memory.used - memory.startup),
  ],
  ["allocator_allocated", ({ memory }) => memory.used],
  ["allocator_active", ({ memory }) => memory.reserved],
  ["allocator_resident", ({ memory }) => memory.reserved],
  ...size("total_system_memory", ({ memory }) => memory.system),
  ...size("used_memory_lua", () => 0),
  none("used_memory_vm_eval"),
  none("used_memory_scripts_eval"),
  none("number_of_cached_scripts"),
  none("number_of_functions"),
  none("number_of_libraries"),
  none("used_memory_vm_functions"),
  ...size("used_memory_vm_total", () => 0),
  none("used_memory_functions"),
  ...size("used_memory_scripts", () => 0),
  ...size("maxmemory", ({ server }) => server.config.value("maxmemory")),
  ["maxmemory_policy", ({ server }) => server.config.value("maxmemory-policy")],
  ["allocator_frag_ratio", ({ memory }) => (memory.reserved / memory.used).toFixed(2)],
  ["allocator_frag_bytes", ({ memory }) => memory.reserved - memory.used],
  ["rss_overhead_ratio", ({ memory }) => (memory.resident / memory.reserved).toFixed(2)],
  ["rss_overhead_bytes", ({ memory }) => memory.resident - memory.reserved],
  ["mem_fragmentation_ratio", ({ memory }) => (memory.resident / memory.used).toFixed(2)],
  ["mem_fragmentation_bytes", ({ memory }) => memory.resident - memory.used],
  ["mem_not_counted_for_evict", ({ server }) => server.replication.backlog?.excessBytes ?? 0],
  ["mem_replication_backlog", ({ memory }) => memory.backlog],
  ["mem_total_replication_buffers", ({ server }) => server.replication.backlog?.heldBytes ?? 0],
  ["mem_clients_slaves", ({ memory }) => memory.replicas],
  ["mem_clients_normal", ({ memory }) => memory.clients],
  none("mem_cluster_links"),
  none("mem_aof_buffer"),
  ["heap_used", ({ server }) => server.memory.heap.usedBytes],
  ["heap_limit", ({ server }) => server.memory.heap.limitBytes],
  ["mem_allocator", () => "arena"],
  none("lazyfree_pending_objects"),
  none("lazyfreed_objects"),
];

const STATS: Field[] = [
  ["total_connections_received", ({ server }) => server.statistics.connectionsReceived],
  ["total_commands_processed", ({ server }) => server.statistics.commandsProcessed],
  [
    "instantaneous_ops_per_sec",
    ({ server }) => Math.round(server.statistics.commandRate.perSecond),
  ],
  ["total_net_input_bytes", ({ server }) => server.statistics.netInputBytes],
  ["total_net_output_bytes", ({ server }) => server.statistics.netOutputBytes],
  ["total_net_repl_input_bytes", ({ server }) => server.statistics.netReplicationInputBytes],
  ["total_net_repl_output_bytes", ({ server }) => server.statistics.netReplicationOutputBytes],
  ["instantaneous_input_kbps", ({ server }) => kilobytes(server.statistics.inputRate.perSecond)],
  ["instantaneous_output_kbps", ({ server }) => kilobytes(server.statistics.outputRate.perSecond)],
  [
    "instantaneous_input_repl_kbps",
    ({ server }) => kilobytes(server.statistics.replicationInputRate.perSecond),
  ],
  [
    "instantaneous_output_repl_kbps",
    ({ server }) => kilobytes(server.statistics.replicationOutputRate.perSecond),
  ],
  ["rejected_connections", ({ server }) => server.statistics.connectionsRejected],
  ["sync_full", ({ server }) => server.statistics.fullSyncs],
  ["sync_partial_ok", ({ server }) => server.statistics.partialSyncs],
  ["sync_partial_err", ({ server }) => server.statistics.partialSyncsRefused],
  ["expired_keys", ({ server }) => server.keyspace.expiredKeys],
  [
    "expire_cycle_cpu_milliseconds",
    ({ server }) => Math.floor(server.keyspace.expireCycleMs),
  ],
  ["evicted_keys", ({ server }) => server.keyspace.evictedKeys],
  ["evicted_clients", ({ server }) => server.statistics.evictedClients],
  ["keyspace_hits", ({ server }) => server.keyspace.keyspaceHits],
  ["keyspace_misses", ({ server }) => server.keyspace.keyspaceMisses],
  ["pubsub_channels", ({ server }) => server.hub.channelCount],
  ["pubsub_patterns", ({ server }) => server.hub.patternCount],
  ["pubsubshard_channels", ({ server }) => server.hub.shardChannelCount],
  none("slave_expires_tracked_keys"),
  none("tracking_total_keys"),
  none("tracking_total_items"),
  none("tracking_total_prefixes"),
  ["unexpected_error_replies", ({ server }) => server.statistics.unexpectedErrors],
  ["total_error_replies", ({ server }) => server.statistics.errorReplies],
  ["total_reads_processed", ({ server }) => server.statistics.readsProcessed],
  ["total_writes_processed", ({ server }) => server.statistics.writesProcessed],
  [
    "client_query_buffer_limit_disconnections",
    ({ server }) => server.statistics.queryBufferLimitDisconnections,
  ],
  [
    "client_output_buffer_limit_disconnections",
    ({ server }) => server.statistics.outputBufferLimitDisconnections,
  ],
];

const CPU: Field[] = [
  ["used_cpu_sys", ({ server }) => seconds(server.runtime.process.processorMicros().system)],
  ["used_cpu_user", ({ server }) => seconds(server.runtime.process.processorMicros().user)],
  ["used_cpu_sys_children", () => seconds(0)],
  ["used_cpu_user_children", () => seconds(0)],
];

/** All sections, in the order of the answer. */
const SECTIONS: readonly Section[] = [
  { title: "Server", isDefault: true, fields: SERVER, more: shutdownLines },
  { title: "Clients", isDefault: true, fields: CLIENTS },
  { title: "Memory", isDefault: true, fields: MEMORY },
  {
    title: "Persistence",
    isDefault: true,
    fields: [],
    more: ({ server }) => server.persistence.infoFields(),
  },
  { title: "Stats", isDefault: true, fields: STATS },
  {
    title: "Replication",
    isDefault: true,
    fields: [],
    more: ({ server, steadyMs }) => server.replication.infoFields(steadyMs),
  },
  { title: "CPU", isDefault: true, fields: CPU },
  { title: "Modules", isDefault: true, fields: [] },
  { title: "Commandstats", isDefault: false, fields: [], more: commandLines },
  { title: "Errorstats", isDefault: true, fields: [], more: errorLines },
  { title: "Latencystats", isDefault: false, fields: [], more: latencyLines },
  { title: "Cluster", isDefault: true, fields: [none("cluster_enabled")] },
  { title: "Keyspace", isDefault: true, fields: [], more: databaseLines },
];

/**
 * The text of INFO. `names` are sections in any case, or "default", "all" and "everything"; unknown
 * ones are passed over. Without names: the default sections.
 */
export function infoText(server: Services, names: readonly string[] = []): string {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const isAll = wanted.has("all") || wanted.has("everything");
  const isDefault = names.length === 0 || wanted.has("default");
  const look = new Look(server);
  const parts: string[] = [];
  for (const section of SECTIONS) {
    const isWanted = isAll || (isDefault && section.isDefault) ||
      wanted.has(section.title.toLowerCase());
    if (!isWanted) continue;
    let part = `# ${section.title}\r\n`;
    for (const [name, value] of pairsOf(section, look)) {
      part += `${oneLine(name)}:${typeof value === "string" ? oneLine(value) : value}\r\n`;
    }
    parts.push(part);
  }
  return parts.join("\r\n");
}

function* pairsOf(section: Section, look: Look): Generator<InfoPair> {
  for (const [name, value] of section.fields) {
    yield [typeof name === "string" ? name : name(look), value(look)];
  }
  if (section.more !== undefined) yield* section.more(look);
}

// -- lines that depend on what there is ------------------------------------------------------

function* shutdownLines({ server, steadyMs }: Look): Generator<InfoPair> {
  const remainingMs = server.shutdownRemainingMs(steadyMs);
  if (remainingMs !== null) yield ["shutdown_in_milliseconds", remainingMs];
}

/** Commands and subcommands that have been called or refused, containers left out. */
export function* usedCommands(server: Services): Generator<Command> {
  for (const command of server.dispatcher.byName.values()) {
    if (command.calls > 0 || command.rejectedCalls > 0 || command.failedCalls > 0) yield command;
    for (const subcommand of command.subcommands?.values() ?? []) {
      if (subcommand.calls > 0 || subcommand.rejectedCalls > 0) yield subcommand;
    }
  }
}

function* commandLines({ server }: Look): Generator<InfoPair> {
  for (const command of usedCommands(server)) {
    const { fullName, calls, rejectedCalls, failedCalls } = command;
    const usec = totalUsec(command);
    const perCall = calls === 0 ? 0 : usec / calls;
    yield [
      `cmdstat_${fullName}`,
      `calls=${calls},usec=${Math.round(usec)},usec_per_call=${perCall.toFixed(2)},` +
      `rejected_calls=${rejectedCalls},failed_calls=${failedCalls}`,
    ];
  }
}

function* errorLines({ server }: Look): Generator<InfoPair> {
  for (const [code, count] of server.statistics.errorsByCode) {
    yield [`errorstat_${code}`, `count=${count}`];
  }
}

function* latencyLines({ server }: Look): Generator<InfoPair> {
  if (!server.config.value("latency-tracking")) return;
  const percentiles = server.config.value("latency-tracking-info-percentiles");
  for (const { fullName, latencyCounts } of usedCommands(server)) {
    if (latencyCounts === null) continue;
    const values = percentiles.map((each) =>
      `p${each}=${percentileUsec(latencyCounts, each).toFixed(3)}`
    );
    yield [`latency_percentiles_usec_${fullName}`, values.join(",")];
  }
}

function* databaseLines({ server }: Look): Generator<InfoPair> {
  for (const { index, count, expiringCount, averageTtlMs } of server.keyspace.databases) {
    if (count === 0) continue;
    yield [
      `db${index}`,
      `keys=${count},expires=${expiringCount},avg_ttl=${Math.floor(averageTtlMs)}`,
    ];
  }
}

// -- forms of values ----------------------------------------------------------------------------

function countClients(
  server: Services,
  test: (client: { isReplica: boolean }) => boolean,
): number {
  let count = 0;
  for (const client of server.clients.byId.values()) if (test(client)) count++;
  return count;
}

function systemName({ os, architecture, systemRelease }: HostProcess): string {
  const name = os === "linux" ? "Linux" : os === "darwin" ? "Darwin" : os;
  return [name, systemRelease(), architecture].filter((part) => part !== "").join(" ");
}

function percent(part: number, whole: number): string {
  return `${(whole > 0 ? part * 100 / whole : 0).toFixed(2)}%`;
}

function kilobytes(bytes: number): string {
  return (bytes / 1024).toFixed(2);
}

function seconds(microseconds: number): string {
  return (microseconds / 1e6).toFixed(6);
}
