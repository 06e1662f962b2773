/** A test server on which calls in slices take a turn for each of their steps. */

import { assert } from "@std/assert";
import { HandTimers } from "./hand_timers.ts";
import { type TestClient, type TestServer, testServer } from "./test_server.ts";

/** A server whose clock is up after each look: a piece for each turn. */
export function slicedServer(): { s: TestServer; timers: HandTimers; client: TestClient } {
  const timers = new HandTimers();
  const s = testServer({ timers });
  let looks = 0;
  Object.assign(s.core.clock, { monotonic: () => 100 * ++looks });
  return { s, timers, client: s.connect() };
}

/** Lets turns pass until the client has an answer, doing `meanwhile` between them; the answer. */
export function answerOf(
  client: TestClient,
  timers: HandTimers,
  meanwhile = () => {},
): unknown {
  return answerAndTurns(client, timers, meanwhile)[0];
}

/** `answerOf`, and how many turns that took. */
export function answerAndTurns(
  client: TestClient,
  timers: HandTimers,
  meanwhile = () => {},
): [answer: unknown, turns: number] {
  for (let turns = 1; turns < 10_000; turns++) {
    assert(timers.waitsForOthers);
    timers.othersDone();
    const received = client.received();
    if (received.length > 0) return [received[0], turns];
    meanwhile();
  }
  throw new Error("no answer");
}
