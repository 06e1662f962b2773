/**
 * We as a replica: whom we follow, when a link is tried again, and whether a dataset may take the
 * place of ours. The link itself is master_link.ts.
 *
 *     follow() / begin()+connectSoon() ──► link ──► up ──► ended ──► a while ──► link ──► …
 *                                             └──────► ended ──────────┘
 *     stop(): no master; what was applied so far is ours, under a history of its own
 *
 * A link that was up is sought again at once, as Redis does; one that did not get that far after a while that
 * grows to about a second, and so is one that was lost right after a full sync, or time and again as soon as it
 * was up: what cuts it would have us ask without end. Where a full sync has failed for what the snapshot holds
 * (a kind of value that is not known here, damage), the next one is likely to fail too, and each costs the
 * master a whole snapshot: so the pauses grow to a minute, until a sync succeeds or a person says REPLICAOF. Of
 * tries that fail alike before the master has given anything the log tells once, however often they repeat: a
 * full sync, or a link that was up, is news each time.
 */

import { oneLine } from "../base/printable.ts";
import { formatBytes } from "../observe/bytes_for_people.ts";
import type { LoadedReplication } from "../rdb/persistence.ts";
import type { LeftOut } from "../rdb/left_out.ts";
import type { ReplicaLoad } from "../rdb/replica_load.ts";
import type { Timer, Timers } from "../runtime/runtime.ts";
import { DivergedTail } from "./diverged_tail.ts";
import { Divergence } from "./divergence.ts";
import { judge, keysEnoughToRefuse, livingKeys } from "./guard.ts";
import type { Haste } from "./handshake.ts";
import type { History } from "./history.ts";
import type { ReplicationHost } from "./host.ts";
import type { OurMaster } from "./master_role.ts";
import { masterUptime } from "./master_uptime.ts";
import { ringAbove } from "./replica_ring.ts";
import {
  type HandOver,
  LinkFailure,
  type LinkOwner,
  type LinkState,
  MasterLink,
} from "./master_link.ts";

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 1000;
/** After tries that have failed for what the snapshot, or the stream, holds. */
const CONTENT_RETRY_MS_MIN = 1000;
const CONTENT_RETRY_MS_MAX = 60_000;
/** So many tries in a row that have failed for the same: what is tried from then on is told of no more. */
const SILENT_AFTER = 2;
/** Tries in a row that have found a master without one of its own, before a ring is looked for. */
const RING_TRIES = 3;
/** Between two looks: each asks all servers above. */
const RING_LOOK_MS_MIN = 1000;
const RING_LOOK_MS_MAX = 60_000;
/** The same ring is told of again after so long. */
const RING_TOLD_MS = 600_000;
/** Streams that could not be trusted so soon after one another are the same trouble. */
const FORGOTTEN_WITHIN_MS = 600_000;
/** Between the tries of a replica that guards its data: each is a full sync for the master. */
const GUARDED_RETRY_MS = 2000;
/** If the master has some keys: each of them is sent each time. */
const GUARDED_RETRY_MS_MAX = 30_000;
/** A link that was up for less behind a full sync does not count as one that works, */
const STEADY_MS = 1000;
/** behind a partial sync for less than this; but what is sought again at once is also the first such one. */
const PARTIAL_STEADY_MS = 100;

/** Our own replicas, as following a master changes their lot. */
export interface OwnReplicas {
  /** They have to ask again: our history has another name, or is another. */
  historyChanged(why: string): void;
  /** We are a master from now on. */
  becameMaster(): void;
}

export class ReplicaRole implements LinkOwner, OurMaster {
  /** Whom we follow; null for a master. */
  masterHost: string | null = null;
  masterPort = 0;
  /** Whether an empty dataset, or nearly so, of a master that has lost its own was refused. */
  isGuarded = false;
  /** Keys of it, of the latest, and how often in a row it has had some. */
  #keysRefused = 0;
  #someRefused = 0;
  /** OurMaster: what of its stream has failed here. */
  readonly divergence = new Divergence();
  /** LinkOwner: what only we have, where a new master takes our place. */
  readonly tail: DivergedTail;
  /** Whether our history and offset are such that a master may know them. */
  #isHistoryKnown = false;
  /** The link that is being made is to bring a full sync, as ours has parted from the master's dataset. */
  #isHealing = false;
  /** The latest link to this master was up, and it takes PSYNC early. */
  #isMasterKnown = false;
  #takesEarlyPsync = false;
  /** LinkOwner: set while we ask whom we follow to take over. */
  handOver: HandOver | null = null;
  #link: MasterLink | null = null;
  /** Database selected in the stream where the latest link ended; -1 when not known. */
  #database = -1;
  /** Our own dataset has been loaded: a master may be sought. */
  #isReady = false;
  #isClosed = false;
  readonly #timers: Timers;
  #retry: Timer | null = null;
  /** Tries in a row that have failed, and what the latest failed with. */
  #failures = 0;
  /** Of these the latest, if they have failed alike before a full sync has begun. */
  #futileTries = 0;
  #lastFailure = "";
  /** When a ring of replicas may be looked for next, by the monotonic clock, and how often it was since REPLICAOF. */
  #ringLookMs = -Infinity;
  #ringLooks = 0;
  /** The one that the log has told of, empty for none, and when. */
  #ringTold = "";
  #ringToldMs = -Infinity;
  /** Full syncs, since the last that succeeded, that have failed for what the snapshot holds; why the latest did. */
  #badSnapshots = 0;
  #snapshotProblem = "";
  /** When the next try begins after such a one, by the monotonic clock; 0: it is not waited for. */
  #snapshotRetryMs = 0;
  /** Since when the link is up, or down, by the monotonic clock; 0 for never. */
  #upSinceMs = 0;
  #downSinceMs = 0;
  /** A person has said whom to follow: what that master has, be it nothing, is taken. */
  #isAccepted = false;
  /** Our data are a master's, not of our own making. */
  #isOfMaster = false;
  /** The stream has selected a database that is not here: why it cannot go on, at which offset, how often in a row. */
  #stop: { why: string; offset: number; count: number } | null = null;
  /** When a stream last was not to be trusted, by the monotonic clock, and how often since it was. */
  #forgottenMs = -Infinity;
  #timesForgotten = 0;

  constructor(
    readonly host: ReplicationHost,
    readonly history: History,
    readonly ownReplicas: OwnReplicas,
  ) {
    this.#timers = host.runtime.timers;
    this.tail = new DivergedTail(host, history);
  }

  // -- whom we follow ------------------------------------------------------------------------

  /** At the start of the server: this is the master; it is not sought before the dataset is loaded. */
  begin(host: string, port: number): void {
    this.masterHost = host;
    this.masterPort = port;
  }

  /** The dataset that was loaded is of our history and offset: partial resync may be asked for. */
  resumeAt({ database, streamErrors, divergedAt, leftOut }: LoadedReplication): void {
    this.#database = database;
    this.divergence.restore(streamErrors, divergedAt, leftOut, this.host.clock.monotonic());
    this.#isHistoryKnown = true;
    this.#isOfMaster = true;
  }

  /** Seeks the master, if there is one to be followed. */
  connectSoon(): void {
    this.#isReady = true;
    if (this.masterHost === null) return;
    // The dataset may be that of a master which another has replaced while it was down.
    this.tail.expect();
    this.#announce();
    this.#connect();
  }

  /** Follows this master from now on, by the will of a person. */
  follow(host: string, port: number): void {
    const { host: server } = this;
    const wasMaster = this.masterHost === null;
    if (wasMaster) {
      // What is ours so far may be part of the other's history: it has grown out of ours, perhaps.
      this.#database = server.keyspace.stream.database;
      this.#isHistoryKnown = true;
      this.#isOfMaster = false;
    }
    this.#leave("told to follow another master");
    this.tail.expect();
    this.masterHost = host;
    this.masterPort = port;
    server.config.assign("replicaof", [host, String(port)]);
    this.#isAccepted = true;
    this.history.events.add("self", "", "replica", `told to follow ${host}:${port}`);
    server.roleChanged();
    if (wasMaster) {
      server.log.notice(
        "Before turning into a replica, using my own master parameters to synthesize a cached master: " +
          "I may be able to synchronize with the new master with just a partial transfer.",
      );
    }
    if (!this.#isReady) return;
    this.#announce();
    this.#connect();
  }

  /** Follows one of our replicas from now on, and asks it to take over. */
  handOverTo(host: string, port: number, handOver: HandOver): void {
    this.handOver = handOver;
    this.follow(host, port);
  }

  /** Becomes a master. */
  stop(): void {
    if (this.masterHost === null) return;
    const { host, history, ownReplicas } = this;
    const { ids } = history;
    this.#leave("told to be a master");
    this.masterHost = null;
    this.masterPort = 0;
    host.config.assign("replicaof", ["no", "one"]);
    this.#database = -1;
    this.#isOfMaster = false;
    this.#isAccepted = false;
    this.#downSinceMs = 0;
    this.#tellOfPromotion();
    ids.branch(history.offset);
    host.log.notice(
      `Setting secondary replication ID to ${ids.secondId}, valid up to offset: ${ids.secondOffset}. ` +
        `New replication ID is ${ids.id}`,
    );
    history.events.add("self", "", "master", `told to be one, at offset ${history.offset}`);
    // They are to learn the new id, and go on where they are.
    ownReplicas.historyChanged("we are a master now, under another replication id");
    host.roleChanged();
    host.historyBegan();
    ownReplicas.becameMaster();
  }

  /** Ends what goes on with the present master. */
  #leave(why: string): void {
    this.#timers.cancel(this.#retry);
    const link = this.#link;
    if (link !== null) {
      this.#link = null;
      const wasUp = link.state === "connected";
      link.end(new LinkFailure(why));
      if (wasUp) this.host.log.notice("Connection with master lost.");
      this.history.events.add("replica", link.peer, "closed", `here: ${why}`);
    }
    this.isGuarded = false;
    this.#isMasterKnown = false;
    this.#someRefused = 0;
    this.#failures = 0;
    this.#futileTries = 0;
    this.#lastFailure = "";
    this.#isHealing = false;
    this.#stop = null;
    this.#ringTold = "";
    this.#ringLooks = 0;
    this.#ringLookMs = -Infinity;
    this.#forgetBadSnapshots();
  }

  /** What has failed here stays lost from now on: our dataset is the one that counts. */
  #tellOfPromotion(): void {
    const { errors, lastError, isLacking, leftOut } = this.divergence;
    if (!isLacking) return;
    const failed = errors === 0 ? "" : `, the latest: ${lastError}`;
    const without = leftOut === 0
      ? ""
      : `; ${leftOut} key(s) or libraries were left out of the full sync`;
    const what = `${errors} command(s) of the former master have failed here${failed}${without}`;
    this.host.log.warning(`This dataset is not the one that the former master had: ${what}`);
    this.history.events.add("self", "", "diverged", what);
  }

  #forgetBadSnapshots(): void {
    this.#badSnapshots = 0;
    this.#snapshotProblem = "";
    this.#snapshotRetryMs = 0;
  }

  // -- links ---------------------------------------------------------------------------------

  #announce(): void {
    this.host.log.notice(
      `Connecting to MASTER ${this.masterHost}:${this.masterPort}`,
    );
  }

  #connect(): void {
    this.#timers.cancel(this.#retry);
    this.#snapshotRetryMs = 0;
    if (this.#isClosed || this.masterHost === null || this.#link !== null) return;
    const link = new MasterLink(this.host, this.history, this, this.masterHost, this.masterPort);
    this.#link = link;
    link.run();
  }

  /** LinkOwner. */
  get wantsPartial(): boolean {
    return this.#isHistoryKnown && !this.#isHealing;
  }

  /** LinkOwner: a master that was not reached last time, or has to be asked for more, is felt for step by step. */
  get haste(): Haste {
    if (!this.#isMasterKnown || this.tail.isExpected || this.handOver !== null) return "none";
    return this.#takesEarlyPsync ? "all" : "introductions";
  }

  /** LinkOwner. */
  tookEarlyPsync(does: boolean): void {
    this.#takesEarlyPsync = does;
  }

  /** LinkOwner. */
  get isQuiet(): boolean {
    return this.isGuarded || (this.#futileTries >= SILENT_AFTER && this.#link?.state !== "sync");
  }

  /** LinkOwner. */
  historyChanged(why: string): void {
    this.ownReplicas.historyChanged(why);
  }

  /** LinkOwner. */
  stateChanged(): void {
    this.host.replicationChanged();
  }

  /** LinkOwner. */
  linkUp(link: MasterLink): void {
    const { host, history } = this;
    if (this.isGuarded) {
      this.isGuarded = false;
      this.#someRefused = 0;
      history.events.add("replica", link.peer, "unguarded", "the master has data again");
      host.log.notice("The master has data again: the guard of ours is over.");
    }
    this.#forgetBadSnapshots();
    this.#isAccepted = false;
    this.#isOfMaster = true;
    this.#isHistoryKnown = true;
    this.#isHealing = false;
    this.#isMasterKnown = true;
    this.tail.settled();
    this.#upSinceMs = host.clock.monotonic();
    this.#downSinceMs = 0;
    this.stateChanged();
  }

  /** LinkOwner. */
  synchronized(leftOut: LeftOut): void {
    const { divergence, host } = this;
    if (!leftOut.isEmpty) {
      this.history.events.add("replica", this.peer, "left-out", leftOut.summary);
    }
    if (divergence.isDiverged) {
      host.log.notice(
        "The dataset is the master's again: what has failed here does no longer count.",
      );
      this.history.events.add("replica", this.peer, "healed", "by a full sync");
    }
    divergence.ended(leftOut.count, host.clock.monotonic());
    this.#stop = null;
    this.#tellOfSize();
  }

  /** The dataset of a master may be larger than we may hold: then the log says what follows from that. */
  #tellOfSize(): void {
    const { host: { config, keyspace: { dataBytes }, log } } = this;
    const bytesMax = config.value("maxmemory");
    if (bytesMax === 0 || dataBytes <= bytesMax) return;
    const evicts = config.value("maxmemory-policy") !== "noeviction";
    const parts = evicts && !config.value("replica-ignore-maxmemory");
    log.warning(
      `The dataset of MASTER ${this.peer} takes ${formatBytes(dataBytes)}, more than maxmemory ` +
        `(${formatBytes(bytesMax)}). ` +
        (parts
          ? "As replica-ignore-maxmemory is no, keys are evicted here that the master has"
          : `It is kept whole; as a master this server would ${
            evicts ? "evict keys" : "refuse writes"
          }`),
    );
  }

  /**
   * A command of the master, null when it is not known here, has ended with this error. Returns whether the log is to
   * tell of it now.
   */
  commandFailed(command: string | null, text: string): boolean {
    const { divergence, host: { clock }, history: { events } } = this;
    const offset = this.#link?.applier?.offset ?? this.history.offset;
    const wasDiverged = divergence.isDiverged;
    const isNews = divergence.failed(command, text, offset, clock.monotonic());
    if (divergence.isDiverged && !wasDiverged) {
      events.add("replica", this.peer, "diverged", `from offset ${offset} on`);
    }
    events.again("replica", this.peer, "command-failed", divergence.lastError);
    return isNews;
  }

  /** The master's stream goes on in a database that is not here: it ends before that, and nothing is lost. */
  databaseMissing(): void {
    this.#link?.stopBefore();
  }

  /** LinkOwner. */
  get peer(): string {
    return `${this.masterHost}:${this.masterPort}`;
  }

  /** LinkOwner. */
  async takes({ keyCount }: ReplicaLoad, id: string): Promise<boolean> {
    const { host: { config, keyspace }, history: { ids } } = this;
    const asked = id.toLowerCase();
    const offer = {
      isGuardOn: config.value("replica-guard-empty-master"),
      isAccepted: this.#isAccepted,
      isOfMaster: this.#isOfMaster,
      keysHeld: this.#keysHeld,
      keysOffered: keyCount,
      isKnownHistory: asked === ids.id || asked === ids.secondId,
      percentMin: config.value("replica-guard-min-percent"),
      isGuarded: this.isGuarded,
    };
    if (judge(offer) === "take") return true;
    const enough = keysEnoughToRefuse(keyCount, offer.percentMin);
    const keysHeld = await livingKeys(keyspace.databases, enough, this.#pause);
    const verdict = judge({ ...offer, keysHeld });
    if (verdict === "take") return true;
    if (verdict === "if-restarted" && !await this.#hasRestarted()) return true;
    this.#keysRefused = keyCount;
    this.#someRefused = keyCount === 0 ? 0 : this.#someRefused + 1;
    return false;
  }

  readonly #pause = (): Promise<void> =>
    new Promise((resolve) => this.#timers.afterOthers(resolve));

  get #keysHeld(): number {
    let sum = 0;
    for (const { count } of this.host.keyspace.databases) sum += count;
    return sum;
  }

  /** Whether the master was started a short while ago; one that does not say counts as such. */
  async #hasRestarted(): Promise<boolean> {
    const { host } = this;
    const graceSeconds = host.config.value("replica-guard-grace");
    if (graceSeconds === 0) return false;
    const uptime = await masterUptime(host, this.masterHost!, this.masterPort);
    return uptime === null || uptime <= graceSeconds;
  }

  /** LinkOwner. */
  linkEnded(link: MasterLink, failure: LinkFailure): void {
    if (link !== this.#link) return;
    this.#link = null;
    const wasHealing = this.#isHealing;
    this.#isHealing = failure.more.heals === true;
    const { host, history: { events } } = this;
    const steadyMs = host.clock.monotonic();
    const wasUp = link.state === "connected";
    const isGuarded = failure.more.isGuard === true;
    const isSame = isSameTrouble(failure.message, this.#lastFailure);
    const isFutile = !wasUp && link.state !== "sync";
    if (failure.more.forgets === true) this.#isHistoryKnown = false;
    if (isGuarded) this.#guard(link.peer);
    else {
      events.add("replica", link.peer, wasUp ? "closed" : "failed", failure.message);
      const isNew = !isSame || !isFutile || failure.more.isOfContent === true;
      if (!isNew || this.isGuarded) host.log.debug(failure.message);
      else if (failure.more.level === "notice") host.log.notice(failure.message);
      else host.log.warning(failure.message);
    }
    if (wasUp) {
      this.#downSinceMs = steadyMs;
      if (failure.more.forgets !== true) host.log.notice("Caching the disconnected master state.");
    }
    this.stateChanged();
    if (this.#isClosed) return;

    this.#isMasterKnown = wasUp;
    const steadyFromMs = link.isPartial ? PARTIAL_STEADY_MS : STEADY_MS;
    const wasSteady = wasUp && steadyMs - this.#upSinceMs >= steadyFromMs;
    const isAtOnce = wasSteady || (wasUp && link.isPartial && this.#failures === 0);
    if (wasSteady) this.#failures = 0;
    else this.#failures = isSame ? this.#failures + 1 : 1;
    this.#futileTries = !isFutile ? 0 : isSame ? this.#futileTries + 1 : 1;
    this.#lastFailure = wasSteady ? "" : failure.message;
    if (this.#futileTries === SILENT_AFTER && !this.isGuarded) {
      // Else the last line would be that all is well so far.
      host.log.notice(
        `MASTER ${this.peer} is tried again about every second: the log tells when that ends otherwise`,
      );
    }
    if (failure.more.isMasterless === true && this.#failures >= RING_TRIES) {
      this.#lookForRing(steadyMs);
    }
    if (wasUp && !this.isQuiet && failure.more.isOfContent !== true) {
      host.log.notice(`Reconnecting to MASTER ${this.masterHost}:${this.masterPort}`);
    }
    const delayMs = failure.more.forgets === true
      ? this.#forgotten(steadyMs, isAtOnce)
      : failure.more.isOfContent !== true || wasHealing
      ? this.#delayMs(isAtOnce)
      : link.state === "sync"
      ? this.#badSnapshot(link.peer, failure.message)
      : this.#stopped(link.peer, failure.message);
    if (delayMs > 0) this.#retry = this.#timers.after(delayMs, () => this.#connect());
    else this.#timers.soon(() => this.#connect());
  }

  /** A full sync has failed for what the snapshot holds: returns how long to wait before the next. */
  #badSnapshot(peer: string, why: string): number {
    const { host, history: { events } } = this;
    const delayMs = contentPauseMs(this.#badSnapshots);
    this.#badSnapshots++;
    this.#snapshotProblem = oneLine(why);
    this.#snapshotRetryMs = host.clock.monotonic() + delayMs;
    const seconds = delayMs / 1000;
    host.log.warning(
      `The dataset of MASTER ${peer} cannot be taken over (${this.#badSnapshots} in a row): the next full ` +
        `sync is tried in ${seconds} seconds, or at once with REPLICAOF ${this.masterHost} ${this.masterPort}`,
    );
    events.again("replica", peer, "waiting", `the next full sync is tried in ${seconds} seconds`);
    return delayMs;
  }

  /** The stream is not to be trusted, a full sync follows: returns how long to wait before that. */
  #forgotten(steadyMs: number, isAtOnce: boolean): number {
    this.#timesForgotten = steadyMs - this.#forgottenMs < FORGOTTEN_WITHIN_MS
      ? this.#timesForgotten + 1
      : 0;
    this.#forgottenMs = steadyMs;
    if (this.#timesForgotten === 0) return this.#delayMs(isAtOnce);
    return contentPauseMs(this.#timesForgotten - 1);
  }

  /** The stream goes on with what is not here: returns how long to wait before it is asked for again. */
  #stopped(peer: string, why: string): number {
    const { host, history: { events, offset } } = this;
    const count = this.#stop?.offset === offset ? this.#stop.count + 1 : 1;
    this.#stop = { why: oneLine(why), offset, count };
    const delayMs = contentPauseMs(count - 1);
    const what = `the stream of the master is asked for again in ${delayMs / 1000} seconds`;
    host.log.warning(`Nothing behind offset ${offset} is applied (${count} in a row): ${what}`);
    events.again("replica", peer, "waiting", what);
    return delayMs;
  }

  /**
   * The master waits for one of its own, or is silent, as nobody sends signs of life but who leads: whether that goes
   * round in a ring, the log is to tell.
   */
  async #lookForRing(steadyMs: number): Promise<void> {
    if (steadyMs < this.#ringLookMs) return;
    this.#ringLookMs = steadyMs +
      Math.min(RING_LOOK_MS_MAX, RING_LOOK_MS_MIN * 2 ** Math.min(10, this.#ringLooks++));
    const { host, peer, history: { events } } = this;
    const ring = await ringAbove(host, this.masterHost!, this.masterPort);
    if (ring === null || this.#isClosed || peer !== this.peer) return;
    const path = `this server follows ${ring.join(", which follows ")}`;
    if (path === this.#ringTold && steadyMs - this.#ringToldMs < RING_TOLD_MS) return;
    this.#ringTold = path;
    this.#ringToldMs = steadyMs;
    const what = `A ring of replicas without a master: ${path}`;
    events.add("replica", peer, "ring", what);
    host.log.warning(
      `${what}. Nobody takes writes and nothing is synchronized, until one of them is told REPLICAOF NO ONE. ` +
        "The data here are kept",
    );
  }

  /** How long to wait before the next try. */
  #delayMs(isAtOnce: boolean): number {
    if (isAtOnce) return 0;
    const { draw } = this.host;
    const usual = this.isGuarded
      ? Math.min(GUARDED_RETRY_MS_MAX, GUARDED_RETRY_MS * 2 ** Math.max(0, this.#someRefused - 1))
      : Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(10, this.#failures - 1));
    return usual * (0.75 + draw() / 2);
  }

  /** The data are kept although the master has none, or hardly any. */
  #guard(peer: string): void {
    if (this.isGuarded) return;
    this.isGuarded = true;
    const { host, history: { events } } = this;
    const keys = this.#keysRefused;
    const few = keys === 0
      ? "without a key"
      : `with no more than ${keys} of ${this.#keysHeld} keys`;
    const what = `the master has come back ${few} and with an unknown replication id`;
    events.add("replica", peer, "guarded", `${what}; our data are kept`);
    host.log.warning(
      `replica-guard-empty-master: ${what}. Our data are kept and served read-only, and the master is ` +
        `looked at again every few seconds. To accept its ${keys === 0 ? "empty " : ""}dataset: ` +
        `REPLICAOF ${this.masterHost} ${this.masterPort}`,
    );
  }

  // -- states ----------------------------------------------------------------------------------

  /** Whether there is a master to be followed (reached or not). */
  get isFollowing(): boolean {
    return this.masterHost !== null;
  }

  /** Whether the link is up: the dataset is that of the master, and its stream arrives. */
  get isLinkUp(): boolean {
    return this.#link !== null && this.#link.state === "connected";
  }

  /** Whether the next full sync is put off, as the last could not be loaded. */
  get isPuttingOff(): boolean {
    return this.#snapshotRetryMs > 0;
  }

  /** Whether a full sync is being received or loaded. */
  get isSyncing(): boolean {
    return this.#link !== null && this.#link.state === "sync";
  }

  /** ROLE's word for the state of the link; "connect" while it is to be tried again. */
  get state(): LinkState | "connect" | "guarded" | "diverged" {
    if (this.isGuarded) return "guarded";
    if (this.#link === null) return "connect";
    const { state } = this.#link;
    return state === "connected" && this.divergence.isDiverged ? "diverged" : state;
  }

  /** ROLE's offset: of what has been applied; -1 while the link is not up. */
  get roleOffset(): number {
    return this.isLinkUp ? this.history.offset : -1;
  }

  /** Database that the master's stream has selected; -1 when not known. */
  get database(): number {
    return this.#link?.client?.database.index ?? this.#database;
  }

  set database(index: number) {
    this.#database = index;
  }

  /** CLIENT PAUSE is over: the master's stream is applied again. */
  goOn(): void {
    this.#link?.resume();
  }

  /** REPLCONF GETACK of the master. */
  sendAck(): void {
    this.#link?.sendAck();
  }

  tick(steadyMs: number): void {
    this.#link?.tick(steadyMs);
    if (this.isLinkUp) this.#watchSilence(steadyMs);
    for (const { name, count } of this.divergence.takeUntold(steadyMs)) {
      this.host.log.warning(
        `The command '${name}' of the master has failed here ${count} more time(s) in a minute`,
      );
    }
    if (this.divergence.isHealDue(steadyMs)) this.#heal(steadyMs);
  }

  /** A master says something in each `repl-ping-replica-period`, for which ours is taken to be its. */
  #watchSilence(steadyMs: number): void {
    const silentMs = steadyMs - this.#link!.lastReadMs;
    const periodMs = this.host.config.value("repl-ping-replica-period") * 1000;
    if (silentMs > 2 * periodMs) this.#lookForRing(steadyMs);
  }

  /** Has the next link bring a full sync, as the dataset is not the master's. */
  #heal(steadyMs: number): void {
    const link = this.#link;
    if (link === null || link.state !== "connected") return;
    const pauseMs = this.divergence.healBegins(steadyMs);
    const { errors, lastError } = this.divergence;
    const what = `${errors} command(s) of the master have failed here`;
    this.history.events.add("replica", link.peer, "heals", `${what}, the latest: ${lastError}`);
    // The log has named each of them when it failed; who counts such lines counts failures.
    link.end(
      new LinkFailure(
        `The dataset has parted from the master's, a full sync is to make them equal. ${what}, see ` +
          `INFO's master_stream_last_error for the latest. The next is due in ${pauseMs / 1000} ` +
          "seconds, should that not help",
        { heals: true },
      ),
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#timers.cancel(this.#retry);
    const link = this.#link;
    this.#link = null;
    link?.end(new LinkFailure("the server ends"));
  }

  /**
   * Since when the link is down; -1: since ever. Sentinel promotes nobody whose data it takes for old by this;
   * data that are guarded are those that the master should have.
   */
  #downSeconds(steadyMs: number): number {
    if (this.isGuarded) return 0;
    if (this.#downSinceMs === 0) return -1;
    return Math.max(0, Math.floor((steadyMs - this.#downSinceMs) / 1000));
  }

  /** INFO's fields about the master, in order; none for a master. */
  infoFields(steadyMs: number): [name: string, value: string | number][] {
    if (this.masterHost === null) return [];
    const { host, history: { offset } } = this;
    const { config } = host;
    const link = this.#link;
    const isUp = this.isLinkUp;
    const secondsSince = (ms: number) => Math.max(0, Math.floor((steadyMs - ms) / 1000));
    const fields: [string, string | number][] = [
      ["master_host", this.masterHost],
      ["master_port", this.masterPort],
      ["master_link_status", isUp ? "up" : "down"],
      ["master_last_io_seconds_ago", isUp ? secondsSince(link!.lastReadMs) : -1],
      ["master_sync_in_progress", this.isSyncing ? 1 : 0],
      ["slave_read_repl_offset", link?.applier?.readOffset ?? offset],
      ["slave_repl_offset", link?.applier?.offset ?? offset],
    ];
    if (this.isSyncing) {
      const total = link!.syncTotalBytes;
      const read = link!.load?.receivedBytes ?? 0;
      // Before the size is known, Redis divides by its -1.
      const percent = total < 0 ? "-0.00" : (total === 0 ? 0 : read / total * 100).toFixed(2);
      fields.push(
        ["master_sync_total_bytes", total],
        ["master_sync_read_bytes", read],
        ["master_sync_left_bytes", total - read],
        ["master_sync_perc", percent],
        ["master_sync_last_io_seconds_ago", secondsSince(link!.lastReadMs)],
      );
    }
    if (!isUp) fields.push(["master_link_down_since_seconds", this.#downSeconds(steadyMs)]);
    if (this.#badSnapshots > 0) {
      fields.push(
        ["master_sync_failures", this.#badSnapshots],
        ["master_sync_last_error", this.#snapshotProblem],
      );
    }
    if (this.isPuttingOff) {
      const leftMs = Math.max(0, this.#snapshotRetryMs - steadyMs);
      fields.push(["master_sync_retry_in_seconds", Math.ceil(leftMs / 1000)]);
    }
    fields.push(
      ["slave_priority", this.#priority],
      ["slave_read_only", config.value("replica-read-only") ? 1 : 0],
      ["replica_announced", config.value("replica-announced") ? 1 : 0],
      ["master_link_state", this.state],
      ["master_stream_errors", this.divergence.errors],
      ...this.#troubleFields(steadyMs),
    );
    return fields;
  }

  /** What Sentinel is told: 0, never to be promoted, of a dataset that is not the master's. */
  get #priority(): number {
    const { config } = this.host;
    const isHeldBack = this.divergence.isLacking && !config.value("replica-promote-diverged");
    return isHeldBack ? 0 : config.value("replica-priority");
  }

  /** INFO's fields about a stream that could not be applied as it came; none where it could. */
  #troubleFields(steadyMs: number): [name: string, value: string | number][] {
    const { errors, lastError, isDiverged, offset, leftOut } = this.divergence;
    const fields: [string, string | number][] = [];
    if (errors > 0) fields.push(["master_stream_last_error", lastError]);
    if (isDiverged) {
      fields.push(
        ["master_stream_diverged_offset", offset],
        ["master_stream_heal_in_seconds", this.divergence.healInSeconds(steadyMs)],
      );
    }
    if (leftOut > 0) fields.push(["master_sync_left_out", leftOut]);
    if (this.#stop?.offset === this.history.offset) {
      fields.push(["master_stream_stopped", this.#stop.why]);
    }
    return fields;
  }
}

/** Whether two failures differ in numbers only: a place in the stream, a port, a time. */
function isSameTrouble(message: string, other: string): boolean {
  return message === other || message.replace(/\d+/g, "0") === other.replace(/\d+/g, "0");
}

/** The pause behind so many tries that have failed for what the master has, and one more. */
function contentPauseMs(failures: number): number {
  return Math.min(CONTENT_RETRY_MS_MAX, CONTENT_RETRY_MS_MIN * 2 ** Math.min(10, failures));
}
