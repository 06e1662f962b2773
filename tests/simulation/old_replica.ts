/**
 * A replica of an older version on a machine of a simulated world: the data are those of a tsredis that follows nobody, and
 * before it stands a link that does what a server of that version does, and takes what it takes (old_version.ts).
 *
 *                      2.6                    2.8 to 3.2                   from 4.0 on
 *     asks with        SYNC                   PSYNC                        PSYNC, also another master
 *     acknowledges     nothing                what has come                what has been applied
 *     a cut link       all anew               keeps what has come of a     takes what was not applied
 *                                             command or transaction       once more
 *     another master   all anew               all anew                     goes on, if that one lets it
 *
 * What it does not know it answers with an error that nobody reads, and goes on, as real ones do: here each of these
 * is noted as a fault. It saves nothing, so a restart begins anew.
 */

import type { LinkTransport, MasterClient } from "../../src/replication/host.ts";
import type { Machine } from "../../src/runtime/simulated.ts";
import { LinkEnd, OldLink } from "./old_link.ts";
import type { OldVersion } from "./old_version.ts";
import { PORT, SimulatedServer } from "./simulated_server.ts";

/** Words of a fault that are shown. */
const SHOWN_BYTES = 300;

/** Nobody hears what the commands of a master answer. */
const NOBODY: LinkTransport = {
  address: "master",
  localAddress: "",
  descriptor: -1,
  isWriting: false,
  wake() {},
  resume() {},
  close() {},
};

export class OldReplica {
  readonly server: SimulatedServer;
  /** Its configuration. */
  readonly directives: string[] = ['save ""', "loglevel notice"];
  /** Whom it follows. */
  follows: string;
  /** What no server of its version may be sent: the first words of each. */
  readonly faults: string[] = [];
  /** Links that have come as far as the stream. */
  upCount = 0;
  partialCount = 0;
  /** Commands that have been carried out. */
  commandCount = 0;
  /** Snapshots that it could not read for their version, one after the other. */
  refusedCount = 0;
  /** What it has refused: an answer to PSYNC that is an error. */
  lastAnswer = "";
  link: OldLink | null = null;
  // Of this run of the server:
  /** The history that it can go on in; null for none. */
  history: { id: string; offset: number } | null = null;
  /** In whose name the stream is applied; keeps the database. */
  client: MasterClient | null = null;
  /** What has come of a command that is not whole, and of a transaction. */
  text = "";
  queue: string[][] | null = null;
  /** Something in the transaction was refused: none of it will be done. */
  isQueueBad = false;

  constructor(readonly machine: Machine, readonly version: OldVersion, follows: string) {
    this.follows = follows;
    this.server = new SimulatedServer(machine, this.directives);
  }

  get name(): string {
    return this.machine.name;
  }

  /** Whether the stream of whom it follows is being applied. */
  get isUp(): boolean {
    return this.server.isRunning && this.link !== null && this.link.isUp;
  }

  /** Whether it is counted by WAIT. */
  get acknowledges(): boolean {
    return this.isUp && this.link!.acknowledges;
  }

  /** Starts it, with nothing. */
  start(): void {
    this.#forget();
    this.link = null;
    this.server.start();
    const { runtime } = this.server.server!;
    runtime.timers.every(1000, () => this.#tick());
  }

  /** Told to follow another; before 4.0 that is to begin anew. */
  follow(name: string): void {
    if (name === this.follows) return;
    this.follows = name;
    this.#end("told to follow another");
    if (!this.version.hasPsync2) this.#forget();
  }

  /** It has no part of any master's data any more, or none that it could name. */
  #forget(): void {
    this.history = null;
    this.client = null;
    this.text = "";
    this.queue = null;
    this.isQueueBad = false;
  }

  #end(why: string): void {
    this.link?.end(why);
    this.link = null;
  }

  #tick(): void {
    const core = this.server.ready;
    if (core === null) return;
    if (!core.replication.isReplica) {
      // It follows somebody, but not with a link of its own.
      core.replication.replica.begin("nobody", PORT);
      core.roleChanged();
    }
    const { link } = this;
    if (link === null || link.isOver) {
      this.link = new OldLink(this, this.upCount);
      this.link.run();
    } else link.tick(core.clock.monotonic());
  }

  /** The link has come to an end: what is left of it, as the version has it. */
  ended(link: OldLink, why: string): void {
    this.server.logLines.push(`link of ${this.version.text} to ${link.master}: ${why}`);
    if (this.link === link) this.link = null;
    if (!link.acknowledges) {
      // A full sync that has not come to its end, or SYNC: there is nothing to go on from.
      if (link.isFull) this.#forget();
      return;
    }
    this.history!.offset = link.offset;
    if (!this.version.hasPsync2) return;
    this.text = "";
    this.queue = null;
    this.isQueueBad = false;
  }

  /** Notes what was sent and may not be sent; may be thrown. */
  fault(what: string, words: readonly string[]): LinkEnd {
    const shown = JSON.stringify(words).slice(0, SHOWN_BYTES);
    this.faults.push(`redis ${this.version.text}: ${what}: ${shown}`);
    return new LinkEnd(what);
  }

  /** A dataset has been loaded, of a stream that has selected a database. */
  loaded(database: number): void {
    const { core } = this.server.server!;
    if (this.client !== null) core.closeMasterClient(this.client);
    this.client = core.openMasterClient(NOBODY, false);
    // Before 4.0 nothing is told of that: the stream begins with SELECT.
    if (this.version.hasPsync2) this.client.database = core.keyspace.databases[database];
    this.text = "";
    this.queue = null;
    this.isQueueBad = false;
    this.refusedCount = 0;
  }
}
