/**
 * Whether a snapshot is of one instant: whether it holds, of each element, what the last of the writes up to one
 * number has made of it. Which number that is, the newest value in it says.
 *
 * And whether the stream of writes goes on right behind it: the append-only file after its base, or what a replica is
 * sent after a full sync, has to have each write that comes after that number, byte by byte.
 */

import {
  COMMAND_BYTES_MAX,
  digitsAt,
  elementsOf,
  fractionOf,
  INDEX_DIGITS,
  letters,
  lettersAt,
  NUMBER_DIGITS,
  type Shape,
  Writes,
} from "./dataset.ts";
import { type ElementSink, scanSnapshot } from "./rdb_scan.ts";

/** An element that is not there. */
const ABSENT = -1;

const LF = 10, HASH = 35, STAR = 42;

/** The number of the last write of each element, or ABSENT. */
type Numbers = Int32Array<ArrayBuffer>;

/** What is there after the writes up to a number. */
class Dataset {
  readonly numbers: Numbers;
  #number = 0;

  constructor(readonly writes: Writes) {
    this.numbers = new Int32Array(elementsOf(writes.shape));
  }

  /** The number of the last write that is in it. */
  get number(): number {
    return this.#number;
  }

  advanceTo(number: number): void {
    while (this.#number < number) this.step();
  }

  /** One write more; false when it has changed nothing: it removed what was not there. */
  step(): boolean {
    const number = ++this.#number;
    const element = this.writes.elementOf(number);
    const isDelete = this.writes.isDelete(number);
    if (isDelete && this.numbers[element] === ABSENT) return false;
    this.numbers[element] = isDelete ? ABSENT : number;
    return true;
  }
}

/** What a file has, by element. */
class Found implements ElementSink {
  readonly numbers: Numbers;
  newest = 0;

  constructor(shape: Shape) {
    this.numbers = new Int32Array(elementsOf(shape)).fill(ABSENT);
  }

  value(element: number, bytes: Uint8Array, at: number, length: number): void {
    const number = digitsAt(bytes, at, NUMBER_DIGITS);
    const from = lettersAt(element);
    for (let i = NUMBER_DIGITS; i < length; i++) {
      if (bytes[at + i] === letters[from + i - NUMBER_DIGITS]) continue;
      throw new Error(`the value of element ${element} is damaged`);
    }
    this.#note(element, number);
  }

  score(element: number, score: number): void {
    const number = Math.floor(score);
    const digits = String(fractionOf(element)).padStart(INDEX_DIGITS, "0");
    if (score !== Number(`${number}.${digits}`)) {
      throw new Error(`the score of element ${element} is damaged`);
    }
    this.#note(element, number);
  }

  #note(element: number, number: number): void {
    if (this.numbers[element] !== ABSENT) throw new Error(`element ${element} is there twice`);
    this.numbers[element] = number;
    if (number > this.newest) this.newest = number;
  }
}

/** A snapshot's place in the sequence of writes. */
export interface Instant {
  /** The number of the last write that is in it. */
  number: number;
  elements: number;
  /** What is there at that instant; for `followsOn`. */
  dataset: Dataset;
}

/** Finds the instant that a snapshot file is of. Throws with the first element that is of another one. */
export function instantOf(path: string, shape: Shape): Instant {
  const found = new Found(shape);
  scanSnapshot(path, shape, found);
  const dataset = new Dataset(new Writes(shape));
  dataset.advanceTo(found.newest);
  const { writes } = dataset;
  // Keys that were removed last have left no number.
  for (let next = found.newest + 1; writes.isDelete(next); next++) {
    const element = writes.elementOf(next);
    if (found.numbers[element] !== ABSENT || dataset.numbers[element] === ABSENT) break;
    dataset.advanceTo(next);
  }
  const wrong = found.numbers.findIndex((number, element) => number !== dataset.numbers[element]);
  if (wrong >= 0) {
    throw new Error(
      `not of one instant: element ${wrong} is as after write ${
        found.numbers[wrong]
      }, and at write ` +
        `${dataset.number} was as after ${dataset.numbers[wrong]}`,
    );
  }
  const elements = found.numbers.reduce((sum, number) => sum + (number === ABSENT ? 0 : 1), 0);
  return { number: dataset.number, elements, dataset };
}

/**
 * Whether `stream` has the writes behind an instant, one by one; the number of the last one. Each chunk goes on where
 * the one before it ended. Throws with the first that is not the one it should be. What comes in between that is no
 * write of these (SELECT, PING, comments) is passed over.
 */
export function followsOn({ dataset }: Instant, stream: Iterable<Uint8Array>): number {
  const expected = new Uint8Array(COMMAND_BYTES_MAX);
  let rest = new Uint8Array(0);
  for (const chunk of stream) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    let at = 0;
    for (;;) {
      const end = commandEnd(bytes, at);
      if (end < 0) break;
      if (isWrite(bytes, at)) {
        while (!dataset.step());
        const length = dataset.writes.encode(dataset.number, expected, 0);
        for (let i = 0; i < length; i++) {
          if (bytes[at + i] !== expected[i]) {
            throw new Error(
              `write ${dataset.number} should come, and this does: ${
                new TextDecoder().decode(bytes.subarray(at, end))
              }`,
            );
          }
        }
      }
      at = end;
    }
    rest = bytes.slice(at);
  }
  return dataset.number;
}

/** Where the command or comment at `at` ends, -1 if that is not there. */
function commandEnd(bytes: Uint8Array, at: number): number {
  let lineEnd = bytes.indexOf(LF, at);
  if (lineEnd < 0) return -1;
  if (bytes[at] !== STAR) return lineEnd + 1;
  for (let words = sizeAt(bytes, at); words > 0; words--) {
    const start = lineEnd + 1;
    lineEnd = bytes.indexOf(LF, start);
    if (lineEnd < 0) return -1;
    lineEnd += sizeAt(bytes, start) + 2;
    if (lineEnd >= bytes.length) return -1;
  }
  return lineEnd + 1;
}

function sizeAt(bytes: Uint8Array, at: number): number {
  let size = 0;
  for (let i = at + 1; bytes[i] >= 48; i++) size = size * 10 + bytes[i] - 48;
  return size;
}

/** Whether the command at `at` is SET, DEL, HSET or ZADD, by its first letters; SELECT is none. */
function isWrite(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] === HASH || bytes[at] !== STAR) return false;
  const name = bytes.indexOf(LF, bytes.indexOf(LF, at) + 1) + 1;
  const text = String.fromCharCode(...bytes.subarray(name, name + 4)).trim();
  return text === "SET" || text === "DEL" || text === "HSET" || text === "ZADD";
}

const CHUNK_BYTES = 1 << 20;

/** The bytes of files, one after the other. */
export function* bytesOf(paths: string[]): Generator<Uint8Array> {
  for (const path of paths) {
    using file = Deno.openSync(path);
    for (;;) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const read = file.readSync(chunk);
      if (read === null) break;
      yield chunk.subarray(0, read);
    }
  }
}

/** The base and the incremental files that a manifest names. */
export function filesOf(folder: string): { base: string; increments: string[] } {
  const name =
    [...Deno.readDirSync(folder)].find((entry) => entry.name.endsWith(".manifest"))!.name;
  const lines = Deno.readTextFileSync(`${folder}/${name}`).split("\n");
  const named = (type: string) =>
    lines.map((line) => /^file (\S+) seq \d+ type (\w)/.exec(line)).filter((line) =>
      line?.[2] === type
    )
      .map((line) => `${folder}/${line![1]}`);
  return { base: named("b")[0], increments: named("i") };
}
