/**
 * INFO: what the server tells of itself, as lines of `name:value` under section titles.
 *
 * One table says for each section which fields it has and where each value comes from; what depends
 * on what has happened (commands, errors, databases) is a function giving the lines. Field names and
 * units are those of Redis 7.2, so that monitoring tools find what they look for. What Redis counts
 * and never happens here (forks, defragmentation, I/O threads) is 0, as in a Redis that has it turned
 * off. A few fields have no meaning in this program: LEFT_OUT_FIELDS, which README shows.
 *
 * Off the hot path: parts of the server count, and are asked here.
 */

import { oneLine } from "../../base/printable.ts";
import { latin1 } from "../../base/bytes.ts";
import { TextBuffer } from "../../base/text_buffer.ts";
import { sha256 } from "../../base/sha256.ts";
import { fromText } from "../../config/parse.ts";
import { supervisorOf } from "../../config/supervisor.ts";
import { REDIS_VERSION, TSREDIS_VERSION } from "../../config/version.ts";
import type { Command } from "../../dispatch/command.ts";
import type { Services } from "../../dispatch/services.ts";
import { formatBytes } from "../../observe/bytes_for_people.ts";
import { percentileUsec, totalUsec } from "../../observe/latency_counts.ts";
import { UNAUTHENTICATED_LIMITS } from "../../observe/statistics.ts";
import type { HeapUse, HostProcess, Runtime } from "../../runtime/runtime.ts";
import { measureMemory, type MemoryUse } from "./memory_use.ts";

/** A line of INFO. */
export type InfoPair = readonly [name: string, value: string | number];

/** What the fields of one INFO are taken from. What costs something is measured when first asked for. */
class Look {
  readonly nowMs: number;
  /** By the monotonic clock. */
  readonly steadyMs: number;
  #memory: MemoryUse | null = null;
  #heap: HeapUse | null = null;
  #processor: ReturnType<HostProcess["processorMicros"]> | null = null;

  constructor(readonly server: Services) {
    this.nowMs = server.clock.now();
    this.steadyMs = server.clock.monotonic();
  }

  get memory(): MemoryUse {
    return this.#memory ??= measureMemory(this.server);
  }

  get heap(): HeapUse {
    return this.#heap ??= this.server.memory.heap;
  }

  get processor(): ReturnType<HostProcess["processorMicros"]> {
    return this.#processor ??= this.server.runtime.process.processorMicros();
  }
}

/** A value that is always the same, or a function that tells it. */
type Field = readonly [
  name: string | ((look: Look) => string),
  value: string | number | ((look: Look) => string | number),
];

/** A value that is the same for the life of a server: worked out once. */
function once(tell: (server: Services) => string | number): (look: Look) => string | number {
  const told = new WeakMap<Services, string | number>();
  return ({ server }) => {
    let value = told.get(server);
    if (value === undefined) told.set(server, value = tell(server));
    return value;
  };
}

interface Section {
  readonly title: string;
  /** Whether it comes without being asked for. */
  readonly isDefault: boolean;
  /** Whether it only comes by its own name, not with "everything" either. */
  readonly isHidden?: boolean;
  readonly fields: readonly Field[];
  /** Writes lines that depend on what there is, after the fields. */
  readonly more?: (look: Look, to: TextBuffer) => void;
}

/** A part that Redis has and this server not: always nothing. */
const none = (name: string): Field => [name, 0];
/** A size in bytes, and once more for people to read. */
const size = (name: string, bytes: (look: Look) => number): Field[] => [
  [name, bytes],
  [`${name}_human`, (look) => formatBytes(bytes(look))],
];

const SERVER: Field[] = [
  ["redis_version", REDIS_VERSION],
  // As in a Redis that was not built from a repository.
  ["redis_git_sha1", "00000000"],
  none("redis_git_dirty"),
  ["redis_build_id", once((server) => buildId(server.runtime))],
  ["tsredis_version", TSREDIS_VERSION],
  // deno_version or bun_version.
  [({ server }) => `${server.runtime.name}_version`, ({ server }) => server.runtime.version],
  ["redis_mode", "standalone"],
  ["os", once((server) => systemName(server.runtime.process))],
  ["arch_bits", 64],
  ["monotonic_clock", once((server) => `monotonic clock of ${server.runtime.name}`)],
  ["multiplexing_api", ({ server }) => POLLING[server.runtime.process.os] ?? "unknown"],
  ["process_id", ({ server }) => server.runtime.process.id],
  ["process_supervised", ({ server }) => supervisorOf(server.config, server.runtime.process)],
  ["run_id", ({ server }) => server.runId],
  ["tcp_port", ({ server }) => server.shownPort],
  ["server_time_usec", ({ nowMs }) => nowMs * 1000],
  ["uptime_in_seconds", ({ server, steadyMs }) => Math.floor((steadyMs - server.startedMs) / 1000)],
  [
    "uptime_in_days",
    ({ server, steadyMs }) => Math.floor((steadyMs - server.startedMs) / 86_400_000),
  ],
  ["hz", ({ server }) => server.config.value("hz")],
  ["configured_hz", ({ server }) => server.config.value("hz")],
  ["lru_clock", ({ server }) => Math.floor(server.keyspace.accessMs / 1000) & 0xffffff],
  ["executable", once((server) => fromText(server.runtime.process.executablePath()))],
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
  ["tracking_clients", ({ server }) => server.tracking.clientCount],
  [
    "clients_in_timeout_table",
    ({ server: { dispatcher: { blocking, acknowledgementWaits } } }) =>
      blocking.timedCount + acknowledgementWaits.timedCount,
  ],
  ["total_blocking_keys", ({ server }) => server.dispatcher.blocking.keyCounts().all],
  [
    "total_blocking_keys_on_nokey",
    ({ server }) => server.dispatcher.blocking.keyCounts().hearingChanges,
  ],
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
  ["used_memory_lua", ({ server }) => server.scripts.evalBytes],
  ["used_memory_vm_eval", ({ server }) => server.scripts.evalBytes],
  ["used_memory_lua_human", ({ server }) => formatBytes(server.scripts.evalBytes)],
  ["used_memory_scripts_eval", ({ server }) => server.scripts.cache.memoryBytes],
  ["number_of_cached_scripts", ({ server }) => server.scripts.cache.count],
  ["number_of_functions", ({ server }) => server.scripts.functions.count],
  ["number_of_libraries", ({ server }) => server.keyspace.libraries.count],
  ["used_memory_vm_functions", ({ server }) => server.scripts.functions.engineBytes],
  ...size("used_memory_vm_total", ({ server }) => server.scripts.engineBytes),
  ["used_memory_functions", ({ server }) => server.keyspace.libraries.memoryBytes],
  ...size(
    "used_memory_scripts",
    ({ server }) => server.keyspace.libraries.memoryBytes + server.scripts.cache.memoryBytes,
  ),
  ...size("maxmemory", ({ server }) => server.config.value("maxmemory")),
  ["maxmemory_policy", ({ server }) => server.config.value("maxmemory-policy")],
  ["allocator_frag_ratio", ({ memory }) => (memory.reserved / memory.used).toFixed(2)],
  ["allocator_frag_bytes", ({ memory }) => memory.reserved - memory.used],
  // What the arena has from the system is what it holds.
  ["allocator_rss_ratio", "1.00"],
  none("allocator_rss_bytes"),
  ["rss_overhead_ratio", ({ memory }) => (memory.resident / memory.reserved).toFixed(2)],
  ["rss_overhead_bytes", ({ memory }) => memory.resident - memory.reserved],
  ["mem_fragmentation_ratio", ({ memory }) => (memory.resident / memory.used).toFixed(2)],
  ["mem_fragmentation_bytes", ({ memory }) => memory.resident - memory.used],
  [
    "mem_not_counted_for_evict",
    ({ server: { replication, aof } }) => replication.excessBacklogBytes + aof.writer.heldBytes,
  ],
  ["mem_replication_backlog", ({ memory }) => memory.backlog],
  ["mem_total_replication_buffers", ({ server }) => server.replication.backlogBytes],
  ["mem_clients_slaves", ({ memory }) => memory.replicas],
  ["mem_clients_normal", ({ memory }) => memory.clients],
  none("mem_cluster_links"),
  ["mem_aof_buffer", ({ server }) => server.aof.writer.heldBytes],
  ["mem_undo", ({ server }) => server.keyspace.sealed.bytes],
  ["heap_used", ({ heap }) => heap.usedBytes],
  ["heap_limit", ({ heap }) => heap.limitBytes],
  ["mem_allocator", "arena"],
  none("active_defrag_running"),
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
  ["expired_subkeys", ({ server }) => server.keyspace.expiredFields],
  ["expired_keys", ({ server }) => server.keyspace.expiredKeys],
  ["expired_stale_perc", ({ server }) => (server.keyspace.expiredShare * 100).toFixed(2)],
  ["expired_time_cap_reached_count", ({ server }) => server.keyspace.expireTimeouts],
  [
    "expire_cycle_cpu_milliseconds",
    ({ server }) => Math.floor(server.keyspace.expireCycleMs),
  ],
  ["evicted_keys", ({ server }) => server.keyspace.evictedKeys],
  ["evicted_clients", ({ server }) => server.statistics.evictedClients],
  ["evicted_scripts", ({ server }) => server.scripts.cache.evicted],
  ["total_eviction_exceeded_time", ({ server }) => Math.floor(server.evictor.exceededMs)],
  ["current_eviction_exceeded_time", ({ server }) => Math.floor(server.evictor.exceedingMs)],
  ["keyspace_hits", ({ server }) => server.keyspace.keyspaceHits],
  ["keyspace_misses", ({ server }) => server.keyspace.keyspaceMisses],
  ["pubsub_channels", ({ server }) => server.hub.channelCount],
  ["pubsub_patterns", ({ server }) => server.hub.patternCount],
  ["pubsubshard_channels", ({ server }) => server.hub.shardChannelCount],
  none("latest_fork_usec"),
  none("total_forks"),
  ["migrate_cached_sockets", ({ server }) => server.dispatcher.migrations.connectionCount],
  none("slave_expires_tracked_keys"),
  none("active_defrag_hits"),
  none("active_defrag_misses"),
  none("active_defrag_key_hits"),
  none("active_defrag_key_misses"),
  none("total_active_defrag_time"),
  none("current_active_defrag_time"),
  ["tracking_total_keys", ({ server }) => server.tracking.keyCount],
  ["tracking_total_items", ({ server }) => server.tracking.itemCount],
  ["tracking_total_prefixes", ({ server }) => server.tracking.prefixCount],
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
  none("io_threaded_reads_processed"),
  none("io_threaded_writes_processed"),
  none("reply_buffer_shrinks"),
  none("reply_buffer_expands"),
  ["eventloop_cycles", ({ server }) => server.statistics.turns],
  ["eventloop_duration_sum", ({ server }) => Math.round(server.statistics.turnUsec)],
  ["eventloop_duration_cmd_sum", ({ server }) => Math.round(server.statistics.commandUsec)],
  [
    "instantaneous_eventloop_cycles_per_sec",
    ({ server }) => Math.round(server.statistics.turnRate.perSecond),
  ],
  [
    "instantaneous_eventloop_duration_usec",
    ({ server: { statistics: { turnRate, turnUsecRate } } }) =>
      turnRate.perSecond === 0 ? 0 : Math.round(turnUsecRate.perSecond / turnRate.perSecond),
  ],
  ["acl_access_denied_auth", ({ server }) => server.accessLog.counts.auth],
  ["acl_access_denied_cmd", ({ server }) => server.accessLog.counts.cmd],
  ["acl_access_denied_key", ({ server }) => server.accessLog.counts.key],
  ["acl_access_denied_channel", ({ server }) => server.accessLog.counts.channel],
  ["acl_access_denied_tls_cert", ({ server }) => server.accessLog.counts["tls-cert"]],
  ...UNAUTHENTICATED_LIMITS.map((limit): Field => [
    `unauthenticated_refused_${limit}`,
    ({ server }) => server.statistics.unauthenticatedRefused[limit],
  ]),
];

const DEBUG: Field[] = [
  none("eventloop_duration_aof_sum"),
  ["eventloop_duration_cron_sum", ({ server }) => Math.round(server.statistics.timerUsec)],
  ["eventloop_duration_max", ({ server }) => Math.round(server.statistics.turnUsecMax)],
  ["eventloop_cmd_per_cycle_max", ({ server }) => server.statistics.turnCommandsMax],
];

const OF_ITS_COMPILER = "tells how a C program was compiled";
const OF_THE_PROCESS = "the runtime tells the time of the process, not of its threads";

/** Fields of Redis 7.2 that INFO does not have, each with the reason. */
export const LEFT_OUT_FIELDS: Readonly<Record<string, string>> = {
  atomicvar_api: OF_ITS_COMPILER,
  gcc_version: OF_ITS_COMPILER,
  dump_payload_sanitizations: "every payload is checked through and through, and none is counted",
  used_cpu_sys_main_thread: OF_THE_PROCESS,
  used_cpu_user_main_thread: OF_THE_PROCESS,
};

/** The same as README shows it. */
export function leftOutFieldsMarkdown(): string {
  const names = Map.groupBy(Object.keys(LEFT_OUT_FIELDS), (name) => LEFT_OUT_FIELDS[name]);
  const lines = [...names].map(([reason, fields]) =>
    `  - ${fields.map((name) => "`" + name + "`").join(", ")}: ${reason}.`
  );
  return lines.join("\n") + "\n";
}

const CPU: Field[] = [
  ["used_cpu_sys", ({ processor }) => seconds(processor.system)],
  ["used_cpu_user", ({ processor }) => seconds(processor.user)],
  ["used_cpu_sys_children", seconds(0)],
  ["used_cpu_user_children", seconds(0)],
];

/** All sections, in the order of the answer. */
const SECTIONS: readonly Section[] = [
  { title: "Server", isDefault: true, fields: SERVER, more: shutdownAndListeners },
  { title: "Clients", isDefault: true, fields: CLIENTS },
  { title: "Memory", isDefault: true, fields: MEMORY },
  {
    title: "Persistence",
    isDefault: true,
    fields: [],
    more: ({ server }, to) => writePairs(to, server.persistence.infoFields()),
  },
  { title: "Stats", isDefault: true, fields: STATS },
  {
    title: "Replication",
    isDefault: true,
    fields: [],
    more: ({ server, steadyMs }, to) => writePairs(to, server.replication.infoFields(steadyMs)),
  },
  { title: "CPU", isDefault: true, fields: CPU },
  { title: "Modules", isDefault: true, fields: [] },
  { title: "Commandstats", isDefault: false, fields: [], more: commandLines },
  { title: "Errorstats", isDefault: true, fields: [], more: errorLines },
  { title: "Latencystats", isDefault: false, fields: [], more: latencyLines },
  { title: "Cluster", isDefault: true, fields: [none("cluster_enabled")] },
  { title: "Keyspace", isDefault: true, fields: [], more: databaseLines },
  { title: "Debug", isDefault: false, isHidden: true, fields: DEBUG },
];

/** A section made ready: the bytes before each value that varies, and those after the last one. */
interface PreparedSection {
  readonly title: string;
  readonly section: Section;
  readonly values: readonly PreparedValue[];
  readonly tail: Uint8Array;
}

interface PreparedValue {
  /** Whatever comes before the value, with the values that are always the same. */
  readonly lead: Uint8Array;
  /** A name that is not known before. */
  readonly name: ((look: Look) => string) | null;
  readonly value: (look: Look) => string | number;
}

function prepare(section: Section): PreparedSection {
  const values: PreparedValue[] = [];
  let lead = `# ${section.title}\r\n`;
  for (const [name, value] of section.fields) {
    const isVarying = typeof value === "function";
    if (typeof name === "string") lead += `${name}:`;
    if (isVarying) {
      values.push({ lead: latin1(lead), name: typeof name === "string" ? null : name, value });
      lead = "";
    } else lead += value;
    lead += "\r\n";
  }
  return { title: section.title.toLowerCase(), section, values, tail: latin1(lead) };
}

const PREPARED = SECTIONS.map(prepare);

const answer = new TextBuffer();

/**
 * The text of INFO, valid until the next one is made. `names` are sections in any case, or "default",
 * "all" and "everything"; unknown ones are passed over. Without names: the default sections.
 */
export function infoText(server: Services, names: readonly string[] = []): TextBuffer {
  const wanted = names.map((name) => name.toLowerCase());
  const isAll = wanted.includes("all") || wanted.includes("everything");
  const isDefault = names.length === 0 || wanted.includes("default");
  const look = new Look(server);
  answer.clear();
  for (const prepared of PREPARED) {
    const { title, section: { isDefault: isUsual, isHidden } } = prepared;
    const isWanted = (isAll && isHidden !== true) || (isDefault && isUsual) ||
      wanted.includes(title);
    if (!isWanted) continue;
    if (answer.length > 0) answer.raw(LINE_END);
    writeSection(prepared, look, answer);
  }
  return answer;
}

const LINE_END = latin1("\r\n");

function writeSection({ section, values, tail }: PreparedSection, look: Look, to: TextBuffer) {
  for (const { lead, name, value } of values) {
    to.raw(lead);
    if (name !== null) {
      to.text(oneLine(name(look)));
      to.text(":");
    }
    writeValue(to, value(look));
  }
  to.raw(tail);
  section.more?.(look, to);
}

function writeValue(to: TextBuffer, value: string | number): void {
  if (typeof value === "number") to.number(value);
  else to.text(oneLine(value));
}

function writePairs(to: TextBuffer, pairs: Iterable<InfoPair>): void {
  for (const [name, value] of pairs) {
    to.text(oneLine(name));
    to.text(":");
    writeValue(to, value);
    to.raw(LINE_END);
  }
}

// -- lines that depend on what there is ------------------------------------------------------

function shutdownAndListeners({ server, steadyMs }: Look, to: TextBuffer): void {
  const remainingMs = server.shutdownRemainingMs(steadyMs);
  if (remainingMs !== null) writePairs(to, [["shutdown_in_milliseconds", remainingMs]]);
  const { config, port, tlsPort } = server;
  const listeners: string[] = [];
  const bind = config.value("bind").map((address) => `,bind=${address}`).join("");
  if (port !== 0) listeners.push(`name=tcp${bind},port=${port}`);
  const path = config.value("unixsocket");
  if (path !== null && path !== "") listeners.push(`name=unix,bind=${path}`);
  if (tlsPort !== 0) listeners.push(`name=tls${bind},port=${tlsPort}`);
  listeners.forEach((listener, i) => writePairs(to, [[`listener${i}`, listener]]));
}

/** Commands and subcommands that have been called or refused, containers left out. */
export function* usedCommands(server: Services): Generator<Command> {
  for (const command of server.dispatcher.all) {
    if (command.calls > 0 || command.rejectedCalls > 0 || command.failedCalls > 0) yield command;
  }
}

function commandLines({ server }: Look, to: TextBuffer): void {
  for (const command of usedCommands(server)) {
    const { fullName, calls, rejectedCalls, failedCalls } = command;
    const usec = totalUsec(command);
    to.text(`cmdstat_${fullName}:calls=`);
    to.number(calls);
    to.text(",usec=");
    to.number(Math.round(usec));
    to.text(",usec_per_call=");
    to.fixed(calls === 0 ? 0 : usec / calls, 2);
    to.text(",rejected_calls=");
    to.number(rejectedCalls);
    to.text(",failed_calls=");
    to.number(failedCalls);
    to.raw(LINE_END);
  }
}

function errorLines({ server }: Look, to: TextBuffer): void {
  for (const [code, count] of server.statistics.errorsByCode) {
    to.text(oneLine(`errorstat_${code}:count=${count}`));
    to.raw(LINE_END);
  }
}

function latencyLines({ server }: Look, to: TextBuffer): void {
  if (!server.config.value("latency-tracking")) return;
  const percentiles = server.config.value("latency-tracking-info-percentiles");
  for (const { fullName, latencyCounts } of usedCommands(server)) {
    if (latencyCounts === null) continue;
    to.text(`latency_percentiles_usec_${fullName}:`);
    percentiles.forEach((each, i) => {
      to.text(`${i === 0 ? "" : ","}p${each}=`);
      to.fixed(percentileUsec(latencyCounts, each), 3);
    });
    to.raw(LINE_END);
  }
}

function databaseLines({ server }: Look, to: TextBuffer): void {
  for (const database of server.keyspace.databases) {
    const { index, count, expiringCount, averageTtlMs, expiringHashCount } = database;
    if (count === 0) continue;
    to.text(
      `db${index}:keys=${count},expires=${expiringCount},avg_ttl=${Math.floor(averageTtlMs)}`,
    );
    // Where there are none, the line is that of servers that do not know such hashes.
    if (expiringHashCount > 0) to.text(`,subexpiry=${expiringHashCount}`);
    to.raw(LINE_END);
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

/** What the runtimes wait for sockets with, by operating system. */
const POLLING: Readonly<Record<string, string>> = {
  linux: "epoll",
  android: "epoll",
  darwin: "kqueue",
  freebsd: "kqueue",
  windows: "iocp",
};

/** The same for the same version on the same runtime and system: 16 hexadecimal digits. */
function buildId({ name, version, process: { os, architecture } }: Runtime): string {
  const parts = [REDIS_VERSION, TSREDIS_VERSION, name, version, os, architecture];
  return sha256(latin1(parts.join(" "))).toHex().slice(0, 16);
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
