/**
 * Which replicas follow a translated history, and the histories there are: at most one for each target, from the first
 * replica that needs it until `repl-backlog-ttl` after the last one has left. Asked by the master role at PSYNC, and told
 * of what becomes of links. See "Streams for older servers" in NOTES.
 */

import { askedVersion, firstUnheld } from "../../rdb/versions.ts";
import { RDB_VERSION, RDB_VERSION_MAX } from "../../rdb/format.ts";
import type { AttachedReplica } from "../attached_replica.ts";
import type { History } from "../history.ts";
import type { ReplicationHost } from "../host.ts";
import { KnownPeers, NOTHING_HELD, NOTHING_OLDER } from "./known_peers.ts";
import { type Target, targetOf } from "./target.ts";
import { TranslatedHistory, type TranslationOwner } from "./translated_history.ts";

/** Whoever stays for longer with a snapshot has read it. */
const READING_MS = 15_000;
/** The version for servers that are older than 4.0: all of them read it. */
const VERSION_BEFORE_PSYNC2 = 6;

export class Translations {
  #histories: TranslatedHistory[] = [];
  readonly #peers = new KnownPeers();

  constructor(
    readonly host: ReplicationHost,
    readonly history: History,
    readonly owner: TranslationOwner,
  ) {}

  /** Who this replica is to be spoken to as; null: nothing is translated for it. */
  targetFor(replica: AttachedReplica): Target | null {
    const { config } = this.host;
    const given = config.value("rdb-version-for-replicas");
    if (given !== "auto") return targetOf(Number(given), !replica.isOld);
    if (replica.needs !== 0 || replica.isRdbOnly) return null;
    if (!replica.hasCapaPsync2) {
      // Only servers tell where they listen. Others are tools, which read anything.
      if (replica.listeningPort === 0) return null;
      return targetOf(VERSION_BEFORE_PSYNC2, !replica.isOld);
    }
    // Those of ours say it, and whatever they leave for, it is not that.
    if (replica.readsRdb >= RDB_VERSION_MAX) return this.#asked();
    if (replica.readsRdb > 0) return targetOf(replica.readsRdb);
    const learnt = this.#peers.versionOf(replica.name);
    if (learnt !== 0) return targetOf(learnt);
    return this.#asked();
  }

  /** What `rdb-version` says of replicas. */
  #asked(): Target | null {
    const { config, keyspace } = this.host;
    const asked = askedVersion(config);
    if (asked === null || asked >= RDB_VERSION || firstUnheld(keyspace, asked) !== null) {
      return null;
    }
    return targetOf(asked);
  }

  /** A replica wants a full sync: if it has refused the snapshot of the last one it gets an older version. */
  lookAtReturn(replica: AttachedReplica): void {
    const { host } = this;
    const { name } = replica;
    let unheld: string | null = null;
    const isHeld = (version: number) => {
      unheld = firstUnheld(host.keyspace, version);
      return unheld === null;
    };
    const version = this.#peers.returned(name, host.clock.monotonic(), isHeld);
    if (version === 0) return;
    if (version === NOTHING_HELD) {
      host.log.warning(
        `Replica ${name} leaves whenever it has the snapshot, as if it could not read it, and no older version can ` +
          `be sent: ${unheld}. From now on it has to wait for each further snapshot, for up to a minute`,
      );
      this.history.events.add("master", name, "unreadable", unheld!);
      return;
    }
    if (version === NOTHING_OLDER) {
      host.log.warning(
        `Replica ${name} leaves whenever it has the snapshot, as if it could not read it, and there is no older ` +
          "version to send. Redis 2.4 and older cannot follow: they read RDB versions up to 2. From now on it has " +
          "to wait for each further snapshot, for up to a minute",
      );
      return;
    }
    host.log.warning(
      `Replica ${name} has left as if it could not read the snapshot: it is sent RDB version ${version} next, ` +
        `as ${targetOf(version)!.name} read it. See rdb-version-for-replicas`,
    );
  }

  /** How long a replica that has just been looked at has to wait for its snapshot, in ms. */
  pauseOf({ name }: AttachedReplica): number {
    return this.#peers.pauseOf(name);
  }

  /** See KnownPeers. */
  endPauses(): void {
    this.#peers.endPauses();
  }

  /** Why a replica of this target cannot have our dataset; null if it can. */
  refusal(target: Target): string | null {
    return firstUnheld(this.host.keyspace, target.rdbVersion);
  }

  /** The history with this id; null for none, or if it has ended. */
  withId(id: string): TranslatedHistory | null {
    const asked = id.toLowerCase();
    return this.#histories.find((each) => each.id === asked && this.#isGood(each)) ?? null;
  }

  /** The history for a target, begun now if there is none. `database` is what our stream has selected. */
  historyFor(target: Target, database: number): TranslatedHistory {
    const found = this.#histories.find((each) => each.target === target && this.#isGood(each));
    if (found !== undefined) return found;
    this.#drop((each) => each.target === target);
    const { backlog, events } = this.history;
    const begun = new TranslatedHistory(this.host, this.owner, target, backlog!, database);
    this.#histories.push(begun);
    const text = `for ${target.name}, replication id ${begun.id}, RDB version ${target.rdbVersion}`;
    events.add("self", "", "translation-begun", text);
    this.host.log.notice(`The replication stream is translated from now on ${text}`);
    return begun;
  }

  #isGood({ isOver, origin }: TranslatedHistory): boolean {
    return !isOver && origin === this.history.backlog;
  }

  /** Memory of their backlogs, in bytes, and how much of it is there only because a replica is slow. */
  get heldBytes(): number {
    return this.#histories.reduce((sum, { backlog }) => sum + backlog.heldBytes, 0);
  }

  /** Bytes of theirs that are not in memory but in files. */
  get spilledBytes(): number {
    return this.#histories.reduce((sum, { backlog }) => sum + backlog.spilledBytes, 0);
  }

  get excessBytes(): number {
    return this.#histories.reduce((sum, { backlog }) => sum + backlog.excessBytes, 0);
  }

  /** Nothing more goes to files for a while. Returns the offset up to which each is not all in memory; -1 where it is. */
  stopSpilling(): Map<TranslatedHistory, number> {
    return new Map(this.#histories.map((each) => [each, each.stopSpilling()]));
  }

  /** A replica has acknowledged for the first time what it was sent in full. */
  loaded(replica: AttachedReplica): void {
    if (replica.sentVersion > 0) this.#peers.loaded(replica.name, replica.sentVersion);
  }

  /** A link has ended. */
  left(replica: AttachedReplica): void {
    const { sentVersion, hasAcknowledged, closeCause, client, state } = replica;
    const isUnread = sentVersion > 0 && !hasAcknowledged && state === "online";
    if (!isUnread || replica.readsRdb > 0 || closeCause !== "" || client.closeCause !== "") return;
    const steadyMs = this.host.clock.monotonic();
    // Who came with SYNC never acknowledges: what it has read it stays with.
    if (replica.isOld && steadyMs - replica.ackMs > READING_MS) return this.loaded(replica);
    this.#peers.left(replica.name, sentVersion, steadyMs);
  }

  /** The timer's look. `isUsed` tells whether a replica follows a history. */
  tick(steadyMs: number, isUsed: (history: TranslatedHistory) => boolean): void {
    const ttlMs = this.host.config.value("repl-backlog-ttl") * 1000;
    for (const each of this.#histories) {
      each.tick(steadyMs);
      if (isUsed(each)) each.unusedSinceMs = NaN;
      else if (Number.isNaN(each.unusedSinceMs)) each.unusedSinceMs = steadyMs;
    }
    this.#drop((each) =>
      !this.#isGood(each) || (ttlMs > 0 && steadyMs - each.unusedSinceMs > ttlMs)
    );
  }

  #drop(isDue: (history: TranslatedHistory) => boolean): void {
    const due = this.#histories.filter(isDue);
    if (due.length === 0) return;
    for (const each of due) each.end();
    this.#histories = this.#histories.filter((each) => !due.includes(each));
  }

  close(): void {
    this.#drop(() => true);
  }
}
