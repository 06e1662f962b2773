/**
 * Clients that wait for keys: BLPOP and its kin. Beside dispatch and the handlers of blocking commands.
 *
 * A handler that finds nothing parks its client here with a copy of the request, and returns. When a
 * key of the right type appears (Database.addRecord, or a SWAPDB), the key is "ready": after the
 * command, transaction or script that made it, the requests that wait for it are run again in order of
 * their arrival, as long as there is something to take. A request that still finds nothing parks
 * again, which leaves it where it was in the queue. So a blocking command is its non-blocking form plus
 * one call of `park`, and enters the stream of writes in the form that its handler chooses.
 *
 * Each served request is a unit of the stream by itself. Timeouts are kept by the server's timer
 * through `expire`, which also lets go of clients that have gone.
 */

import { latin1, toLatin1 } from "../base/bytes.ts";
import { checkAccess, DENIED_NOTHING } from "./access_check.ts";
import type { Command } from "./command.ts";
import { type Database, WatchedKeys, type Watcher } from "../keyspace/database.ts";
import type { Words } from "../resp/words.ts";
import type { Call } from "./call.ts";
import type { Client, Park } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";

/** What a parked request waits for. */
export interface Wait {
  /** TYPE_* that a key must have to be of interest. */
  readonly type: number;
  /** Words of the request that are the keys: `keyCount` from `firstKey` on. */
  readonly firstKey: number;
  readonly keyCount: number;
  /** By `Keyspace.steadyMs`; Infinity to wait for ever. */
  readonly deadlineMs: number;
  /** What is answered when time is up: a null, or a null array. */
  readonly timeoutReply: "null" | "nullArray";
  /**
   * What is run again in place of the request, where that would mean something else later (XREAD from
   * "$" has to remember where it began). `firstKey` and `keyCount` are of these words.
   */
  readonly words?: Words;
  /**
   * Whether the request is also run again when one of its keys changes in any way: goes, or becomes
   * one of another type. It then says what that means for it, or parks again having changed nothing.
   */
  readonly hearsChanges?: boolean;
}

/** Watches a key in place of a client: a change makes it a key to be looked at. */
class ChangeWatch implements Watcher {
  readonly keys = new WatchedKeys(this);

  constructor(readonly database: Database, readonly key: string) {}

  keyChanged(): void {
    const { keyspace, index } = this.database;
    keyspace.readyKeys.push({ database: index, key: this.key });
  }
}

const MASTER_WOULD_WAIT = "ERR what the master has carried out would wait here for keys";

/** Approximate memory of a key that a request waits for, beside its bytes. */
const AWAITED_KEY_BYTES = 300;

class Waiter implements Park {
  readonly isBlocking = true;
  readonly memoryBytes: number;
  /** The request was run again and found nothing. */
  isParkedAgain = false;
  /** What is run again. */
  words: Words;
  readonly watches: ChangeWatch[] = [];

  constructor(
    readonly owner: Blocking,
    readonly client: Client,
    readonly database: Database,
    readonly command: Command,
    /** As it came. */
    readonly request: Words,
    readonly keys: readonly string[],
    readonly wait: Wait,
  ) {
    this.words = wait.words ?? request;
    let bytes = request.bytes.length;
    for (const key of keys) bytes += key.length + AWAITED_KEY_BYTES;
    this.memoryBytes = bytes;
  }

  unblock(withError: boolean): void {
    this.owner.release(
      this,
      withError ? "UNBLOCKED client unblocked via CLIENT UNBLOCK" : null,
    );
  }
}

export class Blocking {
  readonly #waiters = new Set<Waiter>();
  /** By database number and key (latin1): who waits, in order of arrival. */
  readonly #byKey: Map<string, Set<Waiter>>[] = [];
  /** The request being run again. */
  #current: Waiter | null = null;

  constructor(readonly dispatcher: Dispatcher) {}

  /**
   * Parks the client of this call until a key is ready or time is up; a request of our master is an error instead, as
   * nothing behind it would be applied. Not to be called within EXEC.
   */
  park(call: Call, wait: Wait): void {
    const { client, words, database } = call;
    // What a master has carried out has not waited there: where it would here, the datasets have parted.
    if (client.isMaster) return call.reply.error(MASTER_WOULD_WAIT);
    call.isParked = true;
    const current = this.#current;
    if (current !== null && current.client === client) {
      current.isParkedAgain = true;
      if (wait.words !== undefined) current.words = wait.words;
      return;
    }
    const asked = wait.words ?? words;
    const keys: string[] = [];
    for (let i = wait.firstKey; i < wait.firstKey + wait.keyCount; i++) {
      keys.push(toLatin1(asked.bytes, asked.starts[i], asked.lengths[i]));
    }
    const waiter = new Waiter(this, client, database, call.command, words.clone(), keys, wait);
    const byKey = this.#byKey[database.index] ??= new Map();
    for (const key of keys) {
      const queue = byKey.get(key);
      if (queue === undefined) byKey.set(key, new Set([waiter]));
      else queue.add(waiter);
    }
    database.awaited = byKey;
    if (wait.hearsChanges === true) {
      for (const key of new Set(keys)) {
        const watch = new ChangeWatch(database, key);
        database.watch(watch.keys, latin1(key), 0, key.length);
        waiter.watches.push(watch);
      }
    }
    this.#waiters.add(waiter);
    client.park = waiter;
    call.server.clients.blockedCount++;
  }

  /** How many keys are waited for, those that hear of changes among them counted once more. */
  keyCounts(): { readonly all: number; readonly hearingChanges: number } {
    let all = 0;
    let hearingChanges = 0;
    for (const byKey of this.#byKey) {
      if (byKey === undefined) continue;
      all += byKey.size;
      for (const queue of byKey.values()) {
        for (const { wait } of queue) {
          if (wait.hearsChanges !== true) continue;
          hearingChanges++;
          break;
        }
      }
    }
    return { all, hearingChanges };
  }

  /** How many clients wait for a limited time. */
  get timedCount(): number {
    let count = 0;
    for (const { wait } of this.#waiters) if (wait.deadlineMs !== Infinity) count++;
    return count;
  }

  /** Whether the call at hand is of a request that was parked. */
  get isRunningAgain(): boolean {
    return this.#current !== null;
  }

  /** Runs requests whose keys have become ready. To be called when a unit of work has ended. */
  serveReady(): void {
    const { keyspace } = this.dispatcher.server;
    while (keyspace.readyKeys.length > 0) {
      // What made a key may have taken longer than the key was to live.
      keyspace.refreshTime();
      const ready = keyspace.readyKeys;
      keyspace.readyKeys = [];
      for (const { database, key } of ready) this.#serveKey(keyspace.databases[database], key);
    }
  }

  #serveKey(database: Database, key: string): void {
    const queue = this.#byKey[database.index]?.get(key);
    if (queue === undefined) return;
    const bytes = latin1(key);
    for (const waiter of [...queue]) {
      const { client, wait } = waiter;
      if (client.isClosed) this.#abandon(waiter);
      else if (wait.hearsChanges === true || this.#hasKey(database, bytes, wait.type)) {
        this.#runAgain(waiter);
      }
    }
  }

  /** A key past its time serves nobody, and is left for who asks for it, as in Redis. */
  #hasKey(database: Database, bytes: Uint8Array, type: number): boolean {
    const ref = database.records.get(bytes, 0, bytes.length);
    return ref !== 0 && !database.isExpired(ref) && database.typeOf(ref) === type;
  }

  #runAgain(waiter: Waiter): void {
    const { client, command, words } = waiter;
    const { user } = client;
    if (user !== null && checkAccess(user, command, words) !== DENIED_NOTHING) {
      this.#refuse(waiter);
      return;
    }
    waiter.isParkedAgain = false;
    client.park = null;
    this.#current = waiter;
    try {
      this.dispatcher.call(client, command, words);
    } finally {
      this.#current = null;
    }
    this.dispatcher.endUnit(client);
    const { hub } = this.dispatcher.server;
    if (hub.hasDeferred) hub.deliverDeferred();
    if (waiter.isParkedAgain) client.park = waiter;
    else {
      this.#abandon(waiter);
      client.transport.resume();
    }
  }

  /** Ends timeouts that are up, and the waiting of clients that have gone. */
  expire(steadyMs: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.client.isClosed) this.#abandon(waiter);
      else if (waiter.wait.deadlineMs <= steadyMs) this.release(waiter, null);
    }
  }

  /** Ends all waiting with an error: when the server stops being a master. */
  releaseAll(errorText: string): void {
    for (const waiter of this.#waiters) this.release(waiter, errorText);
  }

  /** Ends the waiting of one client with an error, or (null) as by its timeout. */
  release(waiter: Waiter, errorText: string | null): void {
    if (!this.#forget(waiter)) return;
    const { client, command, request, wait } = waiter;
    this.dispatcher.endParked(
      client,
      command,
      request,
      errorText ?? ((reply) => wait.timeoutReply === "null" ? reply.null() : reply.nullArray()),
    );
  }

  /** Its rights have become others since it was parked: it is told so, and has not run. */
  #refuse(waiter: Waiter): void {
    if (!this.#forget(waiter)) return;
    this.dispatcher.refuseParked(waiter.client, waiter.command, waiter.request);
  }

  /** It waits no more, and nothing is said of that here. */
  #abandon(waiter: Waiter): void {
    if (this.#forget(waiter)) this.dispatcher.server.clients.blockedCount--;
  }

  /** False when that has been done already. */
  #forget(waiter: Waiter): boolean {
    if (!this.#waiters.delete(waiter)) return false;
    const { database, keys } = waiter;
    const byKey = this.#byKey[database.index];
    for (const key of keys) {
      const queue = byKey.get(key);
      if (queue === undefined) continue; // given twice
      queue.delete(waiter);
      if (queue.size === 0) byKey.delete(key);
    }
    if (byKey.size === 0) database.awaited = null;
    for (const watch of waiter.watches) database.unwatch(watch.keys);
    return true;
  }
}
