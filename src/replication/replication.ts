/**
 * Replication as a whole: the history that the dataset belongs to, the backlog, and the two roles.
 * A server follows at most one master (replica_role.ts) and serves any number of replicas
 * (master_role.ts), also while it follows a master itself: it hands the master's bytes on unchanged.
 *
 *     changes here ──► stream of writes ──► backlog ──► replicas         (a master)
 *     master's bytes ──► applied, and relayed into the stream ──► …      (a replica)
 *
 * The roles do not know this whole: they are given the history (history.ts), and of each other what
 * their interfaces name.
 */

import { type Backlog, historyBytesMax } from "../propagation/backlog.ts";
import { Failover } from "./failover.ts";
import { History } from "./history.ts";
import type { ReplicationHost } from "./host.ts";
import type { ReplicationIds } from "./identity.ts";
import type { LinkLog } from "./link_log.ts";
import { MasterRole } from "./master_role.ts";
import { type OwnReplicas, ReplicaRole } from "./replica_role.ts";

export class Replication implements OwnReplicas {
  readonly history: History;
  /** We as the master of others. */
  readonly master: MasterRole;
  /** We as the replica of another. */
  readonly replica: ReplicaRole;
  /** The first becoming the second. */
  readonly failover: Failover;

  constructor(readonly host: ReplicationHost) {
    this.history = new History(
      host,
      () => this.master.streamGrew(),
      (why) => this.master.disconnectAll(why),
    );
    this.replica = new ReplicaRole(host, this.history, this);
    this.master = new MasterRole(host, this.history, this.replica);
    this.failover = new Failover(host, this.history, this.master, this.replica);
  }

  get ids(): ReplicationIds {
    return this.history.ids;
  }

  get events(): LinkLog {
    return this.history.events;
  }

  /** The latest part of the stream; null while no replica has come. */
  get backlog(): Backlog | null {
    return this.history.backlog;
  }

  /** How much the backlog may have for a replica that goes on with it, slow ones apart. */
  get backlogBytesMax(): number {
    return historyBytesMax(this.host.config.value("repl-backlog-size"));
  }

  /** Memory of our backlog and of those for older servers, in bytes. */
  get backlogBytes(): number {
    return (this.backlog?.heldBytes ?? 0) + this.master.translations.heldBytes;
  }

  /** How much of that is there only because a replica is slow. */
  get excessBacklogBytes(): number {
    return (this.backlog?.excessBytes ?? 0) + this.master.translations.excessBytes;
  }

  /** `master_repl_offset`. */
  get offset(): number {
    return this.history.offset;
  }

  /** Whether this server follows a master (reached or not). */
  get isReplica(): boolean {
    return this.replica.isFollowing;
  }

  /** DEBUG CHANGE-REPL-ID: the dataset is of no history that anybody knows. */
  changeId(): void {
    this.ids.renew();
  }

  /**
   * The dataset is another one now, and not by commands of the stream: no replica can go on from what it has, and each
   * takes all of it. Not while following a master.
   */
  datasetReplaced(why: string): void {
    this.ids.renew();
    this.history.events.add("self", "", "dataset-replaced", why);
    this.master.disconnectAll(why);
  }

  /** OwnReplicas. */
  historyChanged(why: string): void {
    this.master.disconnectAll(why);
  }

  /** OwnReplicas. */
  becameMaster(): void {
    this.master.noteNoReplicas();
  }

  /** Before the dataset is loaded: takes the role that the configuration names. */
  begin(): void {
    const master = this.host.config.value("replicaof");
    if (master === null) return;
    this.replica.begin(master.host, master.port);
    this.host.roleChanged();
  }

  /** A master has dropped an expired key while loading: replicas that go on partially still have it. */
  expiredAtLoad(database: number, bytes: Uint8Array, offset: number, length: number): void {
    const { loadedReplication } = this.host.persistence;
    if (loadedReplication === null || this.isReplica) return;
    const { stream, unlinksExpired } = this.host.keyspace;
    const name = unlinksExpired ? "UNLINK" : "DEL";
    if (this.backlog === null) this.history.restartAt(loadedReplication.offset);
    stream.unit(() => stream.add(database, [name, bytes.slice(offset, offset + length)]));
  }

  /** The dataset has been loaded: goes on with the history it was saved in, and seeks its master. */
  loaded(): void {
    const { loadedReplication: saved } = this.host.persistence;
    if (saved !== null) {
      if (this.backlog === null) this.history.restartAt(saved.offset);
      if (this.isReplica) {
        this.ids.adopt(saved.id);
        this.replica.resumeAt(saved);
      } else this.ids.rememberSecond(saved.id, saved.offset);
    }
    this.master.noteNoReplicas();
    this.replica.connectSoon();
  }

  /** Called by the server's timer, ten times a second or more. */
  tick(steadyMs: number): void {
    this.replica.tick(steadyMs);
    this.master.tick(steadyMs);
    this.failover.tick(steadyMs);
    this.history.tick(steadyMs);
    this.master.throttle.tick();
  }

  /** The server ends. */
  close(): void {
    this.replica.close();
    this.master.close();
  }

  /** Aux fields of a snapshot taken now: with them a restarted server can go on partially. */
  snapshotAux(): (readonly [string, string | number])[] {
    return this.master.snapshotAux();
  }

  /** Bytes that slow replicas have not been sent and that are in files. */
  get spilledBytes(): number {
    return (this.backlog?.spilledBytes ?? 0) + this.master.translations.spilledBytes;
  }

  /** The fields of INFO's section Replication, in order. */
  infoFields(steadyMs: number): [name: string, value: string | number][] {
    const { ids, backlog } = this;
    return [
      ["role", this.isReplica ? "slave" : "master"],
      ...this.replica.infoFields(steadyMs),
      ...this.master.infoFields(steadyMs),
      ["master_failover_state", this.failover.state],
      ["master_replid", ids.id],
      ["master_replid2", ids.secondId],
      ["master_repl_offset", this.offset],
      ["second_repl_offset", ids.secondOffset],
      ["repl_backlog_active", backlog === null ? 0 : 1],
      ["repl_backlog_size", this.host.config.value("repl-backlog-size")],
      ["repl_backlog_first_byte_offset", backlog === null ? 0 : backlog.beginOffset + 1],
      ["repl_backlog_histlen", backlog === null ? 0 : backlog.historyBytes],
      ...this.replica.tail.infoFields(),
      ["repl_backlog_spilled_bytes", this.spilledBytes],
      ...this.master.throttle.infoFields(),
    ];
  }
}
