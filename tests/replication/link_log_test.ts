import { assertEquals } from "@std/assert";
import { LinkLog } from "../../src/replication/link_log.ts";

function linkLog() {
  const clock = { nowMs: 1000 };
  const log = new LinkLog({ now: () => clock.nowMs, monotonic: () => clock.nowMs });
  return { clock, log };
}

Deno.test("LinkLog gives the latest events, newest first", () => {
  const { log } = linkLog();
  for (let i = 1; i <= 5; i++) log.add("master", `host:${i}`, "connected", "");
  assertEquals(log.latest(2).map(({ id, peer }) => [id, peer]), [[5, "host:5"], [4, "host:4"]]);
  assertEquals(log.latest(0), []);
  assertEquals(log.latest(100).length, 5);
});

Deno.test("LinkLog counts what happens again and again as one event", () => {
  const { log, clock } = linkLog();
  for (let i = 0; i < 4; i++) {
    clock.nowMs = 1000 + i;
    log.add("replica", "host:1", "connect-failed", "refused");
  }
  log.add("replica", "host:1", "connect-failed", "timed out");
  const [second, first] = log.latest(9);
  assertEquals([first.count, first.timeMs, first.id], [4, 1003, 1]);
  assertEquals([second.count, second.detail], [1, "timed out"]);
});

Deno.test("LinkLog.again counts as one event what happens again for another cause", () => {
  const { log, clock } = linkLog();
  clock.nowMs = 1000;
  log.again("replica", "host:1", "command-failed", "one\ncause");
  clock.nowMs = 2000;
  log.again("replica", "host:1", "command-failed", "another\ncause");
  log.add("replica", "host:1", "closed", "by the peer");
  log.again("replica", "host:1", "command-failed", "a third");
  assertEquals(
    log.latest(9).map(({ count, timeMs, detail }) => [count, timeMs, detail]),
    [[1, 2000, "a third"], [1, 2000, "by the peer"], [2, 2000, "another\\ncause"]],
  );
});

Deno.test("LinkLog.progress renews the latest event, and begins one where another has come", () => {
  const { log } = linkLog();
  log.progress("replica", "host:1", "receiving", "10%");
  log.progress("replica", "host:1", "receiving", "20%");
  log.add("master", "host:2", "closed", "by the peer");
  log.progress("replica", "host:1", "receiving", "30%");
  assertEquals(log.latest(9).map(({ detail }) => detail), ["30%", "by the peer", "20%"]);
});

Deno.test("LinkLog keeps 256 events", () => {
  const { log } = linkLog();
  for (let i = 0; i < 300; i++) log.add("self", "", "role", String(i));
  assertEquals(log.count, 256);
  assertEquals(log.latest(1000).at(-1)!.detail, "44");
});
