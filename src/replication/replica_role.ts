/**
 * We as a replica: whom we follow, when a link is tried again, and whether a dataset may take the
 * place of ours. The link itself is master_link.ts.
 *
 *     follow() / begin()+connectSoon() ──► link ──► up ──► ended ──► a while ──► link ──► …
 *                                             └──────► ended ──────────┘
 *     stop(): no master; what was applied so far is ours, under a history of its own
 *
 * When a link is tried again is the matter of link_retries.ts.
 */

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
import { LinkFailure } from "./link_failure.ts";
import { LinkRetries } from "./link_retries.ts";
import type { OurMaster } from "./master_role.ts";
import { masterUptime } from "./master_uptime.ts";
import { replicaInfo } from "./replica_info.ts";
import { RingWatch } from "./replica_ring.ts";
import { type HandOver, type LinkOwner, type LinkState, MasterLink } from "./master_link.ts";

/** Tries in a row that have found a master without one of its own, before a ring is looked for. */
const RING_TRIES = 3;
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
  readonly #retries: LinkRetries;
  readonly #ring: RingWatch;
  /** Since when the link is down, by the monotonic clock; 0 for never, or while it is up. */
  #downSinceMs = 0;
  /** A person has said whom to follow: what that master has, be it nothing, is taken. */
  #isAccepted = false;
  /** Our data are a master's, not of our own making. */
  #isOfMaster = false;

  constructor(
    readonly host: ReplicationHost,
    readonly history: History,
    readonly ownReplicas: OwnReplicas,
  ) {
    this.#timers = host.runtime.timers;
    this.tail = new DivergedTail(host, history);
    this.#retries = new LinkRetries(host, history);
    this.#ring = new RingWatch(host, history);
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
    this.#isHealing = false;
    this.#retries.reset();
    this.#ring.reset();
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

  // -- links ---------------------------------------------------------------------------------

  #announce(): void {
    this.host.log.notice(
      `Connecting to MASTER ${this.masterHost}:${this.masterPort}`,
    );
  }

  #connect(): void {
    this.#timers.cancel(this.#retry);
    this.#retries.nextSnapshotMs = 0;
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
    return this.isGuarded || (this.#retries.isSilent && this.#link?.state !== "sync");
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
    this.#retries.linkUp();
    this.#isAccepted = false;
    this.#isOfMaster = true;
    this.#isHistoryKnown = true;
    this.#isHealing = false;
    this.#isMasterKnown = true;
    this.tail.settled();
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
    this.#retries.stop = null;
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
    const isSame = this.#retries.isSame(failure.message);
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
    const { isPartial } = link;
    const { message } = failure;
    const isAtOnce = this.#retries.ended({ message, wasUp, isPartial, isFutile }, steadyMs);
    if (this.#retries.isNewlySilent && !this.isGuarded) {
      // Else the last line would be that all is well so far.
      host.log.notice(
        `MASTER ${this.peer} is tried again about every second: the log tells when that ends otherwise`,
      );
    }
    if (failure.more.isMasterless === true && this.#retries.failures >= RING_TRIES) {
      this.#lookForRing(steadyMs);
    }
    if (wasUp && !this.isQuiet && failure.more.isOfContent !== true) {
      host.log.notice(`Reconnecting to MASTER ${this.masterHost}:${this.masterPort}`);
    }
    const ofContentMs = this.#contentPauseMs(link, failure, wasHealing, steadyMs);
    const guardedTries = this.isGuarded ? this.#someRefused : null;
    const delayMs = ofContentMs ?? (isAtOnce ? 0 : this.#retries.usualPauseMs(guardedTries));
    if (delayMs > 0) this.#retry = this.#timers.after(delayMs, () => this.#connect());
    else this.#timers.soon(() => this.#connect());
  }

  /** How long to wait, in ms, where a link has ended for what the master has; null where it has not. */
  #contentPauseMs(
    link: MasterLink,
    failure: LinkFailure,
    wasHealing: boolean,
    steadyMs: number,
  ): number | null {
    if (failure.more.forgets === true) return this.#retries.forgotten(steadyMs);
    if (failure.more.isOfContent !== true || wasHealing) return null;
    return link.state === "sync"
      ? this.#retries.badSnapshot(link.masterHost, link.masterPort, failure.message)
      : this.#retries.stopped(link.peer, failure.message);
  }

  #lookForRing(steadyMs: number): void {
    const { peer } = this;
    const isFollowed = () => !this.#isClosed && peer === this.peer;
    this.#ring.look(this.masterHost!, this.masterPort, steadyMs, isFollowed);
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
    return this.#retries.nextSnapshotMs > 0;
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
  downSeconds(steadyMs: number): number {
    if (this.isGuarded) return 0;
    if (this.#downSinceMs === 0) return -1;
    return Math.max(0, Math.floor((steadyMs - this.#downSinceMs) / 1000));
  }

  /** INFO's fields about the master, in order; none for a master. */
  infoFields(steadyMs: number): [name: string, value: string | number][] {
    return replicaInfo(this, this.#link, this.#retries, steadyMs);
  }
}
