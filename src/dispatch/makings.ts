/**
 * What COPY and its like make of large values, as sliced_calls.ts does what takes long. It is made out of everybody's
 * reach; then the request is run again, and finds it (`take`). So to others it all happens at that moment, and the
 * values of which it is made must still be what they were: others read them meanwhile, and who would change one waits
 * (held_keys.ts). What passes no gate may change it all the same (a blocked client that is served, the stream of a
 * master, FLUSHALL, the end of a full sync): then all is made anew, and when that has happened too often, at once.
 *
 * Of the stream of a master, what is behind the request waits (replication/stream_applier.ts). Not here:
 * transactions, which have to go on at once.
 */

import { type Database, WatchedKeys, type Watcher } from "../keyspace/database.ts";
import type { LargeValue, MadeValue, ValueWork } from "../keyspace/value_slots.ts";
import type { Words } from "../resp/words.ts";
import type { Call } from "./call.ts";
import type { Client } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { HeldKey } from "./held_keys.ts";
import { Making } from "./sliced_calls.ts";

/** How often it is begun, if the values change while it is being made. */
const ATTEMPTS_MAX = 3;
/** Of how many keys something is made in slices. */
const KEYS_MAX = 64;
/** What a key, held and watched, takes beside the request, about. */
const HELD_KEY_BYTES = 300;

/**
 * Begins to make something of the values that are at the keys now, which are words of `words`: when its turn comes, and
 * again when they have changed. `isAsCalled` says that they are what they were in the call. Null when nothing is to be
 * made of them in slices (any more).
 */
export type Begin = (database: Database, words: Words, isAsCalled: boolean) => ValueWork | null;

class ValueMaking extends Making implements Watcher {
  readonly #held: readonly HeldKey[];
  readonly #watches = new WatchedKeys(this);
  /** The values of which it is made, null for what is not in a slot. */
  #sources: readonly (LargeValue | null)[] = [];
  #work: ValueWork | null = null;
  #isWhole = false;
  #hasChanged = false;
  #attempts = 0;

  constructor(
    readonly dispatcher: Dispatcher,
    client: Client,
    words: Words,
    readonly database: Database,
    keys: readonly number[],
    readonly begin: Begin,
  ) {
    super(dispatcher.sliced, client, words);
    this.#held = keys.map((index) => ({ client, database, key: words.copy(index) }));
    this.#look();
    for (const { key } of this.#held) database.watch(this.#watches, key, 0, key.length);
    dispatcher.heldKeys.hold(this.#held);
  }

  /** Takes note of the values that are there now. */
  #look(): void {
    this.#hasChanged = false;
    this.#sources = this.#held.map((held) => this.#valueOf(held));
  }

  get memoryBytes(): number {
    const made = this.#work?.copy.memoryBytes ?? 0;
    return this.words.bytes.length + this.#held.length * HELD_KEY_BYTES + made;
  }

  /** Watcher. */
  keyChanged(): void {
    this.#hasChanged = true;
  }

  /** Watcher. Those that have been copied are over in the copy as well, and go there. */
  fieldsExpired(): void {}

  step(): boolean {
    const isOfNow = this.#isOfNow;
    if (this.#work === null || !isOfNow) {
      this.#drop();
      if (this.#attempts++ === ATTEMPTS_MAX) return true;
      this.#look();
      this.#work = this.begin(this.database, this.words, isOfNow && this.#attempts === 1);
      if (this.#work === null) return true;
    }
    return this.#isWhole = this.#work.step();
  }

  /** Whether the values are those of which it is made. */
  get #isOfNow(): boolean {
    return !this.#hasChanged &&
      this.#held.every((held, i) => this.#valueOf(held) === this.#sources[i]);
  }

  /** Whether the time of a key is over, as the call at hand has it. */
  get #isOver(): boolean {
    return this.#held.some(({ database, key }) => {
      const ref = database.records.get(key, 0, key.length);
      return ref !== 0 && database.isExpired(ref);
    });
  }

  #valueOf({ database, key }: HeldKey): LargeValue | null {
    return database.largeValueOf(database.records.get(key, 0, key.length));
  }

  /** Hands over what was made, if it is of the values as they are now and all of them are there, else null. */
  take(): MadeValue | null {
    const work = this.#work;
    if (work === null || !this.#isWhole || !this.#isOfNow || this.#isOver) return null;
    work.end();
    this.#work = null;
    return work.copy;
  }

  #drop(): void {
    this.#work?.end();
    this.#work?.copy.dispose?.();
    this.#work = null;
    this.#isWhole = false;
  }

  abandon(): boolean {
    this.#drop();
    this.database.unwatch(this.#watches);
    this.dispatcher.heldKeys.release(this.#held);
    return true;
  }
}

export class Makings {
  constructor(readonly dispatcher: Dispatcher) {}

  /**
   * Parks the client of this call until something is made of the keys in these words. False when it is to go on at
   * once: the client may not wait, or has done so.
   */
  park(call: Call, keys: readonly number[], begin: Begin): boolean {
    const { client, database, words } = call;
    const { dispatcher } = this;
    if (!call.mayPark || !client.mayKeep(words) || this.isAgain(client)) return false;
    if (keys.length > KEYS_MAX) return false;
    // Another's request is short, and not worth its read buffer.
    const kept = client.isMaster ? client.keepRequest(words) : words.clone();
    dispatcher.sliced.park(
      call,
      new ValueMaking(dispatcher, client, kept, database, keys, begin),
    );
    return true;
  }

  /** Whether the request of this client has been parked, and is being run again. */
  isAgain(client: Client): boolean {
    return this.dispatcher.sliced.madeFor(client) instanceof ValueMaking;
  }

  /** What was made for the request of this client, which is the taker's, as `begin` began it; null for nothing. */
  take(client: Client): MadeValue | null {
    const made = this.dispatcher.sliced.madeFor(client);
    return made instanceof ValueMaking ? made.take() : null;
  }
}
