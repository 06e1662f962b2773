/**
 * The content of a value as a number of 128 bits, the same whatever its encoding and the order in which tables have
 * their elements:
 *
 *     string            the hash of its bytes
 *     list              the hash of its elements' hashes, in order
 *     set               the sum of its members' hashes
 *     sorted set, hash  the sum of hashes, each of member and score, or of field, value and expiry
 *     stream            the hash of entries, ids, groups, consumers and what is pending, in order
 *
 * When consumers were seen is no content. Neither are counts that only Redis 7 keeps (entries ever added, entries that
 * a group has read, the greatest id ever deleted), where one side is from before it.
 */

import type { Database } from "../../keyspace/database.ts";
import type { TimedPairVisitor } from "../../keyspace/hash.ts";
import type { ConsumerGroup } from "../../values/stream/consumer_group.ts";
import type { Stream } from "../../values/stream/stream.ts";
import type { StreamId } from "../../values/stream/stream_id.ts";
import { Hash128 } from "./hash128.ts";
import {
  type ValueVisitor,
  visitEntries,
  visitEntryFields,
  visitPending,
  visitValue,
} from "../dataset/value_visitor.ts";

// What is hashed, so that equal bytes of different meaning do not look the same.
const VALUE = 1;
const PART = 2;

export class Fingerprint implements ValueVisitor {
  /** The fingerprint of the value that `of` has seen. */
  readonly sum = new Hash128();
  /** Elements of it that count. */
  parts = 0;
  readonly #comparesCounts: boolean;
  readonly #nowMs: number;
  readonly #part = new Hash128();
  readonly #pair = new Hash128();

  /** Fields whose time is over at `nowMs` do not count. */
  constructor(comparesCounts: boolean, nowMs: number) {
    this.#comparesCounts = comparesCounts;
    this.#nowMs = nowMs;
  }

  /** Takes the fingerprint of a record's value; false when nothing of it counts: to a client there is no such key. */
  of(database: Database, ref: number): boolean {
    this.sum.begin(VALUE);
    this.parts = 0;
    visitValue(database, ref, this);
    this.sum.finish();
    return this.parts > 0;
  }

  string(bytes: Uint8Array, offset: number, length: number): void {
    this.parts++;
    this.sum.addBytes(bytes, offset, length);
  }

  element(bytes: Uint8Array, offset: number, length: number): void {
    this.parts++;
    this.sum.addBytes(bytes, offset, length);
  }

  member(bytes: Uint8Array, offset: number, length: number): void {
    this.#count(this.#part.ofBytes(PART, bytes, offset, length));
  }

  scored(bytes: Uint8Array, offset: number, length: number, score: number): void {
    const pair = this.#pair.begin(PART);
    pair.addBytes(bytes, offset, length);
    pair.addNumber(score + 0); // no encoding but one tells -0 from 0
    this.#count(pair.finish());
  }

  field(...pair: Parameters<TimedPairVisitor>): void {
    const [field, fieldAt, fieldLength, value, valueAt, valueLength, expiresAtMs] = pair;
    if (expiresAtMs < this.#nowMs) return;
    const hash = this.#pair.begin(PART);
    hash.addBytes(field, fieldAt, fieldLength);
    hash.addBytes(value, valueAt, valueLength);
    if (expiresAtMs === expiresAtMs) hash.addNumber(expiresAtMs);
    this.#count(hash.finish());
  }

  /** Adds one of several in no order. */
  #count({ a, b, c, d }: Hash128): void {
    this.parts++;
    const { sum } = this;
    sum.a = (sum.a + a) | 0;
    sum.b = (sum.b + b) | 0;
    sum.c = (sum.c + c) | 0;
    sum.d = (sum.d + d) | 0;
  }

  // -- streams -----------------------------------------------------------------------------------

  stream(stream: Stream): void {
    this.parts = 1;
    const { sum } = this;
    visitEntries(stream, (cursor) => {
      this.#id(cursor.id);
      sum.addNumber(cursor.fieldCount);
      visitEntryFields(cursor, (field, value) => {
        sum.addBytes(field.bytes, field.offset, field.length);
        sum.addBytes(value.bytes, value.offset, value.length);
      });
    });
    this.#id(stream.lastId);
    if (this.#comparesCounts) {
      this.#id(stream.maxDeletedId);
      sum.addNumber(Number(stream.entriesAdded));
    }
    for (const group of stream.groups.items) this.#group(group);
  }

  #id({ msHigh, msLow, seqHigh, seqLow }: StreamId): void {
    this.sum.block(msHigh, msLow, seqHigh, seqLow);
  }

  #group(group: ConsumerGroup): void {
    const { sum } = this;
    sum.addBytes(group.name, 0, group.name.length);
    this.#id(group.lastId);
    if (this.#comparesCounts) sum.addNumber(Number(group.entriesRead));
    const { items } = group.consumers;
    sum.addNumber(items.length);
    for (const { name } of items) sum.addBytes(name, 0, name.length);
    const places = new Map(items.map(({ number }, place) => [number, place]));
    visitPending(group, (id, { number }, timeMs, deliveries) => {
      this.#id(id);
      sum.addNumber(places.get(number)!);
      sum.addNumber(timeMs);
      sum.addNumber(deliveries);
    });
  }
}
