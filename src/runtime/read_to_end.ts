/** Reading of which nobody says in advance how much there is. */

const CHUNK_BYTES = 65_536;

/** Everything that `read` gives: it stores the next bytes and answers how many, 0 at the end. */
export function readToEnd(
  read: (into: Uint8Array<ArrayBuffer>) => number,
): Uint8Array<ArrayBuffer> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (let count; (count = read(chunk)) > 0; total += count) chunks.push(chunk.slice(0, count));
  const all = new Uint8Array(total);
  let at = 0;
  for (const part of chunks) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
