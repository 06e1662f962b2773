/**
 * A value as parts that have a name and a content, so that two values of a type can be compared part by part, and what
 * is different be told.
 */

import type { Database } from "../../keyspace/database.ts";
import type { TimedPairVisitor } from "../../keyspace/hash.ts";
import { toLatin1 } from "../../base/bytes.ts";
import { quoted } from "../../base/printable.ts";
import { formatDouble } from "../../base/doubles.ts";
import { ENTRIES_READ_UNKNOWN } from "../../values/stream/consumer_group.ts";
import type { Stream } from "../../values/stream/stream.ts";
import {
  type ValueVisitor,
  visitEntries,
  visitEntryFields,
  visitPending,
  visitValue,
} from "../dataset/value_visitor.ts";

export interface ValuePart {
  /** What it is: "field", "member", "element", "entry", "group" … */
  readonly kind: string;
  /** Which one of those it is, as it is printed. */
  readonly name: string;
  /** What it holds, empty where it is just there: bytes as latin1 if `isBytes`, else as it is printed. */
  readonly content: string;
  readonly isBytes: boolean;
  /** Of a field: when it expires, Unix time in ms; NaN for not at all. */
  readonly expiresAtMs: number;
}

/** Shows the parts of a value, those of a list and a stream in order. What does not count is left out, as in Fingerprint. */
export function visitParts(
  database: Database,
  ref: number,
  comparesCounts: boolean,
  nowMs: number,
  visit: (part: ValuePart) => void,
): void {
  visitValue(database, ref, new PartsVisitor(comparesCounts, nowMs, visit));
}

class PartsVisitor implements ValueVisitor {
  #index = 0;

  constructor(
    readonly comparesCounts: boolean,
    readonly nowMs: number,
    readonly visit: (part: ValuePart) => void,
  ) {}

  #show(kind: string, name: string, content = ""): void {
    this.visit({ kind, name, content, isBytes: false, expiresAtMs: NaN });
  }

  #showBytes(kind: string, name: string, content: string, expiresAtMs = NaN): void {
    this.visit({ kind, name, content, isBytes: true, expiresAtMs });
  }

  string(bytes: Uint8Array, offset: number, length: number): void {
    this.#showBytes("string", "", toLatin1(bytes, offset, length));
  }

  element(bytes: Uint8Array, offset: number, length: number): void {
    this.#showBytes("element", String(this.#index++), toLatin1(bytes, offset, length));
  }

  member(bytes: Uint8Array, offset: number, length: number): void {
    this.#show("member", textOf(bytes, offset, length));
  }

  scored(bytes: Uint8Array, offset: number, length: number, score: number): void {
    this.#show("member", textOf(bytes, offset, length), formatDouble(score + 0));
  }

  field(...pair: Parameters<TimedPairVisitor>): void {
    const [field, fieldAt, fieldLength, value, valueAt, valueLength, expiresAtMs] = pair;
    if (expiresAtMs < this.nowMs) return;
    const name = textOf(field, fieldAt, fieldLength);
    this.#showBytes("field", name, toLatin1(value, valueAt, valueLength), expiresAtMs);
  }

  stream(stream: Stream): void {
    visitEntries(stream, (cursor) => {
      const words: string[] = [];
      visitEntryFields(cursor, (field, value) => {
        words.push(textOf(field.bytes, field.offset, field.length));
        words.push(textOf(value.bytes, value.offset, value.length));
      });
      this.#show("entry", cursor.id.toString(), words.join(" "));
    });
    this.#show("last-id", "", stream.lastId.toString());
    if (this.comparesCounts) {
      this.#show("max-deleted-id", "", stream.maxDeletedId.toString());
      this.#show("entries-added", "", String(stream.entriesAdded));
    }
    for (const group of stream.groups.items) {
      const name = textOf(group.name);
      const { entriesRead } = group;
      const read = entriesRead === ENTRIES_READ_UNKNOWN ? "unknown" : String(entriesRead);
      const counted = this.comparesCounts ? ` read ${read}` : "";
      this.#show("group", name, `at ${group.lastId}${counted}`);
      for (const consumer of group.consumers.items) {
        this.#show("consumer", `${name}/${textOf(consumer.name)}`);
      }
      visitPending(group, (id, owner, timeMs, deliveries) => {
        const content = `${textOf(owner.name)} at ${timeMs}, ${deliveries} times`;
        this.#show("pending", `${name}/${id}`, content);
      });
    }
  }
}

function textOf(bytes: Uint8Array, offset = 0, length = bytes.length): string {
  return quoted(toLatin1(bytes, offset, length));
}
