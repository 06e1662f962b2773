/**
 * The active expiry cycle: finds keys, and fields of hashes, whose time is over though nobody asks for them.
 * Called by the server's timer; removes them through Database.expireNow and HashView.removeOver, which
 * let replicas and the AOF know.
 *
 * Hashes stand in an index by the time of their first field, and fields in one of their hash, so all that are
 * over go, some at a time. Of keys there is no index by time. The cycle goes round the keys that have an expiry, bucket by bucket, in
 * rounds of a few dozen. As long as a good part of a round was expired it pays to go on; once few are,
 * the rest is left to lookups and to the next call. So the work follows the number of expired keys,
 * and what stays behind is at most about a tenth of the keys with an expiry (less with more effort).
 *
 * A replica leaves this to its master, but for keys that got their expiry from its own clients
 * (`replica-read-only no`): those are remembered one by one.
 *
 * On the way it estimates the average time to live of a database and the share of expired keys.
 */

import { latin1 } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import type { Database } from "./database.ts";
import { EXPIRE_DELETES, EXPIRE_HIDES } from "./expire_mode.ts";
import { HashView } from "./hash.ts";
import type { Keyspace } from "./keyspace.ts";

/** Keys of a round with effort 1, and what each further step adds. */
const ROUND_KEYS = 20;
const ROUND_KEYS_STEP = 5;
/** Percentage of expired keys that ends the work on a database with effort 1; each step lowers it. */
const STALE_ACCEPTED = 10;
/** Buckets of a round at most, for each key: the index may be sparse after many were removed. */
const BUCKETS_PER_KEY = 20;
/** Keys of a replica's own that are looked at in a round. */
const OWN_KEYS = 100;
/** Fields that are removed between two looks at the clock. */
const FIELDS_AT_ONCE = 16;
/** Hashes that are looked at between two looks at the clock. */
const HASHES_PER_LOOK = 16;
/** Share of a slice that is for fields, where there are keys with an expiry too. */
const FIELDS_SHARE = 0.5;
/** Weight of a new estimate against the old one. */
const TTL_WEIGHT = 0.02;
const SHARE_WEIGHT = 0.05;

/** What one round has found; used again by each. */
const expired: number[] = [];
let sampled = 0;
let ttlSum = 0;
let ttlCount = 0;

/**
 * Works for about `budgetMs` by the clock `now` (milliseconds). Returns true when it ran out of time
 * with more to do: call it again soon. Does nothing where expired keys are not ours to remove.
 */
export function expireSlice(keyspace: Keyspace, budgetMs: number, now: () => number): boolean {
  const { databases } = keyspace;
  const until = now() + budgetMs;
  if (keyspace.expireMode === EXPIRE_HIDES) {
    for (const database of databases) if (expireOwn(database, until, now)) return true;
    return false;
  }
  if (keyspace.expireMode !== EXPIRE_DELETES) return false;
  const hasFields = expireFields(keyspace, now() + budgetMs * FIELDS_SHARE, now);
  return expireKeys(keyspace, until, now) || hasFields;
}

/** Looks for keys; returns true when it ran out of time with more to do. */
function expireKeys(keyspace: Keyspace, until: number, now: () => number): boolean {
  const { databases } = keyspace;
  let allSampled = 0;
  let allExpired = 0;
  let isUnfinished = false;
  for (let turn = 0; turn < databases.length && !isUnfinished; turn++) {
    const database = databases[keyspace.expireDatabase % databases.length];
    let left = database.expiringCount;
    while (left > 0) {
      sampleRound(database, keyspace.expireEffort);
      left -= Math.max(1, sampled);
      allSampled += sampled;
      allExpired += expired.length;
      const accepted = STALE_ACCEPTED - (keyspace.expireEffort - 1);
      const isWorthwhile = expired.length * 100 > sampled * accepted;
      removeExpired(database);
      estimateTtl(database);
      // An empty round says nothing of the others: it was spent on empty buckets.
      if (sampled > 0 && !isWorthwhile) break;
      if (now() >= until) {
        isUnfinished = left > 0;
        break;
      }
    }
    if (!isUnfinished) keyspace.expireDatabase = (keyspace.expireDatabase + 1) % databases.length;
  }
  if (isUnfinished) keyspace.expireTimeouts++;
  const share = allSampled === 0 ? 0 : allExpired / allSampled;
  keyspace.expiredShare += (share - keyspace.expiredShare) * SHARE_WEIGHT;
  return isUnfinished;
}

const view = new HashView();

/** Removes fields of hashes; returns true when it ran out of time with more to do. */
function expireFields(keyspace: Keyspace, until: number, now: () => number): boolean {
  const { databases } = keyspace;
  for (let turn = 0; turn < databases.length; turn++) {
    const database = databases[keyspace.expireFieldsDatabase % databases.length];
    let hashes = 0;
    for (let ref = database.hashDue; ref !== 0; ref = database.hashDue) {
      if (expireFieldsOf(database, ref, until, now)) return true;
      if (++hashes % HASHES_PER_LOOK === 0 && now() >= until) return true;
    }
    keyspace.expireFieldsDatabase = (keyspace.expireFieldsDatabase + 1) % databases.length;
  }
  return false;
}

/** Removes fields of one hash, which may be gone then; returns true when time is over. */
function expireFieldsOf(
  database: Database,
  ref: number,
  until: number,
  now: () => number,
): boolean {
  view.open(database, ref);
  let isOver = false;
  try {
    while (!isOver && view.removeOver(FIELDS_AT_ONCE, true) === FIELDS_AT_ONCE && view.count > 0) {
      view.measure();
      isOver = now() >= until;
    }
  } finally {
    view.tellLapsed();
  }
  return isOver;
}

/** Looks at the keys of a replica's own; returns true when it ran out of time with more to do. */
function expireOwn(database: Database, until: number, now: () => number): boolean {
  const { ownExpiries, records, keyspace } = database;
  if (ownExpiries === null) return false;
  for (let left = ownExpiries.size; left > 0; left -= OWN_KEYS) {
    let expiredCount = 0;
    for (const name of [...ownExpiries.keys().take(OWN_KEYS)]) {
      // Those that stay have their next turn after all others.
      ownExpiries.delete(name);
      const key = latin1(name);
      const ref = records.find(key, 0, key.length, hashBytes(key, 0, key.length));
      if (ref === 0) continue;
      const expiresAtMs = records.expiryOf(ref);
      if (expiresAtMs < keyspace.nowMs) {
        database.expireNow(ref);
        expiredCount++;
      } else if (expiresAtMs === expiresAtMs) ownExpiries.add(name);
    }
    if (expiredCount * 100 <= OWN_KEYS * STALE_ACCEPTED) break;
    if (now() >= until) return ownExpiries.size > 0;
  }
  if (ownExpiries.size === 0) database.ownExpiries = null;
  return false;
}

/** Looks at the keys of the next buckets: fills `expired` and the sums. */
function sampleRound(database: Database, effort: number): void {
  const { records, keyspace } = database;
  const nowMs = keyspace.nowMs;
  const enough = ROUND_KEYS + ROUND_KEYS_STEP * (effort - 1);
  expired.length = 0;
  sampled = 0;
  ttlSum = 0;
  ttlCount = 0;
  const look = (ref: number): void => {
    sampled++;
    const ttl = records.expiryOf(ref) - nowMs;
    if (ttl < 0) expired.push(ref);
    else {
      ttlSum += ttl;
      ttlCount++;
    }
  };
  let buckets = enough * BUCKETS_PER_KEY;
  let cursor = database.expireCursor;
  do {
    cursor = database.scanExpiring(cursor, look);
  } while (sampled < enough && --buckets > 0 && cursor !== 0);
  database.expireCursor = cursor;
}

/** Removes what the round has found: each key is a unit of the stream by itself. */
function removeExpired(database: Database): void {
  const { stream } = database.keyspace;
  for (const ref of expired) stream.unit(() => database.expireNow(ref));
}

function estimateTtl(database: Database): void {
  if (ttlCount === 0) return;
  const average = ttlSum / ttlCount;
  if (database.averageTtlMs === 0) database.averageTtlMs = average;
  else database.averageTtlMs += (average - database.averageTtlMs) * TTL_WEIGHT;
}
