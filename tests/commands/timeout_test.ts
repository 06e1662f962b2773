/** Timeouts at the edges of 64 bits, as redis 7.2.4 takes them: the end of waiting has to fit. */

import { assertEquals } from "@std/assert";
import { testServer } from "../support/test_server.ts";

const NOW_MS = 1_700_000_000_000;
const OUT_OF_RANGE = { error: "ERR timeout is out of range" };
const NEGATIVE = { error: "ERR timeout is negative" };
const NOT_A_FLOAT = { error: "ERR timeout is not a float or out of range" };
const NOT_AN_INTEGER = { error: "ERR timeout is not an integer or out of range" };

const inSeconds = [
  "BLPOP k SECONDS",
  "BRPOP k SECONDS",
  "BLMOVE a b LEFT LEFT SECONDS",
  "BRPOPLPUSH a b SECONDS",
  "BLMPOP SECONDS 1 k LEFT",
  "BZPOPMIN k SECONDS",
  "BZPOPMAX k SECONDS",
  "BZMPOP SECONDS 1 k MIN",
];
for (const call of inSeconds) {
  const words = call.split(" ");
  Deno.test(`${words[0]} refuses seconds that end beyond 64 bits of milliseconds`, () => {
    const run = (seconds: string) =>
      testServer({ nowMs: NOW_MS }).run(
        ...words.map((each) => each === "SECONDS" ? seconds : each),
      );
    for (const seconds of ["9223372036854775807", "9223372036854775", "1e30", "inf"]) {
      assertEquals(run(seconds), OUT_OF_RANGE, seconds);
    }
    for (const seconds of ["-1", "-0.002", "-inf"]) assertEquals(run(seconds), NEGATIVE, seconds);
    for (const seconds of ["x", "nan", ""]) assertEquals(run(seconds), NOT_A_FLOAT, seconds);
    for (const seconds of ["0", "-0.0001", "9221672036854", "1"]) {
      assertEquals(run(seconds), undefined, `${seconds} waits`);
    }
  });
}

for (const call of ["WAIT 1 MS", "CLIENT PAUSE MS"]) {
  const words = call.split(" ");
  Deno.test(`${call} refuses milliseconds that end beyond 64 bits`, () => {
    const run = (ms: string) =>
      testServer({ nowMs: NOW_MS }).run(...words.map((each) => each === "MS" ? ms : each));
    for (const ms of ["9223372036854775807", "9223370336854777000"]) {
      assertEquals(run(ms), OUT_OF_RANGE, ms);
    }
    assertEquals(run("-1"), NEGATIVE);
    for (const ms of ["x", "1.5", "9223372036854775808"]) {
      assertEquals(run(ms), NOT_AN_INTEGER, ms);
    }
    for (const ms of ["0", "9223370336854770000"]) {
      assertEquals(run(ms), call.startsWith("WAIT") ? undefined : "OK", ms);
    }
  });
}
