/**
 * What does it cost to find the words of a request in a client's bytes? Each figure is for 1,000
 * requests; for comparison, a whole GET should stay below 600 ns of CPU at a pipeline of 64.
 */
import { latin1 } from "../src/base/bytes.ts";
import { splitWords } from "../src/config/parse.ts";
import { READY, RequestParser } from "../src/resp/parser.ts";

const REQUESTS = 1000;
let sink = 0;

function request(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

function bench(name: string, group: string, one: string, pieceBytes: number): void {
  const bytes = latin1(one.repeat(REQUESTS));
  const parser = new RequestParser({ bulkBytesMax: 512 << 20 }, splitWords);
  Deno.bench(name, { group }, () => {
    let found = 0;
    for (let at = 0; at < bytes.length;) {
      const space = parser.space();
      const count = Math.min(space.length, pieceBytes, bytes.length - at);
      space.set(bytes.subarray(at, at + count));
      parser.filled(count);
      at += count;
      while (parser.next() === READY) found++;
    }
    if (found !== REQUESTS) throw new Error(`${found} requests`);
    sink += parser.words.count;
  });
}

const get = request("GET", "key:000000000001");
bench("PING", "requests", request("PING"), 16_384);
bench("GET", "requests", get, 16_384);
bench("SET of 3 bytes", "requests", request("SET", "key:000000000001", "xxx"), 16_384);
bench("SET of 512 bytes", "requests", request("SET", "key:1", "x".repeat(512)), 16_384);
const pairs = Array.from({ length: 20 }, () => "key:000000000001");
bench("MSET of 10 pairs", "requests", request("MSET", ...pairs), 16_384);
bench("inline GET", "requests", "GET key:000000000001\r\n", 16_384);

bench("GET, one to a read", "reads", get, get.length);
bench("GET, 16 to a read", "reads", get, get.length * 16);
bench("GET, reads that end anywhere", "reads", get, 1000);
