/**
 * The history that the dataset belongs to: its ids, how far it has come, the latest part of it, and
 * what has happened to those who share it. Both roles read it and change it: what we tell replicas of
 * is what a master has told us, or what we have begun ourselves.
 *
 * The backlog exists from the first replica on, and goes `repl-backlog-ttl` after the last one has
 * left; a replica always has one, as it may be promoted. While there is none, the offset stands still.
 */

import { isRefusal, tryAllocating } from "../base/refused.ts";
import { Backlog } from "../propagation/backlog.ts";
import { BacklogSpill } from "./backlog_spill.ts";
import type { ReplicationHost } from "./host.ts";
import { ReplicationIds } from "./identity.ts";
import { LinkLog } from "./link_log.ts";

/** How often a backlog says at least in which database its commands are. */
const SELECTS = 8;

export class History {
  readonly ids: ReplicationIds;
  readonly events: LinkLog;
  readonly #host: ReplicationHost;
  readonly #grew: () => void;
  readonly #lost: (why: string) => void;
  #backlog: Backlog | null = null;
  /** Bytes that enter the stream until a SELECT is asked for. */
  #untilSelect = 0;
  /** The furthest that a replica has acknowledged of this history; 0 for none. */
  acknowledgedOffset = 0;
  #spill: BacklogSpill | null = null;

  /**
   * `grew` is called when the backlog has become longer, `lost` when there is no memory for more of it:
   * whoever reads it can have it no further.
   */
  constructor(host: ReplicationHost, grew: () => void, lost: (why: string) => void) {
    this.#lost = lost;
    this.ids = new ReplicationIds(host.runtime.fillRandom);
    this.events = new LinkLog(host.clock);
    this.#host = host;
    this.#grew = grew;
    host.config.onChange(["repl-backlog-size"], (values) => {
      if (this.#backlog !== null) this.#backlog.sizeBytes = values["repl-backlog-size"];
    });
    host.config.onChange(["repl-backlog-spill-size"], () => this.#spill?.setLimit());
  }

  /** `master_repl_offset`. */
  get offset(): number {
    return this.#host.keyspace.stream.offset;
  }

  /** The latest part of the stream; null while no replica has come. */
  get backlog(): Backlog | null {
    return this.#backlog;
  }

  /** Makes sure there is a backlog; it begins at the present offset. */
  createBacklog(): Backlog {
    if (this.#backlog !== null) return this.#backlog;
    const { stream } = this.#host.keyspace;
    this.#backlog = new Backlog(stream.offset, this.#host.config.value("repl-backlog-size"));
    this.#spill = new BacklogSpill(this.#host, this.#backlog, {
      name: "",
      grew: this.#grew,
      lost: (why) => this.#beginAnew(why),
    });
    stream.attach(this.#keep);
    return this.#backlog;
  }

  /**
   * Nothing more goes to files for a while. Returns the offset up to which the stream is not all in memory; -1 where
   * all of it is.
   */
  stopSpilling(): number {
    return this.#spill?.stop() ?? -1;
  }

  /** Called by the timer. */
  tick(steadyMs: number): void {
    this.#spill?.tick(steadyMs);
  }

  /** Drops the backlog: from now on nobody can go on partially. */
  dropBacklog(): void {
    if (this.#backlog === null) return;
    this.#host.keyspace.stream.detach(this.#keep);
    this.#spill?.close();
    this.#spill = null;
    this.#backlog = null;
  }

  /** Begins a backlog anew at `offset`, where the stream goes on: the dataset is another one now. */
  restartAt(offset: number): void {
    this.dropBacklog();
    this.#host.keyspace.stream.offset = offset;
    this.acknowledgedOffset = 0;
    this.createBacklog();
  }

  readonly #keep = (
    bytes: Uint8Array,
    offset: number,
    length: number,
    isKept: boolean,
  ): void => {
    try {
      this.#backlog!.append(bytes, offset, length, isKept);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#beginAnew("there is no memory for the replication backlog");
      return;
    }
    this.#untilSelect -= length;
    if (this.#untilSelect < 0) this.#select();
    this.#grew();
  };

  /**
   * The next command begins with SELECT: wherever the backlog begins, what follows soon says in which database it is
   * (see diverged_tail.ts).
   */
  #select(): void {
    const { stream } = this.#host.keyspace;
    this.#untilSelect = this.#backlog!.sizeBytes / SELECTS;
    if (!stream.isRelaying) stream.reselect();
  }

  /**
   * Something that has been changed could not be kept: who has not been sent it has to synchronize
   * from the start, for which the backlog begins anew behind it.
   */
  #beginAnew(why: string): void {
    const { log, keyspace } = this.#host;
    log.warning(`Replicas have to synchronize anew: ${why}.`);
    this.events.add("self", "", "backlog-freed", why);
    this.dropBacklog();
    this.#lost(why);
    // Without one, the next replica that comes begins another history.
    tryAllocating(() => this.restartAt(keyspace.stream.offset));
  }
}
