import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Timers } from "../../src/runtime/runtime.ts";
import { Turn } from "../../src/net/turn.ts";
import { RunningServer } from "../server/running_server.ts";
import { array, bulk, integer, status } from "../support/resp_client.ts";

/** The end of a turn comes when the test says so. */
class Turns {
  #due: (() => void)[] = [];
  readonly turn = new Turn({ afterInput: (work) => void this.#due.push(work) } as Timers);

  end(): number {
    const due = this.#due;
    this.#due = [];
    for (const work of due) work();
    return due.length;
  }
}

Deno.test("what is held of a turn is sent at its end, after one call of each listener", () => {
  const { turn, ...turns } = withOrder();
  turn.beforeReplies(() => {
    turns.order.push("sync");
    return Infinity;
  });
  turn.beforeReplies(() => {
    turns.order.push("count");
    return Infinity;
  });
  turn.hold({ appliedOffset: 0, sendHeld: () => turns.order.push("first") });
  turn.hold({ appliedOffset: 0, sendHeld: () => turns.order.push("second") });
  assertEquals(turns.order, []);
  assertEquals(turns.end(), 1);
  assertEquals(turns.order, ["sync", "count", "first", "second"]);
  assertEquals(turns.end(), 0);
  turn.hold({ appliedOffset: 0, sendHeld: () => turns.order.push("third") });
  turns.end();
  assertEquals(turns.order.slice(4), ["sync", "count", "third"]);
});

Deno.test("a turn is awaited for as long as there is a listener", () => {
  const { turn, ...turns } = withOrder();
  assertEquals(turn.isAwaited, false);
  const stop = turn.beforeReplies(() => turns.order.push("one"));
  const stopOther = turn.beforeReplies(() => turns.order.push("two"));
  assertEquals(turn.isAwaited, true);
  stop();
  stop();
  assertEquals(turn.isAwaited, true);
  turn.hold({ appliedOffset: 0, sendHeld: () => turns.order.push("sent") });
  stopOther();
  assertEquals(turn.isAwaited, false);
  turns.end();
  assertEquals(turns.order, ["sent"]);
});

Deno.test("a listener that fails keeps everything of the turn back", () => {
  const { turn, ...turns } = withOrder();
  turn.beforeReplies(() => {
    throw new Error("the disk is full");
  });
  turn.hold({ appliedOffset: 0, sendHeld: () => turns.order.push("sent") });
  assertThrows(() => turns.end(), Error, "the disk is full");
  assertEquals(turns.order, []);
});

Deno.test("what a listener keeps back waits for its release; what it is not about leaves, and so do later turns", () => {
  const { turn, ...turns } = withOrder();
  let offsetMax = 10;
  turn.beforeReplies(() => offsetMax);
  turn.hold({ appliedOffset: 11, sendHeld: () => turns.order.push("first") });
  turn.hold({ appliedOffset: 10, sendHeld: () => turns.order.push("other") });
  turns.end();
  assertEquals(turns.order, ["other"]);
  offsetMax = Infinity;
  turn.hold({ appliedOffset: 12, sendHeld: () => turns.order.push("second") });
  turns.end();
  assertEquals(turns.order, ["other", "second"]);
  turn.release();
  turn.release();
  assertEquals(turns.order, ["other", "second", "first"]);
});

function withOrder(): { turn: Turn; order: string[]; end: () => number } {
  const turns = new Turns();
  return { turn: turns.turn, order: [], end: () => turns.end() };
}

Deno.test("replies to two connections of one turn leave after one call", async () => {
  await using s = await RunningServer.start();
  using one = await s.connect();
  using two = await s.connect();
  await Promise.all([one.call("PING"), two.call("PING")]);
  let calls = 0;
  const seen: string[] = [];
  const stop = s.core.turn.beforeReplies(() => {
    calls++;
    seen.push(`${s.core.statistics.commandsProcessed - before}`);
    return Infinity;
  });
  const before = s.core.statistics.commandsProcessed;
  // Both requests are on the sockets when the server next looks at them.
  const sent = [one.send("INCR n\r\n"), two.send("INCR n\r\n")];
  const until = performance.now() + 20;
  while (performance.now() < until);
  await Promise.all(sent);
  const replies = await Promise.all([one.receive(), two.receive()]);
  assertEquals(replies, [integer(1), integer(2)]);
  assertEquals([calls, seen], [1, ["2"]]);
  stop();
  assertEquals(await one.call("INCR", "n"), integer(3));
  assertEquals(calls, 1);
});

Deno.test("while a turn is awaited nothing overtakes: pipelines, blocked clients, closing", async () => {
  await using s = await RunningServer.start();
  let calls = 0;
  s.core.turn.beforeReplies(() => {
    calls++;
    return Infinity;
  });
  using client = await s.connect();
  using blocked = await s.connect();
  const big = "x".repeat(300_000);
  assertEquals(await client.call("SET", "big", big), status("OK"));
  await blocked.send("BLPOP list 0\r\n");
  const gets = Array.from({ length: 40 }, () => ["GET", "big"]);
  assertEquals(await client.pipeline(gets), gets.map(() => bulk(big)));
  assertEquals(await client.call("RPUSH", "list", "item"), integer(1));
  assertEquals(await blocked.receive(), array(bulk("list"), bulk("item")));
  assert(calls >= 3, `${calls} calls`);
  await client.send("QUIT\r\n");
  assertEquals(await client.receiveUntilClosed(), "+OK\r\n");
});
