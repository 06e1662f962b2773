/**
 * One link to our master, from the connecting to its end. It is made anew for each try; what outlives
 * it (whom to follow, when to try again, what to make of an empty dataset) is with replica_role.ts.
 *
 *     state        what happens                               goes on when
 *     connecting   the host name is looked up, TCP            connected
 *     handshake    PING … PSYNC, see master_handshake.ts      +FULLRESYNC: sync; +CONTINUE: connected
 *     sync         the snapshot comes (sync_receiver.ts), is  it is whole, and taken: connected
 *                  built aside, and takes the data's place
 *     connected    the stream is applied (stream_applier.ts)  –
 *
 * From every state a link ends in one place, `end`, with a cause. Until a snapshot is whole nothing of
 * the old dataset is touched. What a master sends is read only as fast as it is used: there is no
 * place where it could pile up.
 */

import { toLatin1 } from "../base/bytes.ts";
import { oneLine } from "../base/printable.ts";
import type { Setting } from "../config/config.ts";
import type { LeftOut } from "../rdb/left_out.ts";
import { RECEIVED_MAX, type ReplicaLoad } from "../rdb/replica_load.ts";
import { problemOf } from "../runtime/system_error.ts";
import { ALIVE, type Haste, request } from "./handshake.ts";
import type { LinkTransport, MasterClient, ReplicationHost } from "./host.ts";
import { LinkBytes } from "./link_bytes.ts";
import { LinkFailure } from "./link_failure.ts";
import { type LinkAttempt, LinkSocket } from "./link_socket.ts";
import type { History } from "./history.ts";
import { MasterHandshake } from "./master_handshake.ts";
import { StreamApplier } from "./stream_applier.ts";
import { type Payload, payloadOf } from "./sync_receiver.ts";

export type LinkState = "connecting" | "handshake" | "sync" | "connected";

/** The role of master is handed over to the other end. */
export interface HandOver {
  /** It has taken over. */
  granted(): void;
  /** It has not, or has not answered. */
  refused(): void;
}

/** Who has made a link. */
export interface LinkOwner {
  /** The master as logs name it: host and port. */
  readonly peer: string;
  /** Set while whom we follow is asked to take over: told of the answer, once. */
  readonly handOver: HandOver | null;
  /** Database that the stream has selected where we go on with it; -1 when not known. */
  database: number;
  /** Up to where a stream may be acknowledged that has been carried out up to `offset`. */
  readonly divergence: { acknowledgeable(offset: number): number };
  /** What only we have, where another has taken our place; the new master is asked for its history. */
  readonly tail: {
    readonly isExpected: boolean;
    heard(info: string | null): void;
    save(peer: string): Promise<void>;
  };
  /** Whether the partial resync may be asked for. */
  readonly wantsPartial: boolean;
  /** How much is said before the first answer. */
  readonly haste: Haste;
  /** The master takes a PSYNC that is sent before its earlier answers have come, or does not. */
  tookEarlyPsync(does: boolean): void;
  /** Whether the usual steps are left out of the log, as the same has been tried in vain before. */
  readonly isQuiet: boolean;
  /** Whether the dataset may take the place of ours; if not, says so itself. May ask the master something. */
  takes(load: ReplicaLoad, id: string): Promise<boolean>;
  /** The dataset of the master has taken the place of ours: the two are equal now. */
  synchronized(leftOut: LeftOut): void;
  /** A dataset has taken the place of ours, or ours goes on: the stream follows. */
  linkUp(link: MasterLink): void;
  stateChanged(): void;
  /** Our history has another name from now on, or is another: our own replicas have to ask again. */
  historyChanged(why: string): void;
  /** Called once. */
  linkEnded(link: MasterLink, failure: LinkFailure): void;
}

/** Bytes of the stream applied before others get their turn. */
const TURN_BYTES = 128 * 1024;
const SECOND_MS = 1000;

export class MasterLink implements LinkTransport {
  state: LinkState = "connecting";
  isOver = false;
  /** In whose name the stream is applied, once it comes. */
  client: MasterClient | null = null;
  applier: StreamApplier | null = null;
  /** The snapshot being received and loaded. */
  load: ReplicaLoad | null = null;
  /** Bytes of it as announced; -1 when not known. */
  syncTotalBytes = -1;
  /** The stream goes on where it was, without a snapshot. */
  isPartial = false;
  /** Whether the master knows PSYNC: the others take no acknowledgements. */
  isModern = true;
  readonly descriptor = -1;
  address: string;
  localAddress = "";
  readonly #host: ReplicationHost;
  readonly #queryBytesMax: Setting<number>;
  #attempt: LinkAttempt | null = null;
  /** What goes over the connection. */
  readonly #bytes: LinkBytes;
  /** The snapshot is whole and being loaded, or we read no faster than it is loaded. */
  #isOurTurn = false;
  #goOn: (() => void) | null = null;
  #beatMs: number;
  /** Why it is to end as soon as the script of the master is over. */
  #putOffEnd: LinkFailure | null = null;
  /** Why the stream cannot go on. */
  #stop: LinkFailure | null = null;

  constructor(
    host: ReplicationHost,
    readonly history: History,
    readonly owner: LinkOwner,
    readonly masterHost: string,
    readonly masterPort: number,
  ) {
    this.#host = host;
    this.#queryBytesMax = this.#host.config.setting("client-query-buffer-limit");
    this.address = `${masterHost}:${masterPort}`;
    this.#beatMs = host.clock.monotonic();
    this.#bytes = new LinkBytes(host, {
      acknowledgement: () => this.#acknowledgement(),
      failed: (failure) => this.end(failure),
    });
  }

  /** When the master last sent something, by the monotonic clock. */
  get lastReadMs(): number {
    return this.#bytes.lastReadMs;
  }

  /** LinkTransport. */
  get isWriting(): boolean {
    return this.#bytes.isWriting;
  }

  /** Goes through all states; returns when the link has ended. */
  async run(): Promise<void> {
    try {
      await this.#connect();
      const handshake = new MasterHandshake(this, this.#bytes, this.#host);
      const answer = await handshake.make();
      this.isModern = answer.kind !== "unknown";
      if (answer.kind === "continue") this.#continue(answer.id);
      else await this.#sync(answer.kind === "full" ? answer : null);
      await this.#follow();
    } catch (error) {
      if (this.isOver) return;
      if (error instanceof LinkFailure) this.end(error);
      else {
        const text = error instanceof Error ? error.stack ?? error.message : String(error);
        this.end(new LinkFailure(`Cannot go on with the link to MASTER: ${text}`));
      }
    }
  }

  // -- connecting --------------------------------------------------------------------------

  async #connect(): Promise<void> {
    const { masterHost, masterPort } = this;
    this.step("MASTER <-> REPLICA sync started");
    let link: LinkSocket;
    try {
      const { config, runtime: { network }, tls } = this.#host;
      const source = config.value("bind-source-addr") ?? "";
      this.#attempt = LinkSocket.connect(network, masterHost, masterPort, tls.forMaster, source);
      link = await this.#attempt.socket;
    } catch (error) {
      throw new LinkFailure(`Error condition on socket for SYNC: ${problemOf(error)}`);
    }
    if (this.isOver) {
      link.close();
      return;
    }
    this.#bytes.open(link);
    const { local, remote } = link.socket;
    this.address = `${remote.hostname}:${remote.port}`;
    this.localAddress = `${local.hostname}:${local.port}`;
    const isOurPort = remote.port === this.#host.port || remote.port === this.#host.tlsPort;
    if (remote.hostname === local.hostname && isOurPort) {
      throw new LinkFailure(
        `The MASTER address ${masterHost}:${masterPort} is this server's own: it cannot follow itself`,
      );
    }
    link.socket.setNoDelay(true);
    link.socket.setKeepAlive(true);
    this.tell("connected", `from ${this.localAddress} to ${this.address}`);
  }

  // -- handshake ---------------------------------------------------------------------------

  /** "+CONTINUE": the dataset is kept, the stream goes on behind what we have of it. */
  #continue(id: string | null): void {
    const { history } = this;
    const { ids, events } = history;
    const { log } = this.#host;
    log.notice("Successful partial resynchronization with master.");
    if (id !== null && id !== ids.id) {
      ids.continueAs(id, history.offset);
      log.notice(`Master replication ID changed to ${id}`);
      this.owner.historyChanged("our master goes on under another replication id");
    }
    history.createBacklog();
    log.notice("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
    this.isPartial = true;
    events.add("replica", this.peer, "partial-sync", `goes on at offset ${history.offset}`);
    this.#openStream(this.owner.database);
  }

  // -- sync --------------------------------------------------------------------------------

  /** Takes the snapshot that follows, and the place of our dataset with it. Null: SYNC was asked for. */
  async #sync(full: { readonly id: string; readonly offset: number } | null): Promise<void> {
    const { history } = this;
    const { log, config, keyspace, persistence } = this.#host;
    this.setState("sync");
    if (full !== null) this.step(`Full resync from master: ${full.id}:${full.offset}`);
    const payload = await this.#announcement(full === null ? "" : full.id);
    const policy = config.value("repl-diskless-load");
    const streams = policy !== "disabled";
    const where = streams ? "to parser" : "to disk";
    const { totalBytes } = payload;
    this.step(
      totalBytes < 0
        ? `MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF ${where}`
        : `MASTER <-> REPLICA sync: receiving ${totalBytes} bytes from master ${where}`,
    );
    this.syncTotalBytes = Math.max(0, totalBytes);
    const load = this.load!;
    const loading = "MASTER <-> REPLICA sync: Loading DB in memory";
    if (streams) this.step(loading);
    await this.#receive(payload, load);

    if (!streams) this.step(loading);
    this.#tellProgress();
    this.#isOurTurn = true;
    try {
      const loaded = load.finish();
      this.owner.stateChanged();
      await loaded;
    } catch (error) {
      throw this.#loadFailure(error);
    }
    if (this.isOver) return;
    this.#checkDatabase(load.replicationDatabase);
    if (!await this.owner.takes(load, full === null ? "" : full.id)) {
      throw new LinkFailure("the empty dataset of the master was refused", { isGuard: true });
    }
    await this.#saveTail();
    // A script that is under way sees one dataset from its beginning to its end.
    while (this.#host.isHeldByScript && !this.isOver) await this.#untilResumed();
    this.#isOurTurn = false;
    this.#bytes.lastReadMs = this.#host.clock.monotonic();
    if (this.isOver) return;
    load.swap();
    this.owner.synchronized(load.leftOut);
    this.load = null;
    if (persistence.replicaLoad === load) persistence.replicaLoad = null;
    if (full === null) history.ids.renew();
    else history.ids.adopt(full.id);
    this.owner.historyChanged("our dataset is another one now");
    history.restartAt(full === null ? keyspace.stream.offset : full.offset);
    // Whoever notes the position of the new dataset, as the base of an append-only file does, needs all of it.
    this.owner.database = load.replicationDatabase;
    load.tellReplaced();
    log.notice("MASTER <-> REPLICA sync: Finished with success");
    history.events.add(
      "replica",
      this.peer,
      "full-sync",
      `${load.receivedBytes} bytes, ${load.keysLoaded} keys, goes on at offset ${history.offset}`,
    );
    this.#openStream(load.replicationDatabase);
  }

  /** What only we have goes to the disk, before the dataset is exchanged. */
  async #saveTail(): Promise<void> {
    try {
      await this.owner.tail.save(this.peer);
    } catch (error) {
      throw new LinkFailure(
        `What this server has written and ${this.peer} does not have cannot be saved: ${
          problemOf(error)
        }. ` +
          "The present data are kept; with diverged-tail-max-size 0 it is dropped",
        { isOfContent: true },
      );
    }
  }

  /**
   * The line that announces the snapshot, behind any number of empty ones. `id` is that of the history
   * it belongs to, empty when that is not known.
   */
  async #announcement(id: string): Promise<Payload> {
    this.#bytes.readFailure = (why) =>
      new LinkFailure(`I/O error reading bulk count from MASTER: ${why}`);
    let line = "";
    while (line === "") line = await this.#bytes.line();
    if (line.startsWith("-")) {
      throw new LinkFailure(`MASTER aborted replication with an error: ${line.slice(1)}`);
    }
    const { config, persistence } = this.#host;
    const payload = payloadOf(line, (bytes, offset, length) => {
      this.load!.push(bytes, offset, length);
    });
    if (payload === null) {
      throw new LinkFailure(
        `Bad protocol from MASTER, ${
          line.startsWith("$") ? "no length of a snapshot follows" : "the first byte is not"
        } '$' (we received '${line.slice(0, 64)}'), are you sure the host and port are right?`,
      );
    }
    const policy = config.value("repl-diskless-load");
    const load = persistence.beginReplicaLoad({
      totalBytes: payload.totalBytes < 0 ? null : payload.totalBytes,
      mode: policy === "disabled" ? "file" : "stream",
      // Who says "swapdb" wants what is served meanwhile to be an earlier state of the same data.
      hidesServed: policy === "swapdb" && id !== this.history.ids.id,
      master: this.owner.peer,
    });
    this.load = load;
    load.onFailed = (failure) => this.end(this.#loadFailure(failure));
    load.onDrained = () => this.#resumeReading();
    this.owner.stateChanged();
    return payload;
  }

  async #receive(payload: Payload, load: ReplicaLoad): Promise<void> {
    this.#bytes.readFailure = (why) =>
      new LinkFailure(`I/O error trying to sync with MASTER: ${why}`);
    for (;;) {
      this.#bytes.take((bytes, from, to) => payload.take(bytes, from, to));
      if (payload.isComplete) return;
      while (load.waitingBytes > RECEIVED_MAX && !this.isOver) {
        this.#isOurTurn = true;
        await this.#untilResumed();
        this.#isOurTurn = false;
        this.#bytes.lastReadMs = this.#host.clock.monotonic();
      }
      await this.#bytes.read();
    }
  }

  #loadFailure(error: unknown): LinkFailure {
    const from = this.#host.config.value("repl-diskless-load") === "disabled" ? "disk" : "socket";
    return new LinkFailure(
      `Failed trying to load the MASTER synchronization DB from ${from}: ${problemOf(error)}`,
      { isOfContent: true },
    );
  }

  #untilResumed(): Promise<void> {
    return new Promise((resolve) => this.#goOn = resolve);
  }

  #resumeReading(): void {
    const goOn = this.#goOn;
    this.#goOn = null;
    goOn?.();
  }

  // -- the stream --------------------------------------------------------------------------

  #openStream(database: number): void {
    this.#checkDatabase(database);
    const { databases } = this.#host.keyspace;
    this.client = this.#host.openMasterClient(this, !this.isModern);
    this.client.database = databases[database] ?? databases[0];
    this.applier = new StreamApplier(this.#host, this.client);
    this.#bytes.readFailure = (why) =>
      new LinkFailure(`Connection with master lost: ${why}`, { level: "notice" });
    this.setState("connected");
    this.owner.linkUp(this);
    this.sendAck();
  }

  /** @throws LinkFailure where there is no such database: what comes for it may not go into another one */
  #checkDatabase(index: number): void {
    const { length } = this.#host.keyspace.databases;
    if (index < length) return;
    throw new LinkFailure(
      `The master's stream goes on in database ${index}, which is not here: 'databases' is ${length}. ` +
        "Restart with as many as the master has",
      { isOfContent: true },
    );
  }

  /** The request at hand, a SELECT, names a database that is not here: neither it nor what is behind it is applied. */
  stopBefore(): void {
    const { words } = this.client!.parser!;
    const { length } = this.#host.keyspace.databases;
    this.applier!.stopBefore();
    this.#stop = new LinkFailure(
      `The master's stream selects database ${
        oneLine(words.text(1).slice(0, 32))
      }, which is not here: ` +
        `'databases' is ${length}. Restart with as many as the master has`,
      { isOfContent: true },
    );
  }

  async #follow(): Promise<void> {
    const client = this.client!;
    const parser = client.parser!;
    // What has come behind the snapshot, or behind the answer to PSYNC.
    while (this.#bytes.hasMore) {
      parser.filled(this.#bytes.moveTo(parser.space()));
      if (!this.#apply()) await this.#applyLater();
      if (this.isOver) return;
    }
    const { timers } = this.#host.runtime;
    let turnBytes = 0;
    // From here on what comes is applied in the call that brings it.
    const cause = await this.#bytes.readAll(() => parser.space(), (count) => {
      parser.filled(count);
      client.bytesIn += count;
      if (!this.#apply()) return this.#applyLater();
      this.#checkPending();
      turnBytes += count;
      if (turnBytes < TURN_BYTES) return;
      turnBytes = 0;
      return new Promise((resolve) => timers.afterOthers(resolve));
    });
    if (!this.isOver) throw this.#bytes.readFailure(cause ?? "closed by the master");
  }

  /** Applies what has come, once what has to be waited for is over. */
  async #applyLater(): Promise<void> {
    do {
      this.#isOurTurn = true;
      await this.#untilResumed();
      this.#isOurTurn = false;
      if (this.isOver) return;
    } while (!this.#apply());
    this.#checkPending();
  }

  /** Applies what has come; false when something has to be waited for before it can go on. */
  #apply(): boolean {
    if (this.#host.isPaused) return false;
    this.applier!.turn();
    if (this.isOver) return true;
    if (this.client!.isClosing) throw this.#stop ?? this.#desynchronized();
    return this.client!.park === null;
  }

  /** What is left over after a turn is the beginning of one command. */
  #checkPending(): void {
    if (this.isOver) return;
    const { value } = this.#queryBytesMax;
    if (this.client!.parser!.pendingBytes <= value) return;
    throw new LinkFailure(
      `A command of the master is longer than client-query-buffer-limit (${value} bytes)`,
      { forgets: true },
    );
  }

  #desynchronized(): LinkFailure {
    const { bytes, position, errorText } = this.client!.parser!;
    if (errorText === "") {
      return new LinkFailure("The stream of the master has a command that ends the connection", {
        forgets: true,
      });
    }
    const shown = JSON.stringify(toLatin1(bytes, position, Math.min(64, bytes.length - position)));
    return new LinkFailure(
      `${errorText} from master, master stream corruption? It goes on with ${shown}. ` +
        "Closing the master connection and discarding the cached master.",
      { forgets: true },
    );
  }

  /** Tells the master how far we have come. */
  sendAck(): void {
    if (this.applier === null || !this.isModern) return;
    this.#bytes.acknowledge();
  }

  #acknowledgement(): Uint8Array {
    const offset = this.owner.divergence.acknowledgeable(this.applier!.offset);
    const { syncedOffset } = this.#host;
    if (syncedOffset === null) return request("REPLCONF", "ACK", offset);
    return request("REPLCONF", "ACK", offset, "FACK", Math.min(offset, syncedOffset));
  }

  // -- time --------------------------------------------------------------------------------

  /** Called several times a second. */
  tick(steadyMs: number): void {
    if (steadyMs - this.#beatMs >= SECOND_MS) {
      this.#beatMs = steadyMs;
      this.#beat();
    }
    if (this.#isOurTurn) this.#bytes.lastReadMs = steadyMs;
    if (steadyMs - this.lastReadMs <= this.#host.config.value("repl-timeout") * 1000) return;
    switch (this.state) {
      case "connecting":
      case "handshake":
        return this.end(new LinkFailure("Timeout connecting to the MASTER..."));
      case "sync":
        return this.end(
          new LinkFailure(
            "Timeout receiving bulk data from MASTER... If the problem persists try to set the " +
              "'repl-timeout' parameter in redis.conf to a larger value.",
          ),
        );
      case "connected":
        return this.end(new LinkFailure("MASTER timeout: no data nor PING received..."));
    }
  }

  #beat(): void {
    if (this.state === "connected") this.sendAck();
    else if (this.load !== null) {
      if (!this.isWriting) this.#bytes.send(ALIVE);
      this.#tellProgress();
    }
  }

  #tellProgress(): void {
    const { load, syncTotalBytes: total } = this;
    if (load === null) return;
    const part = (bytes: number) =>
      total > 0
        ? `${bytes} of ${total} bytes (${(bytes / total * 100).toFixed(1)}%)`
        : `${bytes} bytes`;
    this.history.events.progress(
      "replica",
      this.peer,
      "receiving",
      `${
        part(load.receivedBytes)
      } received, ${load.loadedBytes} bytes loaded, ${load.keysLoaded} keys`,
    );
  }

  // -- the end -----------------------------------------------------------------------------

  /** LinkTransport: CLIENT KILL, and the server's end. */
  close(): void {
    this.end(
      new LinkFailure("Connection with master lost: closed here (CLIENT KILL)", {
        level: "notice",
      }),
    );
  }

  /**
   * Ends the link; does nothing when that has been done. While a script that the master has sent is under way it
   * is put off: what the script has changed already counts only once it is over, and no other link may begin before.
   */
  end(failure: LinkFailure): void {
    if (this.isOver) return;
    const { client } = this;
    if (client !== null && client.park !== null && this.#host.isHeldByScript) {
      this.#putOffEnd ??= failure;
      return;
    }
    this.isOver = true;
    if (client !== null) {
      this.applier!.settle();
      this.owner.database = client.database.index;
      client.isClosing = true;
      client.onTransaction = null;
      client.onKeep = null;
      this.#host.closeMasterClient(client);
    }
    this.#attempt?.cancel();
    this.#bytes.close();
    const { load } = this;
    this.load = null;
    load?.abandon();
    if (load !== null && this.#host.persistence.replicaLoad === load) {
      this.#host.persistence.replicaLoad = null;
    }
    this.#resumeReading();
    this.owner.linkEnded(this, failure);
  }

  // -- LinkTransport -----------------------------------------------------------------------

  /** Nobody reads what the master's commands answer. */
  wake(): void {}

  resume(): void {
    const failure = this.#putOffEnd;
    if (failure !== null && this.client!.park === null) {
      this.applier!.turnOver();
      this.end(failure);
    } else this.#resumeReading();
  }

  get peer(): string {
    return `${this.masterHost}:${this.masterPort}`;
  }

  /** An event of the usual course, once where the same is tried again and again. */
  tell(event: string, detail: string): void {
    if (!this.owner.isQuiet) this.history.events.add("replica", this.peer, event, detail);
  }

  /** Log of a usual step. */
  step(text: string): void {
    const { log } = this.#host;
    if (this.owner.isQuiet) log.debug(text);
    else log.notice(text);
  }

  setState(state: LinkState): void {
    this.state = state;
    this.owner.stateChanged();
  }
}
