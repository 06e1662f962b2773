/**
 * OBJECT ENCODING of a list that gets smaller. As redis 7.2.4: "listpack" comes back when one node is
 * left and it is within half the limit; two nodes are never joined for it.
 */

import { assertEquals } from "@std/assert";
import { type TestServer, testServer } from "../../support/test_server.ts";

function listOf(size: number | string, elements: string[]): TestServer {
  const s = testServer({ directives: { "list-max-listpack-size": size } });
  for (const element of elements) s.run("RPUSH", "k", element);
  return s;
}

const encoding = (s: TestServer) => s.run("OBJECT", "ENCODING", "k");
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

/** The encodings after each of these commands. */
function after(s: TestServer, commands: string[]): unknown[] {
  return commands.map((command) => {
    s.run(...command.split(" "));
    return encoding(s);
  });
}

const QUICK = "quicklist";
const SMALL = "listpack";
const cases: [commands: string[], encodings: string[]][] = [
  [["LPOP k", "LPOP k", "LPOP k", "LPOP k"], [QUICK, QUICK, QUICK, SMALL]],
  [["RPOP k", "RPOP k", "RPOP k"], [QUICK, QUICK, SMALL]],
  [["LPOP k 2", "LPOP k 1", "LPOP k 1"], [QUICK, QUICK, SMALL]],
  [["RPOP k 2", "RPOP k 1"], [QUICK, SMALL]],
  [["LTRIM k 1 4", "LTRIM k 0 1"], [QUICK, SMALL]],
  [["LREM k 1 0", "LREM k 1 4", "LREM k 1 1"], [QUICK, QUICK, SMALL]],
  [
    ["LMOVE k d LEFT LEFT", "LMOVE k d LEFT LEFT", "LMOVE k d RIGHT LEFT", "LMOVE k d RIGHT LEFT"],
    [QUICK, QUICK, SMALL, SMALL],
  ],
  [["LMPOP 1 k LEFT COUNT 2", "LMPOP 1 k RIGHT"], [QUICK, SMALL]],
];
for (const [commands, encodings] of cases) {
  Deno.test(`a list of two nodes, after ${commands.join(", ")}: ${encodings.at(-1)} again`, () => {
    const s = listOf(4, numbers(5)); // nodes of 4 and 1
    assertEquals(encoding(s), QUICK);
    assertEquals(after(s, commands), encodings);
  });
}

for (const size of [-1, 100]) {
  Deno.test(`with list-max-listpack-size ${size} half the limit counts in bytes too`, () => {
    const s = listOf(size, Array(3).fill("x".repeat(size < 0 ? 1500 : 3000))); // nodes of 2 and 1
    assertEquals(after(s, ["RPOP k", "RPOP k"]), [QUICK, SMALL]);
  });
}
