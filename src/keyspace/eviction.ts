/**
 * Eviction: makes room below `maxmemory` by removing keys that the policy finds least worth keeping.
 * Called by dispatch's gate before commands run, and by the timer while there is more to do.
 *
 * The policies that choose (LRU, LFU, shortest time to live) do so by sampling, as Redis does: a few
 * keys are drawn from each database and the best candidates of this and earlier draws are kept in a
 * pool of sixteen, ordered; the best of the pool goes first. With five samples this comes close to the
 * true order at the cost of no memory per key beyond its access clock.
 *
 * A call takes a bounded time. What it leaves is said to be "running": commands are let through
 * meanwhile, as memory is being freed. Evicted keys enter the stream of writes as DEL.
 */

import { copyBytes } from "../base/bytes.ts";
import type { Draw } from "../base/clock.ts";
import type { Database } from "./database.ts";
import { EVENT_EVICTED } from "../base/event_classes.ts";
import type { Keyspace } from "./keyspace.ts";

/** How an attempt to free memory ended: "failed" when nothing more can be removed. */
export type EvictionOutcome = "ok" | "running" | "failed";

const POOL_SIZE = 16;
/** Keys up to this length are kept in a buffer that the pool's place owns. */
const KEPT_KEY_BYTES = 255;
/** A call ends after this time, looked at once every so many keys. */
const CALL_MS_MAX = 0.5;
const KEYS_PER_CHECK = 16;

/** A key that might be evicted. */
class Candidate {
  database = 0;
  length = 0;
  /** The higher, the better to evict; -Infinity for a free place. */
  score = -Infinity;
  readonly #kept = new Uint8Array(KEPT_KEY_BYTES);
  key: Uint8Array = this.#kept;

  set(database: Database, ref: number, score: number): void {
    const { records } = database;
    const length = records.keyLength(ref);
    this.key = length <= KEPT_KEY_BYTES ? this.#kept : new Uint8Array(length);
    copyBytes(this.key, 0, records.bytesOf(ref), records.keyOffset(ref), length);
    this.length = length;
    this.database = database.index;
    this.score = score;
  }
}

/** What eviction asks of the server. */
export interface EvictionOwner {
  /** Bytes in use. Called once a command while `maxmemory` is set, and more often while evicting. */
  usedBytes(): number;
  /** Whether the limit is to be kept now; asked when more than that is in use. */
  mayEvict(): boolean;
  /** Called when a call ends "running": sees to it that `evict` is called again soon. */
  evictSoon(): void;
}

export class Evictor {
  /** `maxmemory-samples`: keys drawn from each database for each key evicted. */
  samples = 5;
  /** `maxmemory` in bytes, 0 for no limit. */
  maxBytes = 0;
  #policy = "noeviction";
  #isVolatile = false;
  #isRandom = false;
  /** By score: free places first, the best candidate last. */
  readonly #pool: Candidate[] = Array.from({ length: POOL_SIZE }, () => new Candidate());
  /** Database that random policies draw from next. */
  #nextDatabase = 0;
  /** The key chosen last. */
  #victim = 0;
  #victimDatabase!: Database;
  #key = new Uint8Array(KEPT_KEY_BYTES);
  /** Since when, by the monotonic clock, memory has been above the limit; null while it is not. */
  #exceededSince: number | null = null;
  #exceededMs = 0;

  constructor(readonly keyspace: Keyspace, readonly owner: EvictionOwner) {}

  /** `maxmemory-policy`. */
  get policy(): string {
    return this.#policy;
  }

  set policy(name: string) {
    this.#policy = name;
    this.#isVolatile = name.startsWith("volatile-");
    this.#isRandom = name.endsWith("-random");
    for (const candidate of this.#pool) candidate.score = -Infinity;
  }

  /** `evict` for the gate: false when a command that needs memory must be refused. */
  freeMemory(): boolean {
    return this.evict() !== "failed";
  }

  /** Removes keys until memory in use is below the limit or time is up. */
  evict(): EvictionOutcome {
    const outcome = this.#evict();
    if (outcome !== "ok") this.#exceededSince ??= this.keyspace.clock.monotonic();
    else if (this.#exceededSince !== null) {
      this.#exceededMs += this.exceedingMs;
      this.#exceededSince = null;
    }
    return outcome;
  }

  /** How long memory in use has been above the limit by now, in ms; 0 while it is not. */
  get exceedingMs(): number {
    const since = this.#exceededSince;
    return since === null ? 0 : this.keyspace.clock.monotonic() - since;
  }

  /** How long it has been in sum, in ms, the present time included. */
  get exceededMs(): number {
    return this.#exceededMs + this.exceedingMs;
  }

  /** CONFIG RESETSTAT. */
  resetExceeded(): void {
    this.#exceededMs = 0;
    if (this.#exceededSince !== null) this.#exceededSince = this.keyspace.clock.monotonic();
  }

  #evict(): EvictionOutcome {
    if (this.maxBytes === 0) return "ok";
    let used = this.owner.usedBytes();
    if (used <= this.maxBytes) return "ok";
    if (!this.owner.mayEvict()) return "ok";
    // What is kept for UNDO goes before anything that is served.
    while (this.keyspace.sealed.dropOldest("maxmemory")) {
      used = this.owner.usedBytes();
      if (used <= this.maxBytes) return "ok";
    }
    if (this.#policy === "noeviction") return "failed";
    const { clock } = this.keyspace;
    const until = clock.monotonic() + CALL_MS_MAX;
    for (let evicted = 1;; evicted++) {
      if (!this.#findVictim()) return "failed";
      const database = this.#victimDatabase;
      const before = database.memoryBytes;
      this.#evictVictim();
      used -= before - database.memoryBytes;
      if (used <= this.maxBytes) {
        // Output written meanwhile counts too, so the sum is taken anew before it is believed.
        used = this.owner.usedBytes();
        if (used <= this.maxBytes) return "ok";
      }
      if (evicted % KEYS_PER_CHECK === 0 && clock.monotonic() >= until) {
        this.owner.evictSoon();
        return "running";
      }
    }
  }

  /** Chooses a key by the policy: sets `#victim` and its database. False when there is none. */
  #findVictim(): boolean {
    return this.#isRandom ? this.#drawVictim() : this.#bestVictim();
  }

  /** A random key, of each database in turn. */
  #drawVictim(): boolean {
    const { databases, draw } = this.keyspace;
    for (let tries = 0; tries < databases.length; tries++) {
      const database = databases[this.#nextDatabase++ % databases.length];
      const ref = this.#draw(database, draw);
      if (ref === 0) continue;
      this.#victim = ref;
      this.#victimDatabase = database;
      return true;
    }
    return false;
  }

  /** A key drawn among those that the policy may evict, or 0. */
  #draw(database: Database, draw: Draw): number {
    return this.#isVolatile ? database.randomExpiring(draw) : database.table.random(draw);
  }

  /** The best candidate of the pool that is still there. */
  #bestVictim(): boolean {
    const pool = this.#pool;
    for (;;) {
      let found = false;
      for (const database of this.keyspace.databases) {
        if (this.#addCandidates(database)) found = true;
      }
      if (!found) return false;
      while (pool[POOL_SIZE - 1].score !== -Infinity) {
        const candidate = this.#takeBest();
        const database = this.keyspace.databases[candidate.database];
        const { records } = database;
        const ref = records.get(candidate.key, 0, candidate.length);
        if (ref === 0 || (this.#isVolatile && Number.isNaN(records.expiryOf(ref)))) continue;
        this.#victim = ref;
        this.#victimDatabase = database;
        return true;
      }
    }
  }

  /** Takes the last candidate out of the pool: its place becomes the first, its key stays readable. */
  #takeBest(): Candidate {
    const pool = this.#pool;
    const best = pool[POOL_SIZE - 1];
    for (let i = POOL_SIZE - 1; i > 0; i--) pool[i] = pool[i - 1];
    pool[0] = best;
    best.score = -Infinity;
    return best;
  }

  /** Draws keys of a database into the pool; false when it has none that may be evicted. */
  #addCandidates(database: Database): boolean {
    const total = this.#isVolatile ? database.expiringCount : database.count;
    if (total === 0) return false;
    const { draw } = this.keyspace;
    const count = Math.min(this.samples, total);
    for (let i = 0; i < count; i++) {
      const ref = this.#draw(database, draw);
      if (ref !== 0) this.#offer(database, ref, this.#score(database, ref));
    }
    return true;
  }

  /** How good it would be to evict this record; comparable within one policy. */
  #score(database: Database, ref: number): number {
    const meta = database.records.metaOf(ref);
    if (this.#policy === "volatile-ttl") return -database.records.expiryOf(ref);
    if (this.#policy.endsWith("-lfu")) return 255 - this.keyspace.lfuCounter(meta);
    return this.keyspace.idleSeconds(meta);
  }

  /** Puts a key into the pool if it is better than the worst there, or if there is room. */
  #offer(database: Database, ref: number, score: number): void {
    const pool = this.#pool;
    const place = pool[0];
    if (score <= place.score) return;
    for (const candidate of pool) {
      if (candidate.score !== -Infinity && isSameKey(candidate, database, ref)) return;
    }
    place.set(database, ref, score);
    let at = 0;
    for (; at + 1 < POOL_SIZE && pool[at + 1].score < score; at++) pool[at] = pool[at + 1];
    pool[at] = place;
  }

  #evictVictim(): void {
    this.keyspace.stream.unit(this.#removeVictim);
  }

  /** Many small keys may have to go for one large value: this makes no objects. */
  readonly #removeVictim = (): void => {
    const { keyspace } = this;
    const { stream } = keyspace;
    const database = this.#victimDatabase;
    const ref = this.#victim;
    const { records } = database;
    const length = records.keyLength(ref);
    if (length > this.#key.length) this.#key = new Uint8Array(length);
    const key = this.#key;
    copyBytes(key, 0, records.bytesOf(ref), records.keyOffset(ref), length);
    database.removeRecord(ref, key, 0, length, EVENT_EVICTED, "evicted", 0);
    keyspace.evictedKeys++;
    if (!stream.isActive) return;
    const name = keyspace.unlinksEvicted ? "UNLINK" : "DEL";
    stream.add(database.index, [name, key.subarray(0, length)]);
  };
}

function isSameKey(candidate: Candidate, database: Database, ref: number): boolean {
  const { records } = database;
  if (candidate.database !== database.index || candidate.length !== records.keyLength(ref)) {
    return false;
  }
  const bytes = records.bytesOf(ref);
  const offset = records.keyOffset(ref);
  for (let i = 0; i < candidate.length; i++) {
    if (candidate.key[i] !== bytes[offset + i]) return false;
  }
  return true;
}
