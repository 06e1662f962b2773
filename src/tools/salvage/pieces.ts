/** A snapshot put together of runs of another file and of bytes of our own. */

import { latin1 } from "../../base/bytes.ts";
import { OPCODE_EOF, OPCODE_SELECTDB, RDB_VERSION_CHECKSUM } from "../../rdb/format.ts";
import type { ByteSource } from "../../rdb/reader.ts";
import type { OpenFile } from "../../runtime/runtime.ts";

/** Bytes, or the run [from, to) of the file. */
export type Piece = Uint8Array | { readonly from: number; readonly to: number };

/** The bytes of the opcode that selects a database. */
export function selectPiece(database: number): Uint8Array {
  const bytes = new Uint8Array(6);
  bytes[0] = OPCODE_SELECTDB;
  bytes[1] = 0x80; // a length of 32 bits follows
  new DataView(bytes.buffer).setUint32(2, database);
  return bytes;
}

/** The end of a snapshot without a checksum. */
export function endPiece(version: number): Uint8Array {
  return version < RDB_VERSION_CHECKSUM
    ? Uint8Array.of(OPCODE_EOF)
    : latin1(`${String.fromCharCode(OPCODE_EOF)}${"\0".repeat(8)}`);
}

export class PieceSource implements ByteSource {
  readonly #file: OpenFile;
  readonly #pieces: readonly Piece[];
  #index = 0;
  /** Bytes of the piece at hand that have been given. */
  #given = 0;
  #remaining: number;

  constructor(file: OpenFile, pieces: readonly Piece[]) {
    this.#file = file;
    this.#pieces = pieces;
    this.#remaining = pieces.reduce((sum, piece) => sum + sizeOf(piece), 0);
  }

  remaining(): number {
    return this.#remaining;
  }

  fill(buf: Uint8Array, off: number): number {
    while (this.#index < this.#pieces.length) {
      const piece = this.#pieces[this.#index];
      const count = Math.min(buf.length - off, sizeOf(piece) - this.#given);
      const got = count === 0 ? 0 : this.#read(piece, buf.subarray(off, off + count));
      this.#given += got;
      this.#remaining -= got;
      if (got > 0) return got;
      this.#index++;
      this.#given = 0;
    }
    return 0;
  }

  #read(piece: Piece, into: Uint8Array): number {
    if (piece instanceof Uint8Array) {
      into.set(piece.subarray(this.#given, this.#given + into.length));
      return into.length;
    }
    if (this.#given === 0) this.#file.seek(piece.from);
    return this.#file.read(into);
  }
}

function sizeOf(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.length : piece.to - piece.from;
}
