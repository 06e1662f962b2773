/**
 * A dataset as lines of JSON, one for each function library and each key; docs/json.md describes them for those who
 * read them.
 */

import type { ElementText } from "../../values/element_text.ts";
import { formatDouble } from "../../base/doubles.ts";
import { kindOf } from "../../rdb/kinds/index.ts";
import {
  type ConsumerGroup,
  ENTRIES_READ_UNKNOWN,
  NEVER_ACTIVE,
} from "../../values/stream/consumer_group.ts";
import type { Stream } from "../../values/stream/stream.ts";
import { type BytesSink, ByteWriter } from "../byte_writer.ts";
import type { DatasetOutput } from "./dataset_output.ts";
import type { ShownKey } from "../dataset/dataset.ts";
import { writeJsonString } from "../json_text.ts";
import {
  type ValueVisitor,
  visitEntries,
  visitEntryFields,
  visitPending,
  visitValue,
} from "../dataset/value_visitor.ts";

export class JsonLines implements DatasetOutput, ValueVisitor {
  readonly #out: ByteWriter;
  /** What stands before the next element of the array at hand. */
  #comma = "";

  constructor(sink: BytesSink) {
    this.#out = new ByteWriter(sink);
  }

  begin(): void {}

  end(): void {
    this.#out.flush();
  }

  library(code: Uint8Array): void {
    this.#out.ascii('{"library":');
    writeJsonString(this.#out, code, 0, code.length);
    this.#out.ascii("}\n");
  }

  key({ database, place, ref, expiresAtMs, idleSeconds, frequency }: ShownKey): void {
    const out = this.#out;
    const { records } = place;
    out.ascii(`{"db":${database},"key":`);
    writeJsonString(out, records.bytesOf(ref), records.keyOffset(ref), records.keyLength(ref));
    const { name } = kindOf(records.metaOf(ref));
    out.ascii(`,"type":"${name}","expires_at_ms":${timeText(expiresAtMs)}`);
    if (idleSeconds >= 0) out.ascii(`,"idle_s":${idleSeconds}`);
    if (frequency >= 0) out.ascii(`,"frequency":${frequency}`);
    out.ascii(',"value":');
    const isWhole = name === "string" || name === "stream";
    if (!isWhole) this.#open();
    visitValue(place, ref, this);
    out.ascii(isWhole ? "}\n" : "]}\n");
  }

  // -- values ------------------------------------------------------------------------------------

  #open(): void {
    this.#out.ascii("[");
    this.#comma = "";
  }

  #next(): void {
    this.#out.ascii(this.#comma);
    this.#comma = ",";
  }

  string(bytes: Uint8Array, offset: number, length: number): void {
    writeJsonString(this.#out, bytes, offset, length);
  }

  element(bytes: Uint8Array, offset: number, length: number): void {
    this.#next();
    writeJsonString(this.#out, bytes, offset, length);
  }

  member(bytes: Uint8Array, offset: number, length: number): void {
    this.element(bytes, offset, length);
  }

  scored(bytes: Uint8Array, offset: number, length: number, score: number): void {
    this.#next();
    this.#out.ascii("[");
    writeJsonString(this.#out, bytes, offset, length);
    this.#out.ascii(`,${scoreText(score)}]`);
  }

  field(
    field: Uint8Array,
    fieldOffset: number,
    fieldLength: number,
    value: Uint8Array,
    valueOffset: number,
    valueLength: number,
    expiresAtMs: number,
  ): void {
    const out = this.#out;
    this.#next();
    out.ascii("[");
    writeJsonString(out, field, fieldOffset, fieldLength);
    out.ascii(",");
    writeJsonString(out, value, valueOffset, valueLength);
    if (expiresAtMs === expiresAtMs) out.ascii(`,${expiresAtMs}`);
    out.ascii("]");
  }

  // -- streams -----------------------------------------------------------------------------------

  stream(stream: Stream): void {
    const out = this.#out;
    out.ascii('{"entries":');
    this.#open();
    visitEntries(stream, (cursor) => {
      this.#next();
      out.ascii(`["${cursor.id}",[`);
      let comma = "";
      visitEntryFields(cursor, (field, value) => {
        out.ascii(`${comma}[`);
        this.#text(field);
        out.ascii(",");
        this.#text(value);
        out.ascii("]");
        comma = ",";
      });
      out.ascii("]]");
    });
    const { lastId, maxDeletedId, entriesAdded } = stream;
    out.ascii(
      `],"last_id":"${lastId}","max_deleted_id":"${maxDeletedId}","entries_added":${entriesAdded},"groups":[`,
    );
    stream.groups.items.forEach((group, index) => {
      if (index > 0) out.ascii(",");
      this.#group(group);
    });
    out.ascii("]}");
  }

  #text({ bytes, offset, length }: ElementText): void {
    writeJsonString(this.#out, bytes, offset, length);
  }

  #name(name: Uint8Array): void {
    writeJsonString(this.#out, name, 0, name.length);
  }

  #group(group: ConsumerGroup): void {
    const out = this.#out;
    const { entriesRead } = group;
    out.ascii('{"name":');
    this.#name(group.name);
    const read = entriesRead === ENTRIES_READ_UNKNOWN ? "null" : String(entriesRead);
    out.ascii(`,"last_delivered_id":"${group.lastId}","entries_read":${read},"consumers":[`);
    group.consumers.items.forEach(({ name, seenMs, activeMs }, index) => {
      out.ascii(index > 0 ? ',{"name":' : '{"name":');
      this.#name(name);
      const active = activeMs === NEVER_ACTIVE ? "null" : String(activeMs);
      out.ascii(`,"seen_at_ms":${seenMs},"active_at_ms":${active}}`);
    });
    out.ascii('],"pending":[');
    let comma = "";
    visitPending(group, (id, owner, timeMs, deliveries) => {
      out.ascii(`${comma}["${id}",`);
      this.#name(owner.name);
      out.ascii(`,${timeMs},${deliveries}]`);
      comma = ",";
    });
    out.ascii("]}");
  }
}

function timeText(ms: number): string {
  return ms === ms ? String(ms) : "null";
}

/** JSON has no infinity: those two are strings. */
function scoreText(score: number): string {
  return Number.isFinite(score) ? formatDouble(score) : `"${formatDouble(score)}"`;
}
