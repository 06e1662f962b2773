/**
 * COPYs of large values, as sliced_calls.ts does what takes long. The value is copied out of everybody's reach; then the
 * request is run again, and finds the copy (`madeOf`). So to others it all happens at that moment, and the value must
 * still be what was copied: others read it meanwhile, and who would change it waits (held_keys.ts). What passes no gate
 * may change it all the same (a blocked client that is served, the stream of a master, FLUSHALL, the end of a full
 * sync): then it is copied anew, and when that has happened too often, at once.
 *
 * Of the stream of a master, what is behind the request waits (replication/stream_applier.ts). Not here:
 * transactions, which have to go on at once.
 */

import { type Database, WatchedKeys, type Watcher } from "../keyspace/database.ts";
import { type LargeValue, type LargeValueCopy, LongString } from "../keyspace/value_slots.ts";
import type { Words } from "../resp/words.ts";
import type { Call } from "./call.ts";
import type { Client } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { HeldKey } from "./held_keys.ts";
import { Making } from "./sliced_calls.ts";

/** Values that take more memory are copied in slices, if the client may wait. */
const COPY_AT_ONCE_BYTES = 256 * 1024;
/** The same of strings, which have no elements. */
const STRING_AT_ONCE_BYTES = 4 << 20;
/** How often a copy is begun, if the value changes while it is being made. */
const ATTEMPTS_MAX = 3;
/** What a key, held and watched, takes beside the request, about. */
const HELD_KEY_BYTES = 300;

class Copying extends Making implements HeldKey, Watcher {
  readonly key: Uint8Array;
  readonly watches = new WatchedKeys(this);
  /** The value that is copied, null before the beginning. */
  #source: LargeValue | null = null;
  #copying: LargeValueCopy | null = null;
  #isWhole = false;
  #hasChanged = false;
  #attempts = 0;

  constructor(
    readonly dispatcher: Dispatcher,
    client: Client,
    words: Words,
    readonly database: Database,
    /** The word that is the key. */
    index: number,
  ) {
    super(dispatcher.sliced, client, words);
    this.key = words.copy(index);
    database.watch(this.watches, this.key, 0, this.key.length);
    dispatcher.heldKeys.hold([this]);
  }

  get memoryBytes(): number {
    const made = this.#copying?.copy.memoryBytes ?? 0;
    return this.words.bytes.length + HELD_KEY_BYTES + made;
  }

  /** Watcher. */
  keyChanged(): void {
    this.#hasChanged = true;
  }

  /** Watcher. Those that have been copied are over in the copy as well, and go there. */
  fieldsExpired(): void {}

  step(): boolean {
    const source = this.#find();
    if (source !== this.#source || this.#hasChanged) {
      this.#drop();
      if (source?.beginCopy === undefined || ++this.#attempts > ATTEMPTS_MAX) return true;
      this.#copying = source.beginCopy();
      this.#source = source;
      this.#hasChanged = false;
    }
    return this.#isWhole = this.#copying!.step();
  }

  /** The value that the key has now; null when there is none in a slot. */
  #find(): LargeValue | null {
    const { database, key } = this;
    return database.largeValueOf(database.records.get(key, 0, key.length));
  }

  /** Hands the copy over if it is one of the value as it is now, else null. */
  take(): LargeValue | null {
    if (!this.#isWhole || this.#hasChanged || this.#find() !== this.#source) return null;
    const copying = this.#copying!;
    copying.end();
    this.#copying = null;
    return copying.copy;
  }

  #drop(): void {
    this.#copying?.end();
    this.#copying?.copy.dispose?.();
    this.#copying = null;
    this.#source = null;
  }

  abandon(): boolean {
    this.#drop();
    this.database.unwatch(this.watches);
    this.dispatcher.heldKeys.release([this]);
    return true;
  }
}

export class Copies {
  constructor(readonly dispatcher: Dispatcher) {}

  /**
   * Parks the client of this call until a copy is made of the value of `ref`, whose key is word `index`. False when it is to
   * go on at once: the value is small, the client may not wait, or has done so.
   */
  park(call: Call, index: number, ref: number): boolean {
    const { client, database, words } = call;
    const { dispatcher } = this;
    const large = database.largeValueOf(ref);
    if (large?.beginCopy === undefined) return false;
    const most = large instanceof LongString ? STRING_AT_ONCE_BYTES : COPY_AT_ONCE_BYTES;
    if (large.memoryBytes <= most) return false;
    if (!call.mayPark || !client.mayKeep(words) || this.isAgain(client)) return false;
    // Another's request is short, and not worth its read buffer.
    const kept = client.isMaster ? client.keepRequest(words) : words.clone();
    dispatcher.sliced.park(call, new Copying(dispatcher, client, kept, database, index));
    return true;
  }

  /** Whether the request of this client has been parked, and is being run again. */
  isAgain(client: Client): boolean {
    return this.dispatcher.sliced.madeFor(client) instanceof Copying;
  }

  /** The copy that was made for the request of this client, which is the taker's; null where there is none. */
  take(client: Client): LargeValue | null {
    const made = this.dispatcher.sliced.madeFor(client);
    return made instanceof Copying ? made.take() : null;
  }
}
