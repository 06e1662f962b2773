/** What `tsredis convert --json` writes, in the form of the JSON beside the corpus' files: an oracle of its own. */

import { toLatin1 } from "../../src/base/bytes.ts";
import { jsonString, scoreOf } from "../rdb/datasets.ts";

interface JsonBytes {
  readonly base64: string;
}
type Text = string | JsonBytes;

/** A line of the output. */
export interface JsonLine {
  readonly library?: Text;
  readonly db: number;
  readonly key: Text;
  readonly type: string;
  readonly expires_at_ms: number | null;
  readonly idle_s?: number;
  readonly frequency?: number;
  // deno-lint-ignore no-explicit-any
  readonly value: any;
}

/** The bytes of a string, as latin1. */
export function textOf(text: Text): string {
  if (typeof text === "string") return toLatin1(new TextEncoder().encode(text));
  return atob(text.base64);
}

export function linesOf(path: string): JsonLine[] {
  const text = Deno.readTextFileSync(path);
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** The sources of the libraries. */
export function librariesOf(lines: readonly JsonLine[]): string[] {
  return lines.flatMap(({ library }) => library === undefined ? [] : [textOf(library)]);
}

function shown(text: Text) {
  return jsonString(textOf(text));
}

function byText<T>(textAt: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => textAt(a) < textAt(b) ? -1 : textAt(a) > textAt(b) ? 1 : 0;
}

/** Keys by database and name, as `expectedDataset` of the corpus has them; of streams what lines tell. */
export function datasetOf(lines: readonly JsonLine[]): Record<string, Record<string, unknown>> {
  const dbs: Record<string, Record<string, unknown>> = {};
  for (const line of lines) {
    if (line.library !== undefined) continue;
    const name = shown(line.key);
    const key = typeof name === "string" ? name : `\u0001sha1:${name.sha1}:${name.len}`;
    (dbs[line.db] ??= {})[key] = keyOf(line);
  }
  return dbs;
}

function keyOf({ type, expires_at_ms, value }: JsonLine) {
  const key = { type, ttl_ms_at: expires_at_ms };
  if (type === "string") return { ...key, value: shown(value) };
  if (type === "list") return { ...key, value: value.map(shown) };
  if (type === "set") {
    return {
      ...key,
      value: value.map(textOf).toSorted(byText((text) => text as string)).map(jsonString),
    };
  }
  if (type === "zset") {
    const pairs = value as [Text, number | string][];
    return {
      ...key,
      value: pairs.map(([member, score]) => [
        shown(member),
        typeof score === "string" ? scoreOf(score) : score,
      ]),
    };
  }
  return type === "hash" ? { ...key, ...hashOf(value) } : { ...key, value: streamOf(value) };
}

function hashOf(value: [Text, Text, number?][]) {
  const sorted = value.map((pair) => pair).sort(byText(([field]) => textOf(field)));
  const timed = sorted.filter(([, , time]) => time !== undefined)
    .map(([field, , time]) => [shown(field), time]);
  return {
    value: sorted.map(([field, content]) => [shown(field), shown(content)]),
    ...(timed.length > 0 ? { field_ttl_ms_at: timed } : {}),
  };
}

// deno-lint-ignore no-explicit-any
function streamOf({ entries, last_id, max_deleted_id, entries_added, groups }: any) {
  return {
    entries: entries.map(([id, pairs]: [string, [Text, Text][]]) => [
      id,
      pairs.map((pair) => pair.map(shown)),
    ]),
    last_id,
    max_deleted_id,
    entries_added,
    // deno-lint-ignore no-explicit-any
    groups: groups.map((group: any) => ({
      name: shown(group.name),
      last_delivered_id: group.last_delivered_id,
      entries_read: group.entries_read,
      pending: group.pending.map((
        [id, consumer, at, deliveries]: [string, Text, number, number],
      ) => [
        id,
        shown(consumer),
        deliveries,
        at,
      ]),
      // deno-lint-ignore no-explicit-any
      consumers: group.consumers.map((consumer: any) => ({
        name: shown(consumer.name),
        seen_ms: consumer.seen_at_ms,
        active_ms: consumer.active_at_ms,
      })),
    })),
  };
}

/**
 * What the corpus says of its keys, without what lines of JSON do not tell as it follows from the rest. When consumers
 * were seen is told by snapshots alone: in commands it is when they are run.
 */
export function told(
  dbs: Record<string, Record<string, unknown>>,
  tellsWhenSeen = true,
): Record<string, Record<string, unknown>> {
  return JSON.parse(JSON.stringify(dbs, (name, value) => {
    if (name === "lag" || name === "first_id") return undefined;
    if (value === Infinity || value === -Infinity) return `${value}`;
    if (value?.seen_ms === undefined) return value;
    if (!tellsWhenSeen) return { name: value.name };
    // Which ids are pending for a consumer stands in the list of its group.
    return {
      name: value.name,
      seen_ms: value.seen_ms,
      active_ms: value.active_ms < 0 ? null : value.active_ms,
    };
  }));
}
