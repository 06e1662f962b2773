/**
 * The thread of `replica.ts`. It speaks as much of the replication protocol as a full sync over the socket takes:
 *
 *     REPLCONF capa eof, PSYNC ? -1  ──►  +FULLRESYNC <id> <offset>, $EOF:<mark>, the snapshot, <mark>
 *     REPLCONF ACK <offset>          ──►  the stream of writes
 */

import { encodeCommand } from "../compare/client.ts";
import { answerEach, nowMs, pause } from "./asked_worker.ts";
import type { ReplicaAnswer, ReplicaQuestion } from "./replica.ts";

const MARK_BYTES = 40;
/** Bytes of the stream that are kept. */
const STREAM_KEPT = 16 * 1024;
const ACKNOWLEDGE_EVERY_MS = 50;
const LF = 10;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

class Link {
  readonly #buffer = new Uint8Array(1 << 20);
  #start = 0;
  #end = 0;

  constructor(readonly conn: Deno.Conn) {}

  async send(...words: string[]): Promise<void> {
    await this.conn.write(encoder.encode(encodeCommand(...words)));
  }

  /** The next line that is not empty: a master that makes its snapshot sends empty ones. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(LF, this.#start);
      if (end < 0 || end >= this.#end) {
        await this.#read();
        continue;
      }
      const text = decoder.decode(this.#buffer.subarray(this.#start, end)).trim();
      this.#start = end + 1;
      if (text !== "") return text;
    }
  }

  /** The next bytes, valid until the next call. */
  async bytes(): Promise<Uint8Array> {
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
      await this.#read();
    }
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return bytes;
  }

  async #read(): Promise<void> {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const length = await this.conn.read(this.#buffer.subarray(this.#end));
    if (length === null) throw new Error("the master closed the link");
    this.#end += length;
  }
}

answerEach(async ({ port, path }: ReplicaQuestion): Promise<ReplicaAnswer> => {
  const link = new Link(await Deno.connect({ hostname: "127.0.0.1", port }));
  await link.send("REPLCONF", "capa", "eof", "capa", "psync2");
  expect(await link.line(), "+OK");
  await link.send("PSYNC", "?", "-1");
  const offset = Number((await answered(link, "+FULLRESYNC ")).split(" ")[1]);
  const mark = encoder.encode(await answered(link, "$EOF:"));
  await keepSnapshot(link, mark, path);
  const endedMs = nowMs();
  const stream = await keepStream(link, offset);
  link.conn.close();
  return { endedMs, stream };
});

async function answered(link: Link, beginning: string): Promise<string> {
  const line = await link.line();
  expect(line.slice(0, beginning.length), beginning);
  return line.slice(beginning.length);
}

function expect(found: string, wanted: string): void {
  if (found !== wanted) throw new Error(`the master answered ${found} where ${wanted} should be`);
}

/** Until the mark has come, which nothing follows before it is acknowledged. */
async function keepSnapshot(link: Link, mark: Uint8Array, path: string): Promise<void> {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const tail = new Uint8Array(MARK_BYTES); // the last bytes, which are kept back as long as they may be the mark
  let kept = 0;
  for (;;) {
    const bytes = await link.bytes();
    const whole = kept + bytes.length;
    const given = Math.max(0, whole - MARK_BYTES);
    writeAll(file, tail.subarray(0, Math.min(kept, given)));
    writeAll(file, bytes.subarray(0, Math.max(0, given - kept)));
    if (bytes.length >= MARK_BYTES) tail.set(bytes.subarray(bytes.length - MARK_BYTES));
    else {
      tail.copyWithin(0, Math.min(kept, given), kept);
      tail.set(bytes, kept - Math.min(kept, given));
    }
    kept = Math.min(MARK_BYTES, whole);
    if (kept === MARK_BYTES && tail.every((byte, i) => byte === mark[i])) return;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

/** Acknowledges again and again: a master that has not yet seen its own snapshot end takes no notice of it. */
async function keepStream(link: Link, offset: number): Promise<Uint8Array> {
  const stream = new Uint8Array(STREAM_KEPT);
  let isOver = false;
  let acknowledged = offset;
  const acknowledging = (async () => {
    while (!isOver) {
      await link.send("REPLCONF", "ACK", String(acknowledged));
      await pause(ACKNOWLEDGE_EVERY_MS);
    }
  })();
  acknowledging.catch(() => {}); // the link has gone then, which reading tells of
  for (let kept = 0; kept < STREAM_KEPT;) {
    const bytes = await link.bytes();
    const taken = bytes.subarray(0, STREAM_KEPT - kept);
    stream.set(taken, kept);
    kept += taken.length;
    acknowledged += bytes.length;
  }
  isOver = true;
  await acknowledging;
  return stream;
}
