/**
 * Full syncs of our replicas: which snapshot a replica gets, and when that begins. There is never more
 * than one snapshot under way.
 *
 *     a replica asks ──► a snapshot to disk for replicas is under way, and suits: shares it
 *                   ├──► another one is: waits for its end
 *                   ├──► it has refused all versions there are: waits for a while
 *                   ├──► over the socket, with a delay: waits, others may come
 *                   └──► else: a snapshot begins, for all that wait and need the same
 *
 * Over the socket (`repl-diskless-sync yes`, and all that wait can tell where it ends) the bytes go to
 * the replicas as they are made; else BGSAVE writes its file, which is then sent.
 */

import { randomId } from "../base/random_id.ts";
import { formatBytes } from "../observe/bytes_for_people.ts";
import { problemOf } from "../runtime/system_error.ts";
import type { AttachedReplica } from "./attached_replica.ts";
import { FileTransfer } from "./file_transfer.ts";
import type { MasterRole } from "./master_role.ts";
import { RelayTransfer } from "./relay_transfer.ts";
import { EmptySnapshot } from "./empty_snapshot.ts";
import { replicaVersion, replicaVersionRemark } from "../rdb/versions.ts";
import type { ReplicaForm } from "../rdb/persistence.ts";
import { removeIfThere } from "../runtime/remove_if_there.ts";
import type { Target } from "./bridge/target.ts";
import type { TranslatedHistory } from "./bridge/translated_history.ts";

/** A snapshot to disk that replicas wait for. */
interface DiskSync {
  /** Offset of the stream at its instant. */
  readonly offset: number;
  /** Whom it was begun for: who shares it must be able to do as much, and need the same. */
  readonly hasCapaEof: boolean;
  readonly hasCapaPsync2: boolean;
  /** Whom it is for, and the history that it is of; null for the usual. */
  readonly target: Target | null;
  readonly translation: TranslatedHistory | null;
  readonly version: number;
  /** Whether the file is a save of ours as well, and stays. */
  readonly isKept: boolean;
}

export class FullSyncs {
  /** The snapshot under way that goes to sockets. */
  #relay: RelayTransfer | null = null;
  /** The snapshot under way that goes to disk, if it is for replicas. */
  #disk: DiskSync | null = null;

  constructor(readonly master: MasterRole) {
    const { snapshots } = master.host;
    snapshots.onSnapshotEnded((kind, failure, path) => {
      if (kind === "file") this.#diskEnded(failure, path);
      this.startDue();
    });
  }

  get #host() {
    return this.master.host;
  }

  /** Whether bytes of a snapshot are on their way to sockets while it is made. */
  get isRelaying(): boolean {
    return this.#relay !== null;
  }

  /** A replica that waits for a snapshot (state "wait-start") has come. */
  request(replica: AttachedReplica): void {
    const { snapshots, log, config } = this.#host;
    const { name, pausedUntilMs, askedMs } = replica;
    if (pausedUntilMs > 0) {
      const seconds = Math.round((pausedUntilMs - askedMs) / 1000);
      log.notice(
        `Replica ${name} has to wait for ${seconds} seconds: it has left whenever it had the snapshot`,
      );
    } else if (this.#room === 0) {
      log.notice(
        "Waiting for the end of other full syncs, of which repl-max-concurrent-full-syncs are under way",
      );
    } else if (this.#disk !== null) {
      const first = this.#sharer(this.#disk, replica);
      if (first !== null) {
        replica.translation = this.#disk.translation;
        replica.sentVersion = this.#disk.version;
        this.#begin(replica, this.#disk.offset, first);
        log.notice("Waiting for end of BGSAVE for SYNC");
      } else {
        log.notice(
          "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC",
        );
      }
    } else if (this.#relay !== null) {
      log.notice("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC");
    } else if (snapshots.isSaving) {
      log.notice(
        "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC",
      );
    } else if (
      config.value("repl-diskless-sync") && replica.hasCapaEof &&
      config.value("repl-diskless-sync-delay") > 0
    ) log.notice("Delay next BGSAVE for diskless SYNC");
    else this.#start([replica]);
  }

  /**
   * Who waits for this snapshot too, if the replica can share it: it can do what the first ones could,
   * and there is one that the stream since then is being kept for. Null if it cannot.
   */
  #sharer(disk: DiskSync, replica: AttachedReplica): AttachedReplica | null {
    if (replica.needs !== 0 || replica.target !== disk.target) return null;
    if (disk.translation?.isOver) return null;
    if (disk.hasCapaEof && !replica.hasCapaEof) return null;
    if (disk.hasCapaPsync2 && !replica.hasCapaPsync2) return null;
    const waiting = this.master.inState("wait-end").filter(({ payload }) => payload === null);
    return waiting.find(({ cursor }) => replica.isRdbOnly || cursor !== null) ?? null;
  }

  /** Keeps how far a snapshot has come that is sent as it is made. */
  noteProgress(): void {
    if (this.#relay === null) return;
    const { events } = this.master.history;
    const { percent, totalBytes } = this.#relay;
    events.progress(
      "master",
      "",
      "snapshot",
      `${percent.toFixed(0)}% of the keys walked, ${formatBytes(totalBytes)} made`,
    );
  }

  /** How many more replicas may be sent a snapshot now: `repl-max-concurrent-full-syncs`. */
  get #room(): number {
    const max = this.#host.config.value("repl-max-concurrent-full-syncs");
    if (max === 0) return Infinity;
    return Math.max(0, max - this.master.syncingCount);
  }

  /** Begins a snapshot if one is due for those that wait. */
  startDue(): void {
    const { snapshots, config, clock, isHeldByScript } = this.#host;
    if (snapshots.isSaving || snapshots.isLoading || isHeldByScript) return;
    const steadyMs = clock.monotonic();
    const waiting = this.master.inState("wait-start").filter(({ pausedUntilMs }) =>
      pausedUntilMs <= steadyMs
    );
    const room = this.#room;
    if (waiting.length === 0 || room === 0) return;
    // Those that need the same as the first one; the others have their turn after them.
    const { needs, target } = waiting[0];
    const group = waiting.filter((each) => each.needs === needs && each.target === target);
    const replicasMax = config.value("repl-diskless-sync-max-replicas");
    const waitedMs = Math.max(...group.map(({ askedMs }) => steadyMs - askedMs));
    if (
      !config.value("repl-diskless-sync") || (replicasMax > 0 && group.length >= replicasMax) ||
      waitedMs >= config.value("repl-diskless-sync-delay") * 1000
    ) this.#start(group.slice(0, room));
  }

  #start(group: AttachedReplica[]): void {
    const { log, config, keyspace } = this.#host;
    const form = this.#formFor(group);
    if (form === null) return;
    const hasEof = group.every(({ hasCapaEof }) => hasCapaEof);
    const isFiltered = group[0].needs !== 0;
    const toSockets = (config.value("repl-diskless-sync") || isFiltered) && hasEof;
    log.notice(
      `Starting BGSAVE for SYNC with target: ${toSockets ? "replicas sockets" : "disk"}`,
    );
    const remark = group[0].target === null ? replicaVersionRemark(keyspace, config) : null;
    if (remark !== null) log.warning(`${remark}: older replicas will refuse it`);
    try {
      if (toSockets) this.#startRelay(group, form);
      else this.#startDisk(group, form);
    } catch (error) {
      log.warning(
        `BGSAVE for replication failed: ${problemOf(error)}`,
      );
      for (const replica of group) replica.close("the snapshot could not begin");
    }
  }

  /**
   * What the snapshot for these replicas is to be, which then follow its history from this moment on. Null when they
   * cannot have what the dataset has become since they asked; then their links have ended.
   */
  #formFor(group: AttachedReplica[]): ReplicaForm | null {
    const { translations, ourMaster, history } = this.master;
    const { keyspace, config, log } = this.#host;
    const { target } = group[0];
    if (target === null) {
      const given = config.value("rdb-version-for-replicas");
      const version = given === "auto" ? replicaVersion(keyspace, config) : Number(given);
      for (const replica of group) replica.sentVersion = version;
      return { version, aux: null };
    }
    const unheld = translations.refusal(target);
    if (unheld !== null) {
      log.warning(`No snapshot for ${target.name} can be made: ${unheld}`);
      for (const replica of group) replica.close(unheld);
      return null;
    }
    const database = ourMaster.isFollowing ? ourMaster.database : keyspace.stream.database;
    const translation = translations.historyFor(target, database);
    translation.beginHere();
    if (translation.isOver || history.backlog === null) return null;
    for (const replica of group) {
      replica.translation = translation;
      replica.sentVersion = target.rdbVersion;
    }
    return { version: target.rdbVersion, aux: translation.aux };
  }

  // -- over the socket -------------------------------------------------------------------

  #startRelay(group: AttachedReplica[], form: ReplicaForm): void {
    const { host } = this.master;
    const { offset } = this.master.historyOf(group[0]);
    const transfer = new RelayTransfer(
      randomId(host.runtime.fillRandom),
      () => host.clock.monotonic(),
      group.some(({ isRdbOnly }) => isRdbOnly),
    );
    const wake = () => {
      for (const replica of group) replica.client.transport.wake();
    };
    transfer.onMore = wake;
    transfer.onFailed = (failure) => {
      for (const replica of group) {
        if (replica.payload === null) continue;
        host.log.warning("SYNC failed. BGSAVE child returned an error");
        replica.close(`the snapshot failed: ${failure}`);
      }
    };
    if (group[0].excludesData) {
      const { excludesFunctions } = group[0];
      new EmptySnapshot(host).sendTo(transfer, this.master.snapshotAux(), !excludesFunctions);
    } else {
      this.#relay = transfer;
      transfer.begun(host.snapshots.startRelay({
        onBytes: (chunk, length) => transfer.onBytes(chunk, length),
        onEnd: (failure) => {
          this.#relay = null;
          if (failure === null) {
            host.log.notice(
              `Diskless rdb transfer, done reading from pipe, ${transfer.receiverCount} replicas ` +
                "still up.",
            );
            host.log.notice("Background RDB transfer terminated with success");
          } else host.log.warning(`Background transfer error: ${failure}`);
          transfer.onEnd(failure);
        },
        isFull: () => transfer.isFull(),
        compresses: () => transfer.compresses(),
      }, form));
      host.log.notice(`Background RDB transfer started by pid ${host.runtime.process.id}`);
    }
    for (const replica of group) {
      this.#begin(replica, offset);
      replica.onPayloadSent = () => this.master.payloadSent(replica, true);
      replica.give(transfer.receiver());
    }
  }

  // -- over the disk ----------------------------------------------------------------------

  #startDisk(group: AttachedReplica[], form: ReplicaForm): void {
    const { host } = this.master;
    const { target, translation, sentVersion } = group[0];
    const { offset } = this.master.historyOf(group[0]);
    host.snapshots.startBackground(form);
    this.#disk = {
      target,
      translation,
      version: sentVersion,
      isKept: form.aux === null,
      offset,
      hasCapaEof: group.every(({ hasCapaEof }) => hasCapaEof),
      hasCapaPsync2: group.every(({ hasCapaPsync2 }) => hasCapaPsync2),
    };
    for (const replica of group) this.#begin(replica, offset);
  }

  #diskEnded(failure: string | null, path: string): void {
    const { log, runtime } = this.#host;
    if (this.#disk === null) return;
    const { isKept } = this.#disk;
    this.#disk = null;
    for (const replica of this.master.inState("wait-end")) {
      if (replica.payload !== null) continue; // what is left of a relayed one
      if (failure !== null) {
        log.warning("SYNC failed. BGSAVE child returned an error");
        replica.close(`the snapshot failed: ${failure}`);
        continue;
      }
      try {
        const transfer = new FileTransfer(
          runtime.files,
          path,
          () => replica.client.transport.wake(),
          (problem) => {
            log.warning(`Read error sending DB to replica: ${problem}`);
            replica.close(`cannot read the snapshot: ${problem}`);
          },
        );
        replica.state = "send-bulk";
        replica.onPayloadSent = () => this.master.payloadSent(replica, false);
        replica.give(transfer);
        this.master.note(
          replica,
          "full-sync",
          `sending the file, ${formatBytes(transfer.totalBytes)}`,
        );
      } catch (error) {
        const problem = problemOf(error);
        log.warning(`SYNC failed. Can't open/stat DB after BGSAVE: ${problem}`);
        replica.close(`cannot open the snapshot: ${problem}`);
      }
    }
    if (!isKept) removeIfThere(runtime.files, path);
  }

  // -- both -----------------------------------------------------------------------------------

  /**
   * The snapshot for this replica is that of `offset`: from there on the stream is kept for it. That
   * is now, or when it began for `first`.
   */
  #begin(replica: AttachedReplica, offset: number, first: AttachedReplica | null = null): void {
    const { host } = this.master;
    const { id, backlog } = this.master.historyOf(replica);
    replica.state = "wait-end";
    if (!replica.isRdbOnly) {
      replica.cursor = first?.cursor?.copy() ?? backlog!.cursor(offset);
    }
    // The replica does not know which database is selected.
    host.keyspace.stream.reselect();
    if (!replica.isOld) replica.say(`+FULLRESYNC ${id} ${offset}\r\n`);
    this.master.note(replica, "full-sync", `the snapshot of offset ${offset} has begun`);
  }

  /** A replica has gone: a snapshot that nobody waits for any more is given up. */
  left(): void {
    const { log, snapshots, config } = this.#host;
    if (this.#relay !== null && this.#relay.receiverCount === 0) {
      const relay = this.#relay;
      this.#relay = null;
      log.notice("Diskless rdb transfer, last replica dropped, killing fork child.");
      relay.abort();
      return;
    }
    if (this.#disk === null || (this.#disk.isKept && config.value("save").length > 0)) return;
    if (this.master.inState("wait-end").some(({ payload }) => payload === null)) return;
    this.#disk = null;
    snapshots.abortBackground();
  }
}
