import { assertEquals } from "@std/assert";
import { HandshakeLog } from "../../src/net/handshake_log.ts";
import { Log } from "../../src/observe/log.ts";
import { runtime } from "../../src/runtime/here.ts";
import type { Timers } from "../../src/runtime/runtime.ts";

Deno.test("failed handshakes are in the log, twenty a second and how many more there were", () => {
  const lines: string[] = [];
  const log = new Log(runtime.clock, 1, (line) => {
    lines.push(new TextDecoder().decode(line).replace(/^.*? # /, "").trimEnd());
  });
  const due: (() => void)[] = [];
  const timers = { after: (_ms: number, work: () => void) => due.push(work) } as unknown as Timers;
  const handshakes = new HandshakeLog(log, timers);
  const fail = (count: number) => {
    for (let i = 0; i < count; i++) handshakes.failed("why", "1.2.3.4:5", "[::1]:6");
    return lines.splice(0);
  };
  const LINE = "Error accepting a client connection: why (addr=1.2.3.4:5 laddr=[::1]:6)";
  assertEquals(fail(1), [LINE]);
  assertEquals(fail(50), new Array(19).fill(LINE));
  assertEquals(due.length, 1);
  due.shift()!();
  assertEquals(lines.splice(0), ["Error accepting a client connection: 31 more of these"]);
  assertEquals(fail(2), [LINE, LINE]);
  due.shift()!();
  assertEquals([lines, due], [[], []]);
});
