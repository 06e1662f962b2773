/**
 * The few channels that messages keep going to. Looking up a name in the tables of subscriptions costs as
 * much as the rest of a small message; these are found by comparing one name, without a hash of it. With
 * each lies what its messages begin with, the channel included, so that this is made once.
 *
 * A channel comes in with the second message in a row for its place, so one of thousands that take turns
 * costs nothing here.
 */

import { copyBytes, equalBytes } from "../base/bytes.ts";
import { writeInteger } from "../base/integers.ts";

const PLACES = 16;
/** Longer names are rare, and would make this large. */
const NAME_BYTES_MAX = 256;
const NONE = new Uint8Array(0);

class Place {
  /** Its topic; 0 for none. */
  topic = 0;
  /** The topic whose message met this place last. */
  candidate = 0;
  length = 0;
  /** What messages begin with, as RESP2: the name ends two bytes before its end. */
  head: Uint8Array = NONE;
}

export class KnownTopics {
  readonly #places = Array.from({ length: PLACES }, () => new Place());
  /** Whether there may be something in one of the places. */
  #isUsed = false;
  /** What messages of the topic that was found last begin with. */
  head: Uint8Array = NONE;

  /** `prefix` has what all their messages begin with, up to the channel. */
  constructor(readonly prefix: Uint8Array) {}

  /** The topic of this name if it is known, with its `head`; else 0. */
  find(bytes: Uint8Array, offset: number, length: number): number {
    const place = this.#places[placeOf(bytes, offset, length)];
    if (place.length !== length) return 0;
    const { topic, head } = place;
    if (topic === 0 || !equalBytes(head, head.length - 2 - length, length, bytes, offset, length)) {
      return 0;
    }
    this.head = head;
    return topic;
  }

  /** A message goes to this topic, which was not known. */
  note(topic: number, bytes: Uint8Array, offset: number, length: number): void {
    const place = this.#places[placeOf(bytes, offset, length)];
    this.#isUsed = true;
    if (place.candidate !== topic) {
      place.candidate = topic;
      return;
    }
    if (length === 0 || length > NAME_BYTES_MAX) return;
    place.topic = topic;
    place.length = length;
    place.head = headOf(this.prefix, bytes, offset, length);
  }

  /** A topic has gone, or topics have got other numbers. */
  forget(): void {
    if (!this.#isUsed) return;
    this.#isUsed = false;
    for (const place of this.#places) {
      place.topic = place.candidate = place.length = 0;
      place.head = NONE;
    }
  }
}

function placeOf(bytes: Uint8Array, offset: number, length: number): number {
  return length === 0 ? 0 : (bytes[offset + length - 1] + length) & (PLACES - 1);
}

function headOf(prefix: Uint8Array, bytes: Uint8Array, offset: number, length: number): Uint8Array {
  const head = new Uint8Array(prefix.length + length + 8);
  head.set(prefix);
  let at = prefix.length;
  head[at++] = 0x24;
  at += writeInteger(head, at, length);
  head[at++] = 13;
  head[at++] = 10;
  copyBytes(head, at, bytes, offset, length);
  at += length;
  head[at++] = 13;
  head[at++] = 10;
  return head.slice(0, at);
}
