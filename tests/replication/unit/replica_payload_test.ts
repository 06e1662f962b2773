/** Where a snapshot ends in the bytes of a link, however these are cut. */

import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../../src/base/bytes.ts";
import { payloadOf } from "../../../src/replication/sync_receiver.ts";

const MARK = "0123456789abcdef0123456789abcdef01234567";

/** Feeds the pieces; gives the payload's bytes, and what was left over of them all. */
function taken(line: string, pieces: string[]): { payload: string; rest: string } | null {
  let text = "";
  const payload = payloadOf(line, (bytes, offset, length) => {
    text += toLatin1(bytes, offset, length);
  })!;
  for (let i = 0; i < pieces.length; i++) {
    const bytes = latin1(`xx${pieces[i]}yy`); // not at the edges of their buffer
    const end = payload.take(bytes, 2, bytes.length - 2);
    if (!payload.isComplete) {
      assertEquals(end, bytes.length - 2);
      continue;
    }
    const rest = toLatin1(bytes, end, bytes.length - 2 - end) + pieces.slice(i + 1).join("");
    return { payload: text, rest };
  }
  return null;
}

/** All ways to cut a text in two, and the one byte by byte. */
function* cuts(text: string): Generator<string[]> {
  for (let at = 1; at < text.length; at++) yield [text.slice(0, at), text.slice(at)];
  yield text.split("");
  for (const size of [2, 3, 38, 39, 40, 41, 79]) {
    yield text.match(new RegExp(`[^]{1,${size}}`, "g"))!;
  }
}

/** Payloads that could be taken for the beginning of their own mark. */
const PAYLOADS = [
  "",
  "x",
  "REDIS0011 and so on".repeat(7),
  MARK.slice(0, 39),
  MARK.slice(0, 39) + MARK.slice(0, 20),
  "0123456789abcdef0123456789abcdef0123456789abcdef".slice(0, 45).replace(MARK, "no"),
  "0".repeat(100),
];

for (const body of PAYLOADS) {
  Deno.test(`a payload of ${body.length} bytes ends at its mark wherever reads end`, () => {
    for (const pieces of cuts(`${body}${MARK}*1\r\n$4\r\nPING\r\n`)) {
      assertEquals(taken(`$EOF:${MARK}`, pieces), { payload: body, rest: "*1\r\n$4\r\nPING\r\n" });
    }
  });

  Deno.test(`a payload of ${body.length} bytes ends after as many, wherever reads end`, () => {
    for (const pieces of cuts(`${body}*1\r\n`)) {
      assertEquals(taken(`$${body.length}`, pieces), { payload: body, rest: "*1\r\n" });
    }
  });
}

Deno.test("without its mark a payload does not end, and all but the last 39 bytes are passed on", () => {
  let passed = 0;
  const payload = payloadOf(`$EOF:${MARK}`, (_bytes, _offset, length) => passed += length)!;
  for (let i = 0; i < 1000; i++) payload.take(latin1("0123456"), 0, 7);
  assert(!payload.isComplete);
  assertEquals(passed, 7000 - 39);
});

for (
  const line of [
    "",
    "$",
    "$-1",
    "$x",
    "$1x",
    "$EOF:",
    `$EOF:${MARK}0`,
    "+OK",
    "$1e3",
    "$99999999999999999999",
  ]
) {
  Deno.test(`"${line}" announces no snapshot`, () => {
    assertEquals(payloadOf(line, () => {}), null);
  });
}
