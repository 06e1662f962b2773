/**
 * Replication as a whole: the history that the dataset belongs to, the backlog, and the two roles.
 * A server follows at most one master (replica_role.ts) and serves any number of replicas
 * (master_role.ts), also while it follows a master itself: it hands the master's bytes on unchanged.
 *
 *     changes here ──► stream of writes ──► backlog ──► replicas         (a master)
 *     master's bytes ──► applied, and relayed into the stream ──► …      (a replica)
 *
 * The backlog exists from the first replica on, and goes `repl-backlog-ttl` after the last one has
 * left; a replica always has one, as it may be promoted. While there is none, the offset stands still.
 */

import { Backlog } from "../propagation/backlog.ts";
import type { ReplicationHost } from "./host.ts";
import { ReplicationIds } from "./identity.ts";
import { LinkLog } from "./link_log.ts";
import { MasterRole } from "./master_role.ts";
import { ReplicaRole } from "./replica_role.ts";

export class Replication {
  readonly ids: ReplicationIds;
  readonly events: LinkLog;
  /** The latest part of the stream; null while no replica has come. */
  backlog: Backlog | null = null;
  /** We as the master of others. */
  readonly master: MasterRole;
  /** We as the replica of another. */
  readonly replica: ReplicaRole;

  constructor(readonly host: ReplicationHost) {
    this.ids = new ReplicationIds(host.runtime.fillRandom);
    this.events = new LinkLog(host.clock);
    this.master = new MasterRole(this);
    this.replica = new ReplicaRole(this);
    host.config.onChange(["repl-backlog-size"], (values) => {
      if (this.backlog !== null) this.backlog.sizeBytes = values["repl-backlog-size"];
    });
  }

  /** `master_repl_offset`. */
  get offset(): number {
    return this.host.keyspace.stream.offset;
  }

  /** Whether this server follows a master (reached or not). */
  get isReplica(): boolean {
    return this.replica.masterHost !== null;
  }

  /** DEBUG CHANGE-REPL-ID: the dataset is of no history that anybody knows. */
  changeId(): void {
    this.ids.renew();
  }

  /** Makes sure there is a backlog; it begins at the present offset. */
  createBacklog(): Backlog {
    if (this.backlog !== null) return this.backlog;
    const { stream } = this.host.keyspace;
    this.backlog = new Backlog(stream.offset, this.host.config.value("repl-backlog-size"));
    stream.attach(this.#keep);
    return this.backlog;
  }

  /** Drops the backlog: from now on nobody can go on partially. */
  dropBacklog(): void {
    if (this.backlog === null) return;
    this.host.keyspace.stream.detach(this.#keep);
    this.backlog = null;
  }

  /** Begins a backlog anew at `offset`, where the stream goes on: the dataset is another one now. */
  restartAt(offset: number): void {
    this.dropBacklog();
    this.host.keyspace.stream.offset = offset;
    this.createBacklog();
  }

  readonly #keep = (bytes: Uint8Array, offset: number, length: number): void => {
    this.backlog!.append(bytes, offset, length);
    this.master.streamGrew();
  };

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
    const { stream } = this.host.keyspace;
    if (this.backlog === null) this.restartAt(loadedReplication.offset);
    stream.unit(() => stream.add(database, ["DEL", bytes.slice(offset, offset + length)]));
  }

  /** The dataset has been loaded: goes on with the history it was saved in, and seeks its master. */
  loaded(): void {
    const { loadedReplication: saved } = this.host.persistence;
    if (saved !== null) {
      if (this.backlog === null) this.restartAt(saved.offset);
      if (this.isReplica) {
        this.ids.adopt(saved.id);
        this.replica.resumeAt(saved.database);
      } else this.ids.rememberSecond(saved.id, saved.offset);
    }
    this.master.noteNoReplicas();
    this.replica.connectSoon();
  }

  /** Called by the server's timer, ten times a second or more. */
  tick(nowMs: number): void {
    this.replica.tick(nowMs);
    this.master.tick(nowMs);
  }

  /** The server ends. */
  close(): void {
    this.replica.close();
    this.master.close();
  }

  /** Aux fields of a snapshot taken now: with them a restarted server can go on partially. */
  snapshotAux(): (readonly [string, string | number])[] {
    if (this.backlog === null) return [];
    return [
      [
        "repl-stream-db",
        Math.max(0, this.isReplica ? this.replica.database : this.host.keyspace.stream.database),
      ],
      ["repl-id", this.ids.id],
      ["repl-offset", this.offset],
    ];
  }

  /** The fields of INFO's section Replication, in order. */
  infoFields(nowMs: number): [name: string, value: string | number][] {
    const { ids, backlog } = this;
    return [
      ["role", this.isReplica ? "slave" : "master"],
      ...this.replica.infoFields(nowMs),
      ...this.master.infoFields(nowMs),
      ["master_failover_state", "no-failover"],
      ["master_replid", ids.id],
      ["master_replid2", ids.secondId],
      ["master_repl_offset", this.offset],
      ["second_repl_offset", ids.secondOffset],
      ["repl_backlog_active", backlog === null ? 0 : 1],
      ["repl_backlog_size", this.host.config.value("repl-backlog-size")],
      ["repl_backlog_first_byte_offset", backlog === null ? 0 : backlog.beginOffset + 1],
      ["repl_backlog_histlen", backlog === null ? 0 : backlog.historyBytes],
    ];
  }
}
