/**
 * We as a master: serves the replicas that are attached, from the handshake to the stream.
 *
 * Each has its AttachedReplica from its first REPLCONF on; it is one of `#replicas` from PSYNC on.
 * What it is sent when lies there and in full_sync.ts, who may go on partially in partial_sync.ts, and who
 * has been silent for too long in replica_watch.ts; here is the rest: who is told of new bytes of the stream, who has
 * acknowledged what, and who counts as good. The same code serves while we follow a master ourselves: then ids,
 * offsets and the stream are that master's.
 */

import type { Values } from "../config/config.ts";
import type { Backlog } from "../propagation/backlog.ts";
import { AttachedReplica, type ReplicaState } from "./attached_replica.ts";
import type { TranslatedHistory } from "./bridge/translated_history.ts";
import { Translations } from "./bridge/translations.ts";
import { Refusals } from "./bridge/refusals.ts";
import { UnreadableWrites } from "./bridge/unreadable_writes.ts";
import { FullSyncs } from "./full_sync.ts";
import { AUX_DIVERGED_AT, AUX_LEFT_OUT, AUX_STREAM_ERRORS } from "../rdb/persistence.ts";
import { FOR_REPLICAS } from "../propagation/write_stream.ts";
import type { History } from "./history.ts";
import type { ReplicaConnection, ReplicationHost } from "./host.ts";
import { PartialSyncs } from "./partial_sync.ts";
import { ReplicaWatch, secondsBetween } from "./replica_watch.ts";
import { WriterThrottle } from "./writer_throttle.ts";
import { formatBytes } from "../observe/bytes_for_people.ts";

export const NO_MASTER_LINK = "NOMASTERLINK Can't SYNC while not connected with my master";
const HANDING_OVER = "NOMASTERLINK Can't SYNC while failing over";

/** What serving replicas has to know of a master of ours. */
export interface OurMaster {
  /** Whether there is one (reached or not). */
  readonly isFollowing: boolean;
  readonly isLinkUp: boolean;
  /** Database that its stream has selected; -1 when not known. */
  readonly database: number;
  /** What of its commands has failed here since its dataset was taken over. */
  readonly divergence: {
    readonly errors: number;
    readonly offset: number;
    readonly leftOut: number;
  };
}

/** A history as a replica is told of it. */
export interface HistoryForReplica {
  readonly id: string;
  readonly backlog: Backlog | null;
  readonly offset: number;
}

/** What replicas are asked to acknowledge with, at once. */
const GETACK = ["REPLCONF", "GETACK", "*"];

export class MasterRole {
  readonly #replicas = new Set<AttachedReplica>();
  readonly #syncs: FullSyncs;
  readonly #partials: PartialSyncs;
  readonly #watch: ReplicaWatch;
  readonly throttle: WriterThrottle;
  /** The histories that older servers follow in place of ours. */
  readonly translations: Translations;
  /** What those cannot read who follow ours. */
  readonly unreadable: UnreadableWrites;
  /**
   * Whether the replicas know that there is more of the stream, so that nobody has to be woken when it
   * grows: they are being sent what came before and ask for more by themselves, or they will be woken
   * when the turn is over.
   */
  #knowOfMore = false;
  #asksAcks = false;
  #lastSecond = 0;
  #goodCount = 0;
  /** FAILOVER is under way: nobody is synchronized, and nothing enters the stream. */
  isHandingOver = false;
  readonly #refusals = new Refusals();
  /** Called when a replica has acknowledged more than before. */
  onAcknowledged: () => void = () => {};
  readonly #lag: Values<"min-replicas-max-lag">;

  constructor(
    readonly host: ReplicationHost,
    readonly history: History,
    readonly ourMaster: OurMaster,
  ) {
    this.#syncs = new FullSyncs(this);
    this.#partials = new PartialSyncs(this);
    this.#watch = new ReplicaWatch(this, this.#replicas);
    this.throttle = new WriterThrottle(host, history, this.#replicas);
    this.unreadable = new UnreadableWrites(host, history, this.#replicas, {
      feed: (...commands) => this.addForReplicas(...commands),
      lacks: (replica, what) => this.#partials.noteUnsound(replica, what),
    });
    this.translations = new Translations(host, history, {
      grew: () => this.streamGrew(),
      broke: (translation, why) => this.#translationBroke(translation, why),
    });
    this.#lastSecond = Math.floor(host.clock.monotonic() / 1000);
    this.#lag = host.config.onChange(["min-replicas-max-lag"], () => this.#countGood());
    host.config.onChange(["rdb-version", "rdb-version-for-replicas"], () => this.#endPauses());
  }

  // -- the handshake --------------------------------------------------------------------

  /** What is known of this client as a replica, or as one to be. */
  stateOf(client: ReplicaConnection): AttachedReplica {
    client.replicaState ??= new AttachedReplica(client, this.host.clock);
    return client.replicaState as AttachedReplica;
  }

  /**
   * PSYNC: `id` is "?" or a replication id, `wanted` the number of the first byte that is wanted, NaN
   * when it was not a number; null and 0 for SYNC. Returns the error to answer, null when all is well.
   */
  psync(client: ReplicaConnection, id: string | null, wanted: number): string | null {
    const { host, history, ourMaster } = this;
    const { log, statistics, clock, config } = host;
    if (client.isReplica) return null;
    if (this.isHandingOver) return HANDING_OVER;
    if (ourMaster.isFollowing && !ourMaster.isLinkUp) return NO_MASTER_LINK;
    const replica = this.stateOf(client);
    if (client.reply.pendingBytes > 0 && !replica.hasCapaEarlyPsync) {
      return "ERR SYNC and PSYNC are invalid with pending output";
    }
    if (replica.needs !== 0 && !replica.hasCapaEof) {
      return "ERR Filtered replica requires EOF capability";
    }
    log.notice(`Replica ${replica.name} asks for synchronization`);
    if (Number.isNaN(wanted)) {
      log.warning(`Replica ${replica.name} asks for synchronization but with a wrong offset`);
      return "ERR value is not an integer or out of range";
    }
    if (id === null) replica.isOld = true;
    else {
      replica.translation = this.translations.withId(id);
      replica.target = replica.translation?.target ?? this.translations.targetFor(replica);
      const refusal = this.#partials.refusal(replica, id, wanted);
      if (refusal === null) {
        statistics.partialSyncs++;
        this.#attach(replica);
        this.#partials.begin(replica, wanted);
        this.#countGood();
        return null;
      }
      this.note(replica, "refused", refusal);
      if (!id.startsWith("?")) statistics.partialSyncsRefused++;
    }
    this.translations.lookAtReturn(replica);
    const unsayable = this.#targetAgain(replica);
    if (unsayable !== null) return unsayable;
    statistics.fullSyncs++;
    replica.askedMs = clock.monotonic();
    const pauseMs = this.translations.pauseOf(replica);
    if (pauseMs > 0) replica.pausedUntilMs = replica.askedMs + pauseMs;
    replica.state = "wait-start";
    this.#attach(replica);
    if (config.value("repl-disable-tcp-nodelay")) client.transport.setNoDelay?.(false);
    if (history.backlog === null) {
      // Offsets were not counted so far: what has the present id may be of any content.
      const { ids } = history;
      ids.renew();
      history.createBacklog();
      host.historyBegan();
      log.notice(
        `Replication backlog created, my new replication IDs are '${ids.id}' and '${ids.secondId}'`,
      );
      history.events.add("self", "", "backlog-created", `replication id ${ids.id}`);
    }
    this.#syncs.request(replica);
    return null;
  }

  /**
   * Whom the replica is to be spoken to as, now that it is to have all there is. Answers an error when it cannot have all
   * of that (logged). Servers since 7.0 that are answered anything but what they take for a passing state ask again
   * at once, a thousand times a second.
   */
  #targetAgain(replica: AttachedReplica): string | null {
    const { translations, host: { log, clock } } = this;
    const target = replica.target = translations.targetFor(replica);
    replica.translation = null;
    const unheld = target === null
      ? this.unreadable.fullRefusal(replica)
      : translations.refusal(target);
    if (unheld === null) {
      this.#refusals.taken(replica.name);
      return null;
    }
    if (this.#refusals.isNews(replica.name, unheld, clock.monotonic())) {
      const taken = target === null
        ? ""
        : `. It is taken for ${target.name}: see rdb-version-for-replicas`;
      log.warning(
        `Replica ${replica.name} is refused, as it cannot have all of the data: ${unheld}${taken}`,
      );
      this.note(replica, "refused", unheld);
    }
    return replica.hasCapaPsync2 && !replica.isOld ? `NOMASTERLINK ${unheld}` : `ERR ${unheld}`;
  }

  /** Nobody can be told any more in these terms what happens here. */
  #translationBroke(translation: TranslatedHistory, why: string): void {
    const text = `what happens cannot be told to ${translation.target.name}: ${why}`;
    for (const replica of [...this.#replicas]) {
      if (replica.translation !== translation) continue;
      this.host.log.warning(
        `Replica ${replica.name} has to synchronize anew: ${text}`,
      );
      replica.close(text);
    }
  }

  /** Snapshots are another matter from now on: who waits as it has refused those of before asks again. */
  #endPauses(): void {
    this.translations.endPauses();
    for (const replica of this.inState("wait-start")) {
      if (replica.pausedUntilMs > 0) replica.close("other snapshots are sent from now on");
    }
  }

  #attach(replica: AttachedReplica): void {
    replica.onIdle = () => this.#knowOfMore = false;
    this.#replicas.add(replica);
    this.unreadable.attached(replica);
    replica.client.becomeReplica(replica);
  }

  /** The history that a replica follows: ours, or a translated one. */
  historyOf({ translation }: AttachedReplica): HistoryForReplica {
    if (translation !== null) return translation;
    const { ids: { id }, backlog, offset } = this.history;
    return { id, backlog, offset };
  }

  /** A replica has been sent its snapshot, `toSocket` as it was made or else as a file. */
  payloadSent(replica: AttachedReplica, toSocket: boolean): void {
    const { log, clock } = this.host;
    const amount = formatBytes(replica.payloadBytes);
    if (toSocket) {
      log.notice(
        `Streamed replica with replica ${replica.name} succeeded (socket). Waiting for REPLCONF ACK ` +
          "from replica to enable streaming",
      );
    }
    if (replica.isRdbOnly) {
      log.notice(
        `RDB transfer completed, rdb only replica (${replica.name}) should be disconnected asap`,
      );
      replica.close(`it asked for the snapshot only, and has it: ${amount}`);
      return;
    }
    this.#partials.fullySynced(replica);
    replica.state = "online";
    replica.ackMs = clock.monotonic();
    // An acknowledgement that came while the end was on its way counts.
    replica.waitsForAck = toSocket && !replica.hasAckedEnd;
    log.notice(`Synchronization with replica ${replica.name} succeeded`);
    this.note(replica, "online", `the snapshot has been sent, ${amount}`);
    this.#countGood();
    replica.client.transport.wake();
  }

  // -- the stream -----------------------------------------------------------------------------

  /** The stream of writes has grown: replicas are to be sent what is new once the turn is over. */
  streamGrew(): void {
    this.throttle.grew();
    this.unreadable.grew();
    if (this.#knowOfMore || this.#replicas.size === 0) return;
    this.#knowOfMore = true;
    this.host.runtime.timers.soon(this.#wakeReplicas);
  }

  readonly #wakeReplicas = (): void => {
    if (!this.isHandingOver) this.unreadable.look();
    for (const replica of this.#replicas) {
      const { transport } = replica.client;
      if (replica.isStreaming && !transport.isWriting) transport.wake();
    }
  };

  /** REPLCONF ACK; `synced` is the offset of FACK, NaN for none. */
  acknowledge(client: ReplicaConnection, offset: number, synced: number): void {
    if (!client.isReplica) return;
    const replica = this.stateOf(client);
    const { translation } = replica;
    replica.ackMs = this.host.clock.monotonic();
    if (offset > this.historyOf(replica).offset && this.#endAhead(replica, offset)) return;
    if (this.unreadable.holdsBack(replica, offset)) return;
    const ours = Math.min(translation?.oursAt(offset) ?? offset, this.history.offset);
    const oursSynced = translation?.oursAt(synced) ?? synced;
    if (!replica.hasAcknowledged) this.translations.loaded(replica);
    const isNews = ours > replica.ackOffset || oursSynced > replica.syncedOffset ||
      !replica.hasAcknowledged;
    replica.hasAcknowledged = true;
    if (ours > replica.ackOffset) replica.ackOffset = ours;
    if (synced >= 0) replica.hasSynced = true;
    if (oursSynced > replica.syncedOffset) replica.syncedOffset = oursSynced;
    if (replica.waitsForAck) {
      replica.waitsForAck = false;
      this.note(replica, "streaming", `it has acknowledged offset ${offset}`);
      replica.client.transport.wake();
    } else if (replica.payload !== null && replica.payload.isAtEnd) replica.hasAckedEnd = true;
    if (!isNews) return;
    const { history } = this;
    // What is said of a stream that is not there yet is no place in ours.
    if (ours <= history.offset && ours > history.acknowledgedOffset) {
      history.acknowledgedOffset = ours;
    }
    this.host.acknowledged();
    this.onAcknowledged();
  }

  /**
   * A replica has acknowledged more than there is: bytes have come into its stream on the way, or twice, and it may
   * have carried them out. Its link is ended, to begin again with a full sync. Returns false for one that is no
   * server, by what it has told of itself, and may count as it likes.
   */
  #endAhead(replica: AttachedReplica, offset: number): boolean {
    if (replica.state !== "online" || !replica.hasCapaPsync2) return false;
    if (replica.closeCause !== "") return true;
    const { offset: ours } = this.historyOf(replica);
    const what = `offset ${offset}, ${formatBytes(offset - ours)} beyond all that was written here`;
    this.host.log.warning(
      `Replica ${replica.name} acknowledges ${what} (${ours}): what it was sent has been changed on the way. ` +
        "Its link is ended, and it has to take the whole dataset",
    );
    this.#partials.noteUnsound(replica, "has acknowledged more than was ever written here");
    replica.close(`it acknowledged ${what}`);
    return true;
  }

  /** Asks all replicas what they have, once for all that ask for it in this turn. */
  requestAcks(): void {
    if (this.#asksAcks) return;
    this.#asksAcks = true;
    this.host.runtime.timers.soon(() => {
      this.#asksAcks = false;
      // While the stream is to stand still, they tell of themselves once a second.
      if (this.isHandingOver) return;
      this.unreadable.look();
      this.ask();
    });
  }

  /** Asks all replicas at once. */
  ask(): void {
    this.addForReplicas(GETACK);
  }

  /**
   * Puts something into the stream that has to do with no database, several commands as a transaction. Answers false
   * where there is nobody to read it, or the stream is not ours to write.
   */
  addForReplicas(...commands: string[][]): boolean {
    const { stream } = this.host.keyspace;
    if (this.#replicas.size === 0 || this.ourMaster.isFollowing) return false;
    stream.unit(() =>
      stream.limited(FOR_REPLICAS, () => {
        for (const words of commands) stream.add(stream.database, words);
      })
    );
    return true;
  }

  /**
   * Replicas that have acknowledged everything up to `offset`. That is 0 for what was written before
   * there was a backlog: also then a replica has it only when it has said that it has loaded.
   */
  acknowledgedCount(offset: number): number {
    let count = 0;
    for (const replica of this.#replicas) if (replica.hasAll(offset)) count++;
    return count;
  }

  /** Replicas that have told that everything up to `offset` is on their disk. */
  syncedCount(offset: number): number {
    let count = 0;
    for (const { state, hasSynced, syncedOffset } of this.#replicas) {
      if (state === "online" && hasSynced && syncedOffset >= offset) count++;
    }
    return count;
  }

  // -- the end of links ------------------------------------------------------------------------

  /** Ends the links of all replicas: they have to ask again (our history has another name, or is another). */
  disconnectAll(why: string): void {
    for (const replica of [...this.#replicas]) replica.close(why);
  }

  /**
   * Clients' data cannot be written to the disk, where room is taken by what replicas have not been sent: that is given
   * up, with the links that need it.
   */
  makeRoomOnDisk(): void {
    const spilledTo = this.history.stopSpilling();
    const translatedTo = this.translations.stopSpilling();
    for (const replica of [...this.#replicas]) {
      const { cursor, translation } = replica;
      const neededTo = translation === null ? spilledTo : translatedTo.get(translation) ?? -1;
      if (cursor === null || cursor.offset >= neededTo) continue;
      this.host.log.warning(
        `Replica ${replica.name} is dropped: what it has not been sent takes room on a disk that is full`,
      );
      replica.close("what it had not been sent took room on a disk that is full");
    }
  }

  /** The connection of a replica has ended. */
  closed(client: ReplicaConnection): void {
    const replica = this.stateOf(client);
    if (!this.#replicas.delete(replica)) return;
    this.unreadable.left(replica);
    this.#knowOfMore = false; // it may have been the one that was to ask for more
    const { log } = this.host;
    log.notice(`Connection with replica ${replica.name} lost.`);
    const cause = replica.closeCause || client.closeCause || "the replica closed it, or it broke";
    this.note(replica, "closed", `${cause} (${this.#progressOf(replica)})`);
    this.translations.left(replica);
    replica.drop();
    this.#syncs.left();
    if (this.#replicas.size === 0) this.#watch.noteNoReplicas();
    this.#countGood();
  }

  /** How far a replica has come, in words. */
  #progressOf(replica: AttachedReplica): string {
    const { state, payloadBytes, ackOffset, cursor } = replica;
    switch (state) {
      case "wait-start":
        return "it was waiting for a snapshot";
      case "wait-end":
      case "send-bulk":
        return `of the snapshot ${formatBytes(payloadBytes)} had gone`;
      default:
        return `acknowledged ${ackOffset} of ${this.history.offset}, ` +
          `${formatBytes(cursor?.behindBytes ?? 0)} had not been sent`;
    }
  }

  /** Keeps an event of the link to this replica. */
  note(replica: AttachedReplica, event: string, detail: string): void {
    this.history.events.add("master", replica.name, event, detail);
  }

  // -- what others ask --------------------------------------------------------------------------

  /** Attached replicas in this state, in order of their arrival. */
  inState(state: ReplicaState): AttachedReplica[] {
    return [...this.#replicas].filter((replica) => replica.state === state);
  }

  /** How many are being sent a snapshot, or have not said yet that they have it. */
  get syncingCount(): number {
    let count = 0;
    for (const { state, waitsForAck } of this.#replicas) {
      if (state === "wait-end" || state === "send-bulk" || (state === "online" && waitsForAck)) {
        count++;
      }
    }
    return count;
  }

  /** Replicas that are in step well enough for `min-replicas-to-write`. */
  get goodCount(): number {
    return this.#goodCount;
  }

  /** The attached replica with this address, as it announces it or as the connection shows it. */
  findReplica(host: string, port: number): AttachedReplica | null {
    const asked = host.toLowerCase();
    for (const replica of this.#replicas) {
      if (replica.ip.toLowerCase() === asked && replica.listeningPort === port) return replica;
    }
    return null;
  }

  /** A replica that has acknowledged everything up to `offset`, the first that came. */
  caughtUp(offset: number): AttachedReplica | null {
    for (const replica of this.#replicas) if (replica.hasAll(offset)) return replica;
    return null;
  }

  /** Attached replicas. */
  get count(): number {
    return this.#replicas.size;
  }

  /** All attached replicas: who they are and what they have acknowledged. */
  attachedReplicas(): { name: string; ackOffset: number; lagSeconds: number; state: string }[] {
    const steadyMs = this.host.clock.monotonic();
    return [...this.#replicas].map((replica) => ({
      name: replica.name,
      ackOffset: replica.ackOffset,
      lagSeconds: lagOf(replica, steadyMs),
      state: shownState(replica),
    }));
  }

  /** The replicas that ROLE names. */
  onlineReplicas(): { ip: string; port: number; ackOffset: number }[] {
    return this.inState("online").map(({ ip, listeningPort, ackOffset }) => ({
      ip,
      port: listeningPort,
      ackOffset,
    }));
  }

  infoFields(steadyMs: number): [name: string, value: string | number][] {
    const { config } = this.host;
    const fields: [string, string | number][] = [["connected_slaves", this.#replicas.size]];
    if (config.value("min-replicas-to-write") > 0 && config.value("min-replicas-max-lag") > 0) {
      fields.push(["min_slaves_good_slaves", this.#goodCount]);
    }
    let index = 0;
    for (const replica of this.#replicas) {
      const { ip, listeningPort, ackOffset } = replica;
      fields.push([
        `slave${index++}`,
        `ip=${ip},port=${listeningPort},state=${shownState(replica)},offset=${ackOffset},` +
        `lag=${lagOf(replica, steadyMs)}`,
      ]);
    }
    return fields;
  }

  // -- time ---------------------------------------------------------------------------------------

  /** From now on counts `repl-backlog-ttl`, if there is no replica. */
  noteNoReplicas(): void {
    this.#watch.noteNoReplicas();
  }

  tick(steadyMs: number): void {
    this.#syncs.startDue();
    const second = Math.floor(steadyMs / 1000);
    if (second === this.#lastSecond) return;
    this.#lastSecond = second;
    this.#watch.look(steadyMs);
    this.#syncs.noteProgress();
    if (!this.isHandingOver) this.unreadable.look();
    this.translations.tick(steadyMs, (each) => this.#isFollowed(each));
    this.#countGood();
  }

  #isFollowed(translation: TranslatedHistory): boolean {
    for (const replica of this.#replicas) if (replica.translation === translation) return true;
    return false;
  }

  #countGood(): void {
    const { host } = this;
    const lagMax = this.#lag["min-replicas-max-lag"];
    const steadyMs = host.clock.monotonic();
    let count = 0;
    for (const { state, ackMs } of this.#replicas) {
      if (state === "online" && secondsBetween(ackMs, steadyMs) <= lagMax) count++;
    }
    if (count === this.#goodCount) return;
    this.#goodCount = count;
    host.replicationChanged();
  }

  /** Aux fields of a snapshot taken now: with them a restarted server can go on partially. */
  snapshotAux(): (readonly [string, string | number])[] {
    const { ids, backlog, offset } = this.history;
    if (backlog === null) return [];
    const { isFollowing, database, divergence } = this.ourMaster;
    const selected = isFollowing ? database : this.host.keyspace.stream.database;
    const aux: [string, number][] = [];
    if (isFollowing && divergence.errors > 0) aux.push([AUX_STREAM_ERRORS, divergence.errors]);
    if (isFollowing && divergence.offset >= 0) aux.push([AUX_DIVERGED_AT, divergence.offset]);
    if (isFollowing && divergence.leftOut > 0) aux.push([AUX_LEFT_OUT, divergence.leftOut]);
    return [
      ...aux,
      ["repl-stream-db", Math.max(0, selected)],
      ["repl-id", ids.id],
      ["repl-offset", offset],
    ];
  }

  close(): void {
    this.disconnectAll("the server ends");
    this.translations.close();
  }
}

/** A state as INFO and the log call it. */
function shownState({ state }: AttachedReplica): string {
  if (state === "online") return "online";
  return state === "send-bulk" ? "send_bulk" : "wait_bgsave";
}

/** Seconds since its last acknowledgement; 0 for one that has nothing to acknowledge yet. */
function lagOf({ state, ackMs }: AttachedReplica, steadyMs: number): number {
  return state === "online" ? secondsBetween(ackMs, steadyMs) : 0;
}
