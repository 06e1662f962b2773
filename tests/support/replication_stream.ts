/**
 * A recorded replication link taken apart: the handshake, the answer to PSYNC or SYNC, the RDB, and
 * the stream of writes with its place in the whole stream.
 */

import { toLatin1 } from "../../src/base/bytes.ts";
import { lowerVersion } from "../../src/rdb/payload_version.ts";
import type { Link } from "./replication_proxy.ts";

/** A stretch of the stream of writes. */
export interface Stretch {
  /** The offset before its first byte. */
  from: number;
  bytes: Uint8Array;
}

/** One recorded link, as far as it came. */
export interface RecordedSync {
  kind: "full" | "partial" | "none";
  /** The id that the master named, empty for the `+CONTINUE` of old masters. */
  replid: string;
  /** Null for a partial resync, and when the link ended before or within it. */
  rdb: Uint8Array | null;
  isDiskless: boolean;
  stream: Stretch | null;
}

/** Takes a link apart. */
export function recordedSync(link: Link): RecordedSync {
  return readSync(link.recorded("toMaster"), link.recorded("toReplica"));
}

/** Takes apart what a replica and its master have sent. */
export function readSync(toMaster: Uint8Array, toReplica: Uint8Array): RecordedSync {
  const none: RecordedSync = {
    kind: "none",
    replid: "",
    rdb: null,
    isDiskless: false,
    stream: null,
  };
  const asked = toLatin1(toMaster);
  const answer = toLatin1(toReplica);
  const partial = /(?:^|\r\n|\n)\+CONTINUE(?: ([0-9a-f]{40}))?\r\n/.exec(answer);
  const full = /(?:^|\r\n|\n)\+FULLRESYNC ([0-9a-f]{40}) (\d+)\r\n/.exec(answer);
  if (partial !== null && (full === null || partial.index < full.index)) {
    const psync = /PSYNC(?: |\r\n\$\d+\r\n)[0-9a-f]{40}(?: |\r\n\$\d+\r\n)(\d+)\r\n/i.exec(asked);
    if (psync === null) throw new Error("a +CONTINUE that nobody asked for by PSYNC");
    const bytes = toReplica.subarray(partial.index + partial[0].length);
    const stream = { from: Number(psync[1]) - 1, bytes };
    return { ...none, kind: "partial", replid: partial[1] ?? "", stream };
  }
  if (full === null) return none;
  const found: RecordedSync = { ...none, kind: "full", replid: full[1] };
  const from = Number(full[2]);
  let at = full.index + full[0].length;
  while (answer[at] === "\n") at++;
  const end = answer.indexOf("\r\n", at);
  if (end < 0) return found;
  const head = answer.slice(at, end);
  at = end + 2;
  if (head.startsWith("$EOF:")) {
    found.isDiskless = true;
    const mark = head.slice(5);
    const markAt = answer.indexOf(mark, at);
    if (markAt < 0) return found;
    found.rdb = toReplica.subarray(at, markAt);
    at = markAt + mark.length;
  } else {
    const size = Number(head.slice(1));
    if (toReplica.length < at + size) return found;
    found.rdb = toReplica.subarray(at, at + size);
    at += size;
  }
  found.stream = { from, bytes: toReplica.subarray(at) };
  return found;
}

/** A word of a command in a stream: where its bytes stand. */
interface WordPlace {
  start: number;
  length: number;
}

/** The commands of a stream that begins with one, up to the one within which it was cut. */
function* commandsIn(bytes: Uint8Array): Iterable<WordPlace[]> {
  const text = toLatin1(bytes);
  for (let at = 0; text[at] === "*";) {
    const words: WordPlace[] = [];
    let end = text.indexOf("\r\n", at);
    let left = Number(text.slice(at + 1, end));
    at = end + 2;
    for (; left > 0 && text[at] === "$"; left--) {
      end = text.indexOf("\r\n", at);
      const length = Number(text.slice(at + 1, end));
      words.push({ start: end + 2, length });
      at = end + 2 + length + 2;
    }
    if (left > 0 || at > text.length) return; // it comes again
    yield words;
  }
}

/**
 * A stream whose payloads of RESTORE name the first version that can hold them, as tsredis hands them on: see
 * "Payloads in the stream" in NOTES.
 */
function withLowVersions(stream: Stretch): Stretch {
  const bytes = stream.bytes.slice();
  for (const words of commandsIn(stream.bytes)) {
    const name = toLatin1(bytes.subarray(words[0].start, words[0].start + words[0].length));
    if (/^restore$/i.test(name)) lowerVersion(bytes, words[3].start, words[3].length);
  }
  return { ...stream, bytes };
}

/**
 * Compares what went over two hops of a chain wherever both went over the same stretch of the
 * stream; fails where a byte differs, but for the version that a payload of RESTORE names. Gives how many bytes were
 * compared.
 */
export function assertSameStream(upper: Link[], lower: Link[]): number {
  let compared = 0;
  const stretches = (links: Link[]) =>
    links.map((link) => recordedSync(link).stream).filter((stream) => stream !== null)
      .map(withLowVersions);
  for (const one of stretches(upper)) {
    for (const other of stretches(lower)) {
      const from = Math.max(one.from, other.from);
      const to = Math.min(one.from + one.bytes.length, other.from + other.bytes.length);
      if (to <= from) continue;
      const left = one.bytes.subarray(from - one.from, to - one.from);
      const right = other.bytes.subarray(from - other.from, to - other.from);
      const at = left.findIndex((byte, i) => byte !== right[i]);
      if (at >= 0) {
        const around = (bytes: Uint8Array) =>
          JSON.stringify(toLatin1(bytes.subarray(Math.max(0, at - 60), at + 60)));
        throw new Error(
          `the two hops differ at offset ${from + at + 1}:\n  ${around(left)}\n  ${around(right)}`,
        );
      }
      compared += to - from;
    }
  }
  return compared;
}

/**
 * The last commands of a recorded stream that name this key, for the message of a failing test: how
 * it came to hold what it holds.
 */
export function lastCommandsOn(links: Link[], key: string, count = 15): string[] {
  const found: string[] = [];
  let database = "?";
  for (const { stream } of links.map(recordedSync)) {
    if (stream === null) continue;
    const text = toLatin1(stream.bytes);
    for (const places of commandsIn(stream.bytes)) {
      const words = places.map(({ start, length }) => text.slice(start, start + length));
      if (/^select$/i.test(words[0])) database = words[1];
      if (words.slice(1).includes(key) || /^(flush|swapdb)/i.test(words[0])) {
        found.push(
          `${stream.from + places[0].start} db ${database}: ${JSON.stringify(words).slice(0, 300)}`,
        );
      }
    }
  }
  return found.slice(-count);
}
