/**
 * Every directive that the server knows, in one table: its kind of value, its default, its older
 * names, whether CONFIG SET may change it, and whether tsredis acts on it. Reading files, CONFIG
 * GET/SET/REWRITE, the command line and the README lists of what does not act all read this table.
 *
 * What is not there yet is `refused` where it protects or keeps data (nobody may believe in a password
 * or a log that does not exist), and `notActing` where the server is as safe without it. A directive
 * that comes to work loses this one field.
 *
 * The names, ranges and defaults are those of Redis 7.0; what 7.2 added says `since`. Where a
 * default or a choice differs from 7.0, a comment says so.
 */

import { asksForOldTls } from "./tls_protocols.ts";
import {
  bindKind,
  boolKind,
  choiceKind,
  I32_MAX,
  I32_MIN,
  I64_MAX,
  intKind,
  type Kind,
  masterKind,
  memoryKind,
  memoryOrPercentKind,
  notifyKind,
  octalKind,
  oomScoresKind,
  optionalTextKind,
  outputLimitsKind,
  percentilesKind,
  saveKind,
  shutdownKind,
  textKind,
  U32_MAX,
  U64_MAX,
} from "./kinds.ts";

/** One directive. `T` is the type of its value in use. */
export interface Directive<T> {
  readonly kind: Kind<T>;
  /** The default, as one would write it behind the name. */
  readonly default: string;
  /** Whether CONFIG SET takes it; "protected": only where `enable-protected-configs` lets it. */
  readonly settable: boolean | "protected";
  /** Older or newer names of the same setting. */
  readonly aliases: readonly string[];
  /** Shown by CONFIG GET only when asked for by its very name. */
  readonly hidden: boolean;
  /** Its value must not appear in logs. */
  readonly sensitive: boolean;
  /** CONFIG SET refuses it while a dataset is being loaded. */
  readonly deniedWhileLoading: boolean;
  /** It names a file whose content counts: CONFIG SET of the same name puts it into effect again. */
  readonly isFile: boolean;
  /** Whether to give it its default is something else than not to give it: CONFIG REWRITE then writes it down. */
  readonly countsIfGiven: boolean;
  /** The Redis version that brought it, where that is later than 7.0. */
  readonly since: string | null;
  /** Why tsredis does nothing with it; null if it acts, or if `refused` says why. */
  readonly notActing: string | null;
  /** Values that stop the start; null if there are none. */
  readonly refused: Refusal<T> | null;
}

/**
 * Values that ask for protection or persistence that is not there: the start ends with them (unless
 * `--ignore-unsupported yes`), and CONFIG SET answers an error. Other values do nothing.
 */
export interface Refusal<T> {
  /** Whether a value is one of them. */
  isFor(value: T): boolean;
  /** These values, as one would write them behind the name. */
  readonly shown: string;
  /** What is missing: a sentence without its full stop. */
  readonly reason: string;
  /** What to do instead: an imperative sentence, beginning small, without its full stop. */
  readonly wayOut: string;
}

/** What may be said of a directive beside its kind and default. All of it may be left out. */
interface Traits {
  settable?: false | "protected";
  aliases?: string[];
  hidden?: true;
  sensitive?: true;
  deniedWhileLoading?: true;
  isFile?: true;
  countsIfGiven?: true;
  since?: string;
  notActing?: string;
}

/** Likewise, of a directive that has values which are refused. */
interface TraitsOf<T> extends Traits {
  refused?: Refusal<T>;
}

function directive<T>(kind: Kind<T>, byDefault: string, traits: TraitsOf<T> = {}): Directive<T> {
  return {
    kind,
    default: byDefault,
    settable: traits.settable ?? true,
    aliases: traits.aliases ?? [],
    hidden: traits.hidden ?? false,
    sensitive: traits.sensitive ?? false,
    deniedWhileLoading: traits.deniedWhileLoading ?? false,
    isFile: traits.isFile ?? false,
    countsIfGiven: traits.countsIfGiven ?? false,
    since: traits.since ?? null,
    notActing: traits.notActing ?? null,
    refused: traits.refused ?? null,
  };
}

function bool(byDefault: "yes" | "no", traits?: TraitsOf<boolean>): Directive<boolean> {
  return directive(boolKind(), byDefault, traits);
}

function int(
  byDefault: string,
  min: number | bigint,
  max: number | bigint,
  traits?: TraitsOf<number>,
): Directive<number> {
  return directive(intKind(BigInt(min), BigInt(max)), byDefault, traits);
}

function memory(
  byDefault: string,
  min: number | bigint,
  max: bigint,
  traits?: Traits,
): Directive<number> {
  return directive(memoryKind(BigInt(min), max), byDefault, traits);
}

function choice<const C extends string>(
  byDefault: C,
  choices: readonly C[],
  traits?: TraitsOf<C>,
): Directive<C> {
  return directive(choiceKind(choices), byDefault, traits);
}

function text(
  byDefault: string,
  traits?: TraitsOf<string>,
  check?: (text: string) => string | undefined,
): Directive<string> {
  return directive(textKind(check), byDefault, traits);
}

/** Text whose empty value, the default, means that there is none. */
function optionalText(
  traits?: TraitsOf<string>,
  check?: (text: string) => string | undefined,
): Directive<string> {
  return directive(optionalTextKind(check), "", traits);
}

/** A traits object of a directive that does nothing, and perhaps more about it. */
function idle(reason: string, more: Traits = {}): Traits {
  return { ...more, notActing: reason };
}

/** What is refused when it is "yes". */
function whenYes(reason: string, wayOut: string): Refusal<boolean> {
  return { isFor: (isOn) => isOn, shown: "yes", reason, wayOut };
}

/** What is refused unless it is empty. */
function libraryChooses(shown: string): Refusal<string> {
  return {
    isFor: (value) => value !== "" && value !== null,
    shown,
    reason: TLS_LIBRARY,
    wayOut: "leave it out, or put a TLS proxy in front",
  };
}

const CLUSTER = "cluster mode does not exist";
const DEFRAG = "the arena closes its gaps by itself, without settings";
const LAZY = "what is removed is always let go of at once and freed in the background";
const KERNEL = "the runtime gives no access to this setting of the kernel";
const OFF_THREAD = "tsredis runs commands on one thread and divides its work in its own way";
const SYSLOG = "the log goes to a file or to standard output, where systemd collects it";
const TLS_SESSIONS = "sessions are resumed by tickets, of which the server keeps nothing";
const TLS_LIBRARY =
  "the runtime's library chooses this, and chooses nothing that is known to be weak";
const WHO_MAY = ["no", "yes", "local"] as const;

/** All directives by name, grouped by what they are about. */
export const DIRECTIVES = {
  // Connections
  "port": int("6379", 0, 65535),
  "bind": directive(bindKind(), "* -::*"),
  "unixsocket": optionalText({ settable: false }),
  "unixsocketperm": directive(octalKind(0o777), "0", { settable: false }),
  "protected-mode": bool("yes"),
  "tcp-backlog": int(
    "511",
    0,
    I32_MAX,
    idle("the runtime leaves the length of the queue to the system", { settable: false }),
  ),
  "tcp-keepalive": int("300", 0, I32_MAX),
  "timeout": int("0", 0, I32_MAX),
  "maxclients": int("10000", 1, U32_MAX),
  "maxmemory-clients": directive(memoryOrPercentKind(), "0"),
  "client-query-buffer-limit": memory("1gb", 1 << 20, I64_MAX),
  "client-output-buffer-limit": directive(
    outputLimitsKind(),
    "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60",
  ),
  "proto-max-bulk-len": memory("512mb", 1 << 20, I64_MAX),
  "bind-source-addr": optionalText(),
  "socket-mark-id": int("0", 0, U32_MAX, idle(KERNEL, { settable: false })),
  "io-threads": int("1", 1, 128, idle(OFF_THREAD, { settable: false })),
  "io-threads-do-reads": bool("no", idle(OFF_THREAD, { settable: false })),

  /** Ours: clients that have not authenticated, where that is asked for; see net/unauthenticated.ts. */
  "unauthenticated-timeout": int("0", 0, I32_MAX, { since: "tsredis" }),
  "unauthenticated-clients-max": int("0", 0, U32_MAX, { since: "tsredis" }),

  // Who may do what
  "requirepass": optionalText({ sensitive: true }),
  "enable-protected-configs": choice("no", WHO_MAY, { settable: false }),
  "enable-debug-command": choice("no", WHO_MAY, { settable: false }),
  "enable-module-command": choice(
    "no",
    WHO_MAY,
    idle("modules cannot be loaded", { settable: false }),
  ),
  "aclfile": text("", { settable: false }),
  "acl-pubsub-default": choice("resetchannels", ["allchannels", "resetchannels"]),
  "acllog-max-len": int("128", 0, I64_MAX),

  // The process
  "dir": text("", { settable: "protected", deniedWhileLoading: true }), // default: working folder
  "logfile": text("", { settable: false }),
  // "nothing" came with 7.2.
  "loglevel": choice("notice", ["debug", "verbose", "notice", "warning", "nothing"]),
  "pidfile": optionalText({ settable: false }),
  "databases": int("16", 1, I32_MAX, { settable: false }),
  "shutdown-on-sigint": directive(shutdownKind(), "default"),
  "shutdown-on-sigterm": directive(shutdownKind(), "default"),
  "shutdown-timeout": int("10", 0, I32_MAX),
  "hz": directive(intKind(0n, I32_MAX, [1n, 500n]), "10"),
  "dynamic-hz": bool("yes", idle("the timer does not slow down with the number of clients")),
  "daemonize": bool("no", {
    settable: false,
    refused: whenYes(
      "the server cannot put itself into the background",
      "leave that to systemd (packaging/tsredis.service) or to the shell ('nohup tsredis &')",
    ),
  }),
  "supervised": choice(
    "no",
    ["upstart", "systemd", "auto", "no"],
    { settable: false },
  ),
  "always-show-logo": bool("no", { settable: false }),
  "set-proc-title": bool("yes", { settable: false }),
  "proc-title-template": text("{title} {listen-addr} {server-mode}", {}, checkTitleTemplate),
  "syslog-enabled": bool("no", idle(SYSLOG, { settable: false })),
  "syslog-ident": text("redis", idle(SYSLOG, { settable: false })),
  "syslog-facility": choice(
    "local0",
    ["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"],
    idle(SYSLOG, { settable: false }),
  ),
  "crash-log-enabled": bool("yes", idle("the runtime has its own kind of report")),
  "crash-memcheck-enabled": bool("yes", idle("the runtime has its own kind of report")),
  // Not told of before the event loop goes on: nothing can look at a thread from outside here.
  "watchdog-period": int("0", 0, I32_MAX, { hidden: true }),
  "use-exit-on-panic": bool("no", { hidden: true }),
  "disable-thp": bool("yes", idle(KERNEL, { settable: false })),
  "oom-score-adj": choice("no", ["no", "yes", "relative", "absolute"]),
  "oom-score-adj-values": directive(oomScoresKind(), "0 200 800"),
  "server_cpulist": cpuList(),
  "bio_cpulist": cpuList(),
  "aof_rewrite_cpulist": cpuList(),
  "bgsave_cpulist": cpuList(),
  "jemalloc-bg-thread": bool("yes", idle("memory is not taken from jemalloc")),
  "ignore-warnings": text("", idle("the kernel bug that it is about is not tested for")),
  "locale-collate": text("", idle("SORT compares bytes", { since: "7.2.0" })),

  // Memory
  "maxmemory": memory("0", 0, U64_MAX),
  "maxmemory-policy": choice("noeviction", [
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
  ]),
  "maxmemory-samples": int("5", 1, I32_MAX),
  "maxmemory-eviction-tenacity": int("10", 0, 100, idle("eviction has one pace")),
  "lfu-log-factor": int("10", 0, I32_MAX),
  "lfu-decay-time": int("1", 0, I32_MAX),
  "active-expire-effort": int("1", 1, 10),
  "lazyfree-lazy-eviction": bool("no"),
  "lazyfree-lazy-expire": bool("no"),
  "lazyfree-lazy-server-del": bool("no"),
  "lazyfree-lazy-user-del": bool("no", idle(LAZY)),
  "lazyfree-lazy-user-flush": bool("no", idle(LAZY)),
  "activedefrag": bool("no", idle(DEFRAG)),
  "active-defrag-cycle-max": int("25", 1, 99, idle(DEFRAG)),
  "active-defrag-cycle-min": int("1", 1, 99, idle(DEFRAG)),
  "active-defrag-ignore-bytes": memory("100mb", 1, I64_MAX, idle(DEFRAG)),
  "active-defrag-max-scan-fields": int("1000", 1, I64_MAX, idle(DEFRAG)),
  "active-defrag-threshold-lower": int("10", 0, 1000, idle(DEFRAG)),
  "active-defrag-threshold-upper": int("100", 0, 1000, idle(DEFRAG)),
  "activerehashing": bool("yes", idle("the table moves on with the requests and the timer alike")),

  // Encodings
  "hash-max-listpack-entries": int("512", 0, I64_MAX, { aliases: ["hash-max-ziplist-entries"] }),
  "hash-max-listpack-value": memory("64", 0, I64_MAX, { aliases: ["hash-max-ziplist-value"] }),
  "list-max-listpack-size": int("-2", I32_MIN, I32_MAX, { aliases: ["list-max-ziplist-size"] }),
  "list-compress-depth": int("0", 0, I32_MAX, idle("nodes of lists stay as they are")),
  "set-max-intset-entries": int("512", 0, I64_MAX),
  "set-max-listpack-entries": int("128", 0, I64_MAX, { since: "7.2.0" }),
  "set-max-listpack-value": memory("64", 0, I64_MAX, { since: "7.2.0" }),
  "zset-max-listpack-entries": int("128", 0, I64_MAX, { aliases: ["zset-max-ziplist-entries"] }),
  "zset-max-listpack-value": memory("64", 0, I64_MAX, { aliases: ["zset-max-ziplist-value"] }),
  "hll-sparse-max-bytes": memory("3000", 0, I64_MAX),
  "stream-node-max-bytes": memory("4096", 0, I64_MAX),
  "stream-node-max-entries": int("100", 0, I64_MAX),
  "sanitize-dump-payload": choice(
    "no",
    ["no", "yes", "clients"],
    idle("everything read from outside is always checked"),
  ),

  // Snapshots
  "save": directive(saveKind(), "3600 1 300 100 60 10000"),
  "dbfilename": text("dump.rdb", { settable: "protected" }, fileNameCheck("dbfilename")),
  "rdbcompression": bool("yes"),
  "rdbchecksum": bool("yes", { settable: false }),
  // Not given, it is 12 for a dataset in which fields of hashes expire: see rdb/versions.ts.
  "rdb-version": choice("10", ["6", "7", "8", "9", "10", "11", "12"], {
    since: "tsredis",
    countsIfGiven: true,
  }),
  "rdb-version-lossy": bool("no", { since: "tsredis" }),
  "rdb-version-for-replicas": choice("auto", ["auto", "6", "7", "8", "9", "10", "11", "12"], {
    since: "tsredis",
  }),
  "rdb-skip-unknown-modules": bool("no", { since: "tsredis" }),
  "rdb-version-check": choice("strict", ["strict", "relaxed"], { since: "tsredis" }),
  "rdb-save-incremental-fsync": bool("yes"),
  "rdb-del-sync-files": bool("no"),
  "stop-writes-on-bgsave-error": bool("yes"),
  "rdb-key-save-delay": int("0", I32_MIN, I32_MAX, { hidden: true }),
  "key-load-delay": int("0", I32_MIN, I32_MAX, { hidden: true }),
  "loading-process-events-interval-bytes": int("2097152", 1024, I32_MAX, {
    hidden: true,
    ...idle("loading pauses by time, not by bytes"),
  }),

  // The append-only file
  "appendonly": bool("no", { deniedWhileLoading: true }),
  "appendfilename": text(
    "appendonly.aof",
    { settable: false },
    fileNameCheck("appendfilename", true),
  ),
  "appenddirname": text(
    "appendonlydir",
    { settable: false },
    fileNameCheck("appenddirname", true, "dirname"),
  ),
  "appendfsync": choice("everysec", ["everysec", "always", "no"]),
  "no-appendfsync-on-rewrite": bool("no"),
  "auto-aof-rewrite-percentage": int("100", 0, I32_MAX),
  "auto-aof-rewrite-min-size": memory("64mb", 0, I64_MAX),
  "aof-load-truncated": bool("yes"),
  "aof-load-corrupt-tail-max-size": memory("0", 0, I64_MAX, { since: "8.4.0" }),
  "aof-use-rdb-preamble": bool("yes"),
  "aof-timestamp-enabled": bool("no"),
  "aof-rewrite-incremental-fsync": bool("yes"),
  "aof-disable-auto-gc": bool("no", { hidden: true }),

  // Replication
  "replicaof": directive(masterKind(), "no one", {
    settable: false,
    aliases: ["slaveof"],
  }),
  "masterauth": optionalText({ sensitive: true }),
  "masteruser": optionalText({ sensitive: true }),
  "replica-read-only": bool("yes", { aliases: ["slave-read-only"] }),
  "replica-serve-stale-data": bool("yes", { aliases: ["slave-serve-stale-data"] }),
  "replica-lazy-flush": bool("no", idle(LAZY, { aliases: ["slave-lazy-flush"] })),
  "replica-priority": int("100", 0, I32_MAX, { aliases: ["slave-priority"] }),
  /** Ours: how much is saved of what only a demoted master has, 0 for nothing; see replication/diverged_tail.ts. */
  "diverged-tail-max-size": memory("64mb", 0, I64_MAX, { since: "tsredis" }),
  /** Ours: whether a full sync is taken of which not all has a place here; see rdb/left_out.ts. */
  "replica-accept-lossy-sync": bool("no", { since: "tsredis" }),
  /** Ours: whether Sentinel may promote a replica that has parted from its master; see replication/divergence.ts. */
  "replica-promote-diverged": bool("no", { since: "tsredis" }),
  "replica-ignore-maxmemory": bool("yes", { aliases: ["slave-ignore-maxmemory"] }),
  "replica-announce-ip": optionalText({ aliases: ["slave-announce-ip"] }),
  "replica-announce-port": int("0", 0, 65535, { aliases: ["slave-announce-port"] }),
  "replica-announced": bool("yes"),
  /** Ours: a replica keeps its data when its master comes back without any; see replication/guard.ts. */
  "replica-guard-empty-master": bool("yes", { since: "tsredis" }),
  /** Ours: seconds after its start in which a master that has hardly any keys counts as empty too; 0: never. */
  "replica-guard-grace": int("300", 0, I32_MAX, { since: "tsredis" }),
  /** Ours: percent of the replica's keys that are hardly any, as long as the master has fewer. */
  "replica-guard-min-percent": int("10", 0, 100, { since: "tsredis" }),
  /** Ours: for how many seconds what FLUSHALL, FLUSHDB or a full sync replaces is kept for UNDO; 0 for not at all. */
  "undo-window": int("0", 0, I32_MAX, { since: "tsredis" }),
  /** Ours: what all that is kept may take together; more than that is not kept. */
  "undo-max-memory": memory("1gb", 0, I64_MAX, { since: "tsredis" }),
  "replica-ignore-disk-write-errors": bool(
    "no",
    idle("a replica applies what its master sends, also when it cannot save, and its log says so"),
  ),
  "min-replicas-to-write": int("0", 0, I32_MAX, { aliases: ["min-slaves-to-write"] }),
  "min-replicas-max-lag": int("10", 0, I32_MAX, { aliases: ["min-slaves-max-lag"] }),
  "repl-ping-replica-period": int("10", 1, I32_MAX, { aliases: ["repl-ping-slave-period"] }),
  "repl-timeout": int("60", 1, I32_MAX),
  "repl-backlog-size": directive(memoryKind(1n, I64_MAX, 16_384n), "1mb"),
  /** Ours: what replicas have not been sent yet goes to files beyond so much; 0: it stays in memory. */
  /** Ours: writes wait before a replica would be dropped for what it has not been sent; see replication/writer_throttle.ts. */
  "repl-throttle-writers": bool("no", { since: "tsredis" }),
  /** Ours: so many replicas are sent a snapshot at once, the others wait; 0 for no limit. */
  "repl-max-concurrent-full-syncs": int("0", 0, I32_MAX, { since: "tsredis" }),
  "repl-backlog-spill-size": memory("32mb", 0, I64_MAX, { since: "tsredis" }),
  "repl-backlog-ttl": int("3600", 0, I64_MAX),
  "repl-disable-tcp-nodelay": bool("no"),
  "repl-diskless-sync": bool("yes"),
  "repl-diskless-sync-delay": int("5", 0, I32_MAX),
  "repl-diskless-sync-max-replicas": int("0", 0, I32_MAX),
  "repl-diskless-load": choice(
    "disabled",
    ["disabled", "on-empty-db", "swapdb"],
    { deniedWhileLoading: true },
  ),
  "propagation-error-behavior": choice(
    "ignore",
    ["ignore", "panic", "panic-on-replicas"],
  ),

  // Watching the server
  "slowlog-log-slower-than": int("10000", -1, I64_MAX),
  "slowlog-max-len": int("128", 0, I64_MAX),
  "latency-monitor-threshold": int("0", 0, I64_MAX),
  "latency-tracking": bool("yes"),
  "latency-tracking-info-percentiles": directive(percentilesKind(), "50 99 99.9"),
  "notify-keyspace-events": directive(notifyKind(), ""),
  "tracking-table-max-keys": int("1000000", 0, I64_MAX),
  "busy-reply-threshold": int("5000", 0, I64_MAX, { aliases: ["lua-time-limit"] }),
  "lua-memory-limit": memory("512mb", 8 << 20, 3n << 30n, { since: "tsredis" }),

  // Cluster
  "cluster-enabled": bool("no", {
    settable: false,
    refused: whenYes(CLUSTER, "run it as a server of its own, with replicas if need be"),
  }),
  "cluster-config-file": text("nodes.conf", idle(CLUSTER, { settable: false })),
  "cluster-port": int("0", 0, 65535, idle(CLUSTER, { settable: false })),
  "cluster-node-timeout": int("15000", 0, I64_MAX, idle(CLUSTER)),
  "cluster-replica-validity-factor": int(
    "10",
    0,
    I32_MAX,
    idle(CLUSTER, { aliases: ["cluster-slave-validity-factor"] }),
  ),
  "cluster-replica-no-failover": bool(
    "no",
    idle(CLUSTER, { aliases: ["cluster-slave-no-failover"] }),
  ),
  "cluster-migration-barrier": int("1", 0, I32_MAX, idle(CLUSTER)),
  "cluster-allow-replica-migration": bool("yes", idle(CLUSTER)),
  "cluster-require-full-coverage": bool("yes", idle(CLUSTER)),
  "cluster-allow-reads-when-down": bool("no", idle(CLUSTER)),
  "cluster-allow-pubsubshard-when-down": bool("yes", idle(CLUSTER)),
  "cluster-link-sendbuf-limit": memory("0", 0, U64_MAX, idle(CLUSTER)),
  "cluster-announce-ip": optionalText(idle(CLUSTER)),
  "cluster-announce-hostname": optionalText(idle(CLUSTER), checkHostname),
  "cluster-announce-human-nodename": optionalText(idle(CLUSTER, { since: "7.2.0" })),
  "cluster-announce-port": int("0", 0, 65535, idle(CLUSTER)),
  "cluster-announce-bus-port": int("0", 0, 65535, idle(CLUSTER)),
  "cluster-announce-tls-port": int("0", 0, 65535, idle(CLUSTER)),
  "cluster-preferred-endpoint-type": choice(
    "ip",
    ["ip", "hostname", "unknown-endpoint"],
    idle(CLUSTER),
  ),

  // TLS
  "tls-port": int("0", 0, 65535),
  "tls-replication": bool("no"),
  /** Without a cluster: whether MIGRATE sends its keys over TLS. */
  "tls-cluster": bool("no"),
  "tls-auth-clients": choice("yes", ["no", "yes", "optional"]),
  "tls-auth-clients-user": choice("off", ["off", "CN"], { since: "8.6.0" }),
  "tls-ca-cert-dir": optionalText({ isFile: true }),
  "tls-ca-cert-file": optionalText({ isFile: true }),
  "tls-cert-file": optionalText({ isFile: true }),
  "tls-key-file": optionalText({ isFile: true }),
  "tls-key-file-pass": optionalText({ sensitive: true }),
  "tls-client-cert-file": optionalText({ isFile: true }),
  "tls-client-key-file": optionalText({ isFile: true }),
  "tls-client-key-file-pass": optionalText({ sensitive: true }),
  "tls-dh-params-file": optionalText({ refused: libraryChooses("<file>") }),
  "tls-protocols": optionalText({
    refused: {
      isFor: (value) => asksForOldTls(value ?? ""),
      shown: "TLSv1, TLSv1.1",
      reason: "these versions of TLS do not exist here any more",
      wayOut: "name 'TLSv1.2' and 'TLSv1.3' only",
    },
  }),
  "tls-ciphers": optionalText({ refused: libraryChooses("<list>") }),
  "tls-ciphersuites": optionalText({ refused: libraryChooses("<list>") }),
  "tls-prefer-server-ciphers": bool("no", {
    refused: whenYes(TLS_LIBRARY, "leave it out: the client's order counts"),
  }),
  "tls-session-caching": bool("yes", idle(TLS_SESSIONS)),
  "tls-session-cache-size": int("20480", 0, I32_MAX, idle(TLS_SESSIONS)),
  "tls-session-cache-timeout": int("300", 0, I32_MAX, idle(TLS_SESSIONS)),
};

/** The name of a directive, as the table spells it. */
export type DirectiveName = keyof typeof DIRECTIVES;

/** The type of a directive's value in use. */
export type ValueOf<N extends DirectiveName> = (typeof DIRECTIVES)[N] extends Directive<infer T> ? T
  : never;

/** A line that is no setting. `notActing` and `refused` as in the table; its value are its words. */
export interface FileOnly {
  readonly notActing?: string;
  readonly refused?: Refusal<readonly string[]>;
}

/** What may stand in a file without being a setting: CONFIG GET and SET do not know these. */
export const FILE_ONLY: Readonly<Record<string, FileOnly>> = {
  "include": {},
  "rename-command": {},
  "user": {},
  "loadmodule": {
    refused: {
      isFor: () => true,
      shown: "<file>",
      reason: "modules cannot be loaded",
      wayOut: "do without the module",
    },
  },
  // Not for files: whoever starts the server should see that it leaves something out.
  "ignore-unsupported": {},
  "sentinel": { notActing: "a start with it is refused always: tsredis is no sentinel" },
  "list-max-ziplist-entries": { notActing: "without effect since Redis 3.2" },
  "list-max-ziplist-value": { notActing: "without effect since Redis 3.2" },
};

/** Table names in the order of the table. */
export const DIRECTIVE_NAMES = Object.keys(DIRECTIVES) as DirectiveName[];

/** Every name and alias, in the order of the table, with the table name behind it. */
export const NAMES: ReadonlyMap<string, DirectiveName> = new Map(
  DIRECTIVE_NAMES.flatMap((name) =>
    [name, ...DIRECTIVES[name].aliases].map((each) => [each, name] as const)
  ),
);

/** A directive that does nothing here, and why. */
export interface NotActing {
  readonly name: string;
  readonly reason: string;
}

/** What is accepted without effect, in the order of the table; hidden test settings left out. */
export function notActing(): NotActing[] {
  const found: NotActing[] = [];
  for (const name of DIRECTIVE_NAMES) {
    const { notActing: reason, hidden } = DIRECTIVES[name] as Directive<unknown>;
    if (reason !== null && !hidden) found.push({ name, reason });
  }
  for (const [name, { notActing: reason }] of Object.entries(FILE_ONLY)) {
    if (reason !== undefined) found.push({ name, reason });
  }
  return found;
}

/** What a directive's row says of values that are refused; null for a name that has no such row. */
export function refusalOf(name: string): Refusal<unknown> | null {
  const row = Object.hasOwn(DIRECTIVES, name)
    ? DIRECTIVES[name as DirectiveName] as Directive<unknown>
    : Object.hasOwn(FILE_ONLY, name)
    ? FILE_ONLY[name] as { readonly refused?: Refusal<unknown> }
    : null;
  return row?.refused ?? null;
}

/** The names with values that stop the start, in the order of the table. */
export function refusable(): string[] {
  return [...DIRECTIVE_NAMES, ...Object.keys(FILE_ONLY)].filter((name) => refusalOf(name) !== null);
}

/** The README's list of what does nothing: one bullet for each reason. */
export function notActingMarkdown(): string {
  return byReason(notActing().map(({ name, reason }) => ["`" + name + "`", reason]));
}

/** The README's list of what stops the start: one bullet for each reason and way out. */
export function refusedMarkdown(): string {
  return byReason(
    refusable().map((name) => {
      const { shown, reason, wayOut } = refusalOf(name)!;
      return ["`" + `${name} ${shown}` + "`", `${reason}; ${wayOut}`];
    }),
  );
}

/** One Markdown bullet for each reason, with the names that share it. */
function byReason(entries: (readonly [name: string, reason: string])[]): string {
  const names = new Map<string, string[]>();
  for (const [name, reason] of entries) {
    const sharing = names.get(reason);
    if (sharing) sharing.push(name);
    else names.set(reason, [name]);
  }
  return [...names].map(([reason, sharing]) => `- ${sharing.join(", ")}: ${reason}.\n`).join("");
}

/** The known name that a mistyped one most likely means; null if none is near. */
export function nearestName(typed: string): string | null {
  const furthest = typed.length <= 4 ? 1 : typed.length <= 8 ? 2 : 3;
  let nearest: string | null = null;
  let best = furthest + 1;
  for (const name of [...NAMES.keys(), ...Object.keys(FILE_ONLY)]) {
    if (Math.abs(name.length - typed.length) >= best) continue;
    const distance = editDistance(typed, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

/** Letters to add, drop, change or swap with the next one, to get from one word to the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + change);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}

function cpuList(): Directive<string> {
  return optionalText({
    settable: false,
    notActing: "the runtime does not choose processors; use taskset",
  });
}

function fileNameCheck(name: string, required = false, what = "filename") {
  return (value: string): string | undefined => {
    if (required && value === "") return `${name} can't be empty`;
    if (/[/\\]/.test(value)) return `${name} can't be a path, just a ${what}`;
  };
}

function checkHostname(value: string): string | undefined {
  if (value.length >= 256) return "Hostnames must be less than 256 characters";
  if (!/^[a-z0-9.-]*$/i.test(value)) {
    return "Hostnames may only contain alphanumeric characters, hyphens or dots";
  }
}

function checkTitleTemplate(value: string): string | undefined {
  const known =
    /\{\{|\{(title|listen-addr|server-mode|port|tls-port|unixsocket|config-file)\}|[^{]/g;
  if (value.trim() === "" || value.replace(known, "") !== "") {
    return "template format is invalid or contains unknown variables";
  }
}
