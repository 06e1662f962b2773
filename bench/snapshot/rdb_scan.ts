/**
 * Reads the elements of the benchmark's dataset out of a snapshot file, with nothing of the server's own code: a
 * fault of its reader must not hide one of its writer. It knows just the types that these data are saved with.
 */

import { digitsAt, INDEX_DIGITS, type Shape } from "./dataset.ts";

/** Told of each element: a value's bytes, or the score of a member. */
export interface ElementSink {
  value(element: number, bytes: Uint8Array, at: number, length: number): void;
  score(element: number, score: number): void;
}

const BUFFER_BYTES = 4 << 20;
/** No string of these data is longer. */
const TEXT_BYTES_MAX = 1024;
/** What `length` answers before a compressed string. */
const COMPRESSED = -4;

const HEADER_BYTES = 9;
const OP_FUNCTION = 245, OP_AUX = 250, OP_RESIZE = 251, OP_DATABASE = 254, OP_END = 255;
const TYPE_STRING = 0, TYPE_HASH = 4, TYPE_SORTED_SET = 5;

/** Where a string lies. */
interface Text {
  bytes: Uint8Array;
  from: number;
  length: number;
}

/** A file from its beginning to its end, so much of it in memory as is needed. */
class Source {
  readonly bytes = new Uint8Array(BUFFER_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  readonly #file: Deno.FsFile;
  readonly #text = new Uint8Array(TEXT_BYTES_MAX);
  at = 0;
  #end = 0;

  constructor(path: string) {
    this.#file = Deno.openSync(path);
  }

  /** Has the next `count` bytes in `bytes`, and goes past them; where they begin. */
  take(count: number): number {
    while (this.#end - this.at < count) {
      this.bytes.copyWithin(0, this.at, this.#end);
      this.#end -= this.at;
      this.at = 0;
      const read = this.#file.readSync(this.bytes.subarray(this.#end));
      if (read === null) throw new Error("the file ends too early");
      this.#end += read;
    }
    const from = this.at;
    this.at += count;
    return from;
  }

  byte(): number {
    return this.bytes[this.take(1)];
  }

  /** A length; negative for the forms of strings that have no length. */
  length(): number {
    const first = this.byte();
    if (first < 0x40) return first;
    if (first < 0x80) return (first & 0x3f) << 8 | this.byte();
    if (first === 0x80) return this.view.getUint32(this.take(4));
    if (first === 0x81) return Number(this.view.getBigUint64(this.take(8)));
    return -1 - (first & 0x3f);
  }

  /** Goes past a string. What it answers is valid until the next call. */
  string(): Text {
    const length = this.length();
    if (length >= 0) return { bytes: this.bytes, from: this.take(length), length };
    if (length === COMPRESSED) return this.#compressed();
    const integerBytes = 1 << (-1 - length);
    return { bytes: this.bytes, from: this.take(integerBytes), length: integerBytes };
  }

  #compressed(): Text {
    const size = this.length();
    const length = this.length();
    decompress(this.bytes, this.take(size), size, this.#text);
    return { bytes: this.#text, from: 0, length };
  }

  close(): void {
    this.#file.close();
  }
}

/** Goes through a snapshot. Throws where it is not one, or has something that does not belong to these data. */
export function scanSnapshot(path: string, shape: Shape, sink: ElementSink): void {
  const source = new Source(path);
  try {
    const magic = source.take(HEADER_BYTES);
    if (source.bytes[magic] !== 82) throw new Error("not a snapshot");
    for (let op = source.byte(); op !== OP_END; op = source.byte()) {
      scanPart(source, op, shape, sink);
    }
  } finally {
    source.close();
  }
}

function scanPart(source: Source, op: number, shape: Shape, sink: ElementSink): void {
  const { strings, fields } = shape;
  switch (op) {
    case OP_AUX:
      source.string();
      source.string();
      return;
    case OP_FUNCTION:
      source.string();
      return;
    case OP_DATABASE:
      source.length();
      return;
    case OP_RESIZE:
      source.length();
      source.length();
      return;
    case TYPE_STRING: {
      const element = indexIn(source, strings);
      const { bytes, from, length } = source.string();
      sink.value(element, bytes, from, length);
      return;
    }
    case TYPE_HASH:
      source.string();
      for (let left = source.length(); left > 0; left--) {
        const element = strings + indexIn(source, fields);
        const { bytes, from, length } = source.string();
        sink.value(element, bytes, from, length);
      }
      return;
    case TYPE_SORTED_SET:
      source.string();
      for (let left = source.length(); left > 0; left--) {
        const element = strings + fields + indexIn(source, shape.members);
        sink.score(element, source.view.getFloat64(source.take(8), true));
      }
      return;
    default:
      throw new Error(`opcode or type ${op}, which these data have none of`);
  }
}

/** The number at the end of the next string. */
function indexIn(source: Source, count: number): number {
  const { bytes, from, length } = source.string();
  const index = digitsAt(bytes, from + length - INDEX_DIGITS, INDEX_DIGITS);
  if (index < count) return index;
  const name = new TextDecoder().decode(bytes.subarray(from, from + length));
  throw new Error(`an element ${name}, which nobody has written`);
}

/** LZF: runs of bytes as they are, and references to what has come before. */
function decompress(bytes: Uint8Array, from: number, size: number, out: Uint8Array): void {
  let to = 0;
  for (let at = from; at < from + size;) {
    const control = bytes[at++];
    let count = control >> 5;
    if (count === 0) {
      for (count = control + 1; count > 0; count--) out[to++] = bytes[at++];
      continue;
    }
    if (count === 7) count += bytes[at++];
    let back = to - ((control & 31) << 8 | bytes[at++]) - 1;
    for (count += 2; count > 0; count--) out[to++] = out[back++];
  }
}
