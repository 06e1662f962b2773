/**
 * Which offset of our stream a place in a translated stream stands for, so that what a replica acknowledges in
 * the one counts in the other.
 *
 *     ours         |-- as it is --|== a command ==|-- as it is --|
 *     translated   |-- as it is --|====== several ======|-- as it is --|
 *                  ^ piece                               ^ piece
 *
 * Where bytes are handed on as they are both grow alike, which is one piece, however long. What is translated counts
 * once all of it is there. A place that is not known exactly any more stands for an earlier one, never a later one.
 */

/** Pieces that are remembered: about as many changes between bytes as they are and translated ones. */
const PIECES_MAX = 4096;

interface Piece {
  /** Where it begins in the translated stream, and what of ours is there then. */
  readonly translated: number;
  readonly ours: number;
  /** How far both grow alike from there. */
  length: number;
}

export class OffsetMap {
  #pieces: Piece[];

  /** `translated` stands for `ours` when both begin. */
  constructor(translated: number, ours: number) {
    this.#pieces = [{ translated, ours, length: 0 }];
  }

  /** What comes up to `translated` stands for all of ours up to `ours`. Both never go back. */
  reached(translated: number, ours: number): void {
    const last = this.#pieces.at(-1)!;
    const grown = translated - last.translated;
    if (grown === ours - last.ours && this.#isAlike) {
      last.length = grown;
      return;
    }
    this.#pieces.push({ translated, ours, length: 0 });
    this.#isAlike = true;
    if (this.#pieces.length > PIECES_MAX) this.#pieces = this.#pieces.slice(PIECES_MAX >> 1);
  }

  #isAlike = true;

  /** What comes next is translated: only `reached` tells what it stands for. */
  diverge(): void {
    this.#isAlike = false;
  }

  /** The offset of ours up to which somebody has all who has the translated stream up to there; 0 if not known. */
  oursAt(translated: number): number {
    const pieces = this.#pieces;
    let low = 0;
    let high = pieces.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (pieces[middle].translated <= translated) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return 0;
    const piece = pieces[low - 1];
    return piece.ours + Math.min(piece.length, translated - piece.translated);
  }
}
