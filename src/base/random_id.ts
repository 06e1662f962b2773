/** Names that no other server has: of a run, of the history of a dataset. */

/** Fills an array with random bytes that nobody can foresee. */
export type FillRandom = (bytes: Uint8Array<ArrayBuffer>) => void;

/** 40 random hexadecimal digits. */
export function randomId(fillRandom: FillRandom): string {
  const bytes = new Uint8Array(20);
  fillRandom(bytes);
  return bytes.toHex();
}
