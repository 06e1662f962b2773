/**
 * Our history as older servers follow it: a stream of its own, translated as ours grows, with an id, offsets and a backlog of
 * its own. All replicas of one target share it, and go on partially in it. See "Streams for older servers" in NOTES.
 *
 *     our stream ──► translator ──► backlog ──► replicas of this target
 *     our offset ◄── map of offsets ◄────────── what they acknowledge
 */

import { randomId } from "../../base/random_id.ts";
import { isRefusal } from "../../base/refused.ts";
import { Backlog } from "../../propagation/backlog.ts";
import { BacklogSpill } from "../backlog_spill.ts";
import type { ReplicationHost } from "../host.ts";
import { OffsetMap } from "./offset_map.ts";
import { StreamRequests } from "./stream_requests.ts";
import type { Target } from "./target.ts";
import { Broken, Translator } from "./translator.ts";

/** Who is told what becomes of it. */
export interface TranslationOwner {
  /** There is more for the replicas. */
  grew(): void;
  /** It has ended for good: nobody may go on in it. */
  broke(history: TranslatedHistory, why: string): void;
}

export class TranslatedHistory {
  readonly id: string;
  readonly backlog: Backlog;
  readonly #spill: BacklogSpill;
  readonly #translator: Translator;
  readonly #requests = new StreamRequests();
  readonly #offsets: OffsetMap;
  #isOver = false;
  #isSettling = false;
  /** Since when nobody follows it, monotonic ms; NaN while somebody does. */
  unusedSinceMs = NaN;

  /** Begins at this moment; `database` is what our stream has selected, or any if it is about to say. */
  constructor(
    readonly host: ReplicationHost,
    readonly owner: TranslationOwner,
    readonly target: Target,
    /** The backlog of our own history: when that is another one, this history has ended too. */
    readonly origin: Backlog,
    database: number,
  ) {
    const { keyspace, config } = host;
    const { stream } = keyspace;
    this.id = randomId(host.runtime.fillRandom);
    this.backlog = new Backlog(stream.offset, config.value("repl-backlog-size"));
    this.#spill = new BacklogSpill(host, this.backlog, {
      name: `rdb${target.rdbVersion}-`,
      grew: () => owner.grew(),
      lost: (why) => this.#break(why),
    });
    this.#offsets = new OffsetMap(stream.offset, stream.offset);
    this.#translator = new Translator(
      target,
      keyspace,
      (words) => host.commandOf(words),
      (bytes, offset, length, isKept) => this.backlog.append(bytes, offset, length, isKept),
    );
    this.#translator.database = Math.max(0, database);
    stream.attach(this.#take);
  }

  /** Whether nobody may go on in it any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get offset(): number {
    return this.backlog.endOffset;
  }

  /** The offset of our history that a place of this one stands for; 0 if that is not known any more. */
  oursAt(offset: number): number {
    return this.#offsets.oursAt(offset);
  }

  /** A snapshot is of this moment, or a replica goes on: all is said, and the database will be. */
  beginHere(): void {
    this.settle();
    this.#translator.reselect();
  }

  /** Aux fields of a snapshot of this moment. */
  get aux(): (readonly [string, string | number])[] {
    return [
      ["repl-stream-db", this.#translator.database],
      ["repl-id", this.id],
      ["repl-offset", this.offset],
    ];
  }

  /** StreamReader: the next commands of our stream. Nothing that fails here may reach who writes. */
  readonly #take = (bytes: Uint8Array, offset: number, length: number, isKept: boolean): void => {
    this.#guarded(() => this.#translate(bytes, offset, length, isKept));
  };

  #translate(bytes: Uint8Array, offset: number, length: number, isKept: boolean): void {
    const requests = this.#requests;
    const translator = this.#translator;
    const before = this.host.keyspace.stream.offset - offset - length;
    requests.begin(bytes, offset, length);
    while (requests.next()) {
      translator.command(requests.words, requests.from, requests.to, isKept);
      const { isUnsettled } = translator;
      if (translator.hasReworded || isUnsettled) this.#offsets.diverge();
      if (!isUnsettled) this.#offsets.reached(this.offset, before + requests.to);
    }
    requests.end();
    if (translator.isUnsettled) this.#settleSoon();
  }

  #settleSoon(): void {
    if (this.#isSettling) return;
    this.#isSettling = true;
    this.host.runtime.timers.soon(() => {
      this.#isSettling = false;
      this.settle();
    });
  }

  /** Says what is to be said of our data as they are now, unless a script is changing them: then it is too early. */
  settle(): void {
    const { host } = this;
    if (this.#isOver || !this.#translator.isUnsettled || host.isHeldByScript) return;
    this.#guarded(() => {
      this.#translator.settle();
      this.#offsets.diverge();
      this.#offsets.reached(this.offset, host.keyspace.stream.offset);
      this.owner.grew();
    });
  }

  /** The timer's look. */
  tick(steadyMs: number): void {
    this.settle();
    this.#spill.tick(steadyMs);
    const sizeBytes = this.host.config.value("repl-backlog-size");
    if (this.backlog.sizeBytes !== sizeBytes) this.backlog.sizeBytes = sizeBytes;
  }

  /** See `BacklogSpill.stop`. */
  stopSpilling(): number {
    return this.#spill.stop();
  }

  #guarded(work: () => void): void {
    if (this.#isOver) return;
    try {
      work();
    } catch (error) {
      if (error instanceof Broken) return this.#break(error.why);
      if (isRefusal(error)) return this.#break("there is no memory for what it is to be sent");
      this.host.log.fault("Cannot translate the replication stream", error);
      this.#break("an internal error");
    }
  }

  #break(why: string): void {
    this.end();
    this.owner.broke(this, why);
  }

  /** Lets go of it. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#spill.close();
    this.host.keyspace.stream.detach(this.#take);
  }
}
