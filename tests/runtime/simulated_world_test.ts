/** The simulated runtime: time, threads and processes, and that a seed determines everything. */

import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import type { WorkerProgram } from "../../src/runtime/runtime.ts";
import { World } from "../../src/runtime/simulated.ts";
import { Peer } from "../support/simulated_peers.ts";
import { Random } from "../support/random.ts";

function worldOf(seed = 1): World {
  return new World(new Random(seed).draw);
}

/** A worker that doubles numbers, a turn later, and dies of a text. */
const doubler: WorkerProgram = {
  url: new URL("file:///doubler.ts"),
  run: (runtime, post) => (message) => {
    if (typeof message === "string") throw new Error(message);
    runtime.timers.after(1, () => post((message as number) * 2, []));
  },
};

Deno.test("time moves only when the world runs, and by as much as it is told", async () => {
  const world = worldOf();
  const { clock } = world.machine("a", { clockOffsetMs: 250 }).start();
  const { clock: other } = world.machine("b").start();
  const [unix, monotonic] = [clock.now(), clock.monotonic()];
  assertEquals(clock.now() - other.now(), 250);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals([clock.now(), clock.monotonic()], [unix, monotonic]);
  await world.run(1_500);
  assertEquals([clock.now(), clock.monotonic()], [unix + 1_500, monotonic + 1_500]);
});

Deno.test("timers come in the order of their time, at it or up to a millisecond later", async () => {
  const world = worldOf();
  const { timers } = world.machine("a").start();
  const seen: [string, number][] = [];
  const note = (name: string) => seen.push([name, world.nowMs]);
  timers.after(20, () => note("late"));
  timers.after(10, () => note("early"));
  timers.cancel(timers.after(15, () => note("cancelled")));
  timers.cancel(null);
  await world.run(9.9);
  assertEquals(seen, []);
  await world.run(30);
  assertEquals(seen.map(([name]) => name), ["early", "late"]);
  for (const [i, [, ms]] of seen.entries()) assert(ms >= 10 * (i + 1) && ms <= 10 * (i + 1) + 1);
});

Deno.test("an interval comes again until it is cancelled, and does not fall behind", async () => {
  const world = worldOf();
  const { timers } = world.machine("a").start();
  let count = 0;
  const interval = timers.every(10, () => {
    if (++count === 100) timers.cancel(interval);
  });
  await world.run(995);
  assertEquals(count, 99);
  await world.run(5_000);
  assertEquals(count, 100);
});

Deno.test("soon comes before any event, afterOthers after those that are ready", async () => {
  const world = worldOf();
  const { timers } = world.machine("a").start();
  const seen: string[] = [];
  timers.afterOthers(() => {
    seen.push("first");
    timers.afterOthers(() => seen.push("after others"));
    timers.soon(() => {
      seen.push("soon");
      timers.soon(() => seen.push("soon again"));
    });
    seen.push("still first");
  });
  timers.afterOthers(() => seen.push("second"));
  await world.run(1);
  assertEquals(seen, ["first", "still first", "soon", "soon again", "second", "after others"]);
});

Deno.test("promises go on between two events, however long their chain", async () => {
  const world = worldOf();
  const { timers } = world.machine("a").start();
  const seen: string[] = [];
  timers.afterOthers(async () => {
    for (let i = 0; i < 1_000; i++) await Promise.resolve();
    seen.push("end of the chain");
  });
  timers.afterOthers(() => seen.push("next event"));
  await world.run(1);
  assertEquals(seen, ["end of the chain", "next event"]);
});

Deno.test("until stops at the event that made its condition true", async () => {
  const world = worldOf();
  const { timers } = world.machine("a").start();
  let count = 0;
  timers.every(10, () => count++);
  await world.until(() => count === 3, 1_000);
  assertEquals(count, 3);
  assert(world.nowMs < 32);
  await assertRejects(() => world.until(() => count === 1_000, 50), Error, "Not after 50 ms");
  assertEquals(Math.floor(count / 3), 2);
});

Deno.test("a look at the clock can take time, in which the machine does nothing else", async () => {
  const world = worldOf();
  const { timers, clock } = world.machine("a", { lookMs: 0.1 }).start();
  const seen: number[] = [];
  const begunMs = clock.monotonic();
  timers.afterOthers(() => {
    const sliceMs = clock.monotonic();
    while (clock.monotonic() - sliceMs < 5); // ends
    timers.afterOthers(() => seen.push(world.nowMs));
  });
  world.machine("b").start().timers.after(1, () => seen.push(world.nowMs));
  await world.run(10);
  assertEquals(seen.length, 2);
  assert(seen[0] <= 2, "another machine was held up");
  assert(seen[1] >= 5 && seen[1] < 5.5, `the next slice came at ${seen[1]}`);
  assert(clock.monotonic() - begunMs >= 10);
});

Deno.test("what is thrown in a turn, between turns, or by a promise ends the run", async () => {
  for (const how of ["afterOthers", "soon", "promise"]) {
    const world = worldOf();
    const { timers } = world.machine("a").start();
    const fail = () => {
      throw new Error(`thrown in ${how}`);
    };
    if (how === "promise") timers.after(1, () => void Promise.resolve().then(fail));
    else timers.after(1, () => timers[how as "soon" | "afterOthers"](fail));
    await assertRejects(() => world.run(10), Error, `thrown in ${how}`);
    await assertRejects(() => world.run(10), Error, `thrown in ${how}`);
  }
});

Deno.test("a process that exits or is killed does nothing any more; another can start", async () => {
  const world = worldOf();
  const machine = world.machine("a");
  const first = machine.start();
  assertThrows(() => machine.start(), Error, "has a process already");
  let turns = 0;
  first.timers.every(10, () => turns++);
  first.timers.after(55, async () => {
    await Promise.resolve();
    first.process.exit(3);
  });
  await world.run(100);
  assertEquals([turns, machine.isRunning, machine.process?.exitCode], [5, false, 3]);

  const second = machine.start();
  assertNotEquals(second.process.id, first.process.id);
  second.timers.every(10, () => turns++);
  await world.run(35);
  machine.kill();
  machine.kill();
  await world.run(100);
  assertEquals([turns, machine.isRunning, machine.process?.exitCode], [8, false, null]);
});

Deno.test("a signal calls who listens for it, and ends a process that does not", async () => {
  const world = worldOf();
  const machine = world.machine("a");
  const { process } = machine.start();
  let count = 0;
  process.onSignal("SIGTERM", () => count++);
  machine.signal("SIGTERM");
  machine.signal("SIGTERM");
  await world.run(1);
  assertEquals([count, machine.isRunning], [2, true]);
  machine.signal("SIGINT");
  assertEquals([count, machine.isRunning], [2, false]);
});

Deno.test("a process reads its input once and what it writes is kept", () => {
  const { process } = worldOf().machine("a", { workingFolder: "/srv/a" }).start();
  process.standardInput = new TextEncoder().encode("port 1");
  assertEquals(new TextDecoder().decode(process.readStandardInput()), "port 1");
  assertEquals(process.readStandardInput().length, 0);
  process.writeStandardOutput(new TextEncoder().encode("hello"));
  assertEquals([process.output, process.workingFolder], ["hello", "/srv/a"]);
  process.variables.set("NAME", "value");
  assertEquals([process.environment("NAME"), process.environment("OTHER")], ["value", undefined]);
});

Deno.test("a worker answers, in order, and has a time of its own", async () => {
  const world = worldOf();
  const runtime = world.machine("a").start();
  const answers: unknown[] = [];
  const port = runtime.openWorker(doubler, (message) => answers.push(message), (reason) => {
    throw new Error(reason);
  });
  for (const number of [1, 2, 3]) port.post(number, []);
  assertEquals(answers, []);
  await world.run(10);
  assertEquals((answers as number[]).toSorted(), [2, 4, 6]);
  port.post(4, []);
  port.end();
  port.end();
  await world.run(10);
  assertEquals(answers.length, 3);
});

Deno.test("what is transferred to a worker is gone here", async () => {
  const world = worldOf();
  const runtime = world.machine("a").start();
  const received: unknown[] = [];
  const echo: WorkerProgram = { url: doubler.url, run: (_, post) => (bytes) => post(bytes, []) };
  const port = runtime.openWorker(echo, (message) => received.push(message), () => {});
  const bytes = new Uint8Array([1, 2, 3]);
  const copied = new Uint8Array([4]);
  port.post(bytes, [bytes.buffer]);
  port.post(copied, []);
  copied[0] = 5;
  assertEquals(bytes.length, 0);
  await world.run(10);
  assertEquals(received, [new Uint8Array([1, 2, 3]), new Uint8Array([4])]);
});

Deno.test("a worker that throws has died: its owner hears of it, once", async () => {
  const world = worldOf();
  const runtime = world.machine("a").start();
  const answers: unknown[] = [];
  const reasons: string[] = [];
  const port = runtime.openWorker(
    doubler,
    (message) => answers.push(message),
    (reason) => reasons.push(reason),
  );
  port.post("out of order", []);
  port.post(1, []);
  port.post("again", []);
  await world.run(10);
  assertEquals([answers, reasons], [[], ["out of order"]]);
});

Deno.test("workers end with their process", async () => {
  const world = worldOf();
  const machine = world.machine("a");
  let turns = 0;
  const ticking: WorkerProgram = {
    url: doubler.url,
    run: ({ timers }) => {
      timers.every(10, () => turns++);
      return () => {};
    },
  };
  machine.start().openWorker(ticking, () => {}, () => {});
  await world.run(55);
  assertEquals(turns, 5);
  machine.kill();
  await world.run(100);
  assertEquals(turns, 5);
});

/** Ten clients that talk to an echoing server for a while, in the midst of cuts; what came of it. */
async function conversation(seed: number): Promise<{ hash: string; count: number; said: string }> {
  const random = new Random(seed);
  const world = new World(random.draw);
  const server = world.machine("server").start();
  server.network.listenTcp("0.0.0.0", 7, {
    accepted: (socket) => {
      const peer = new Peer(100, (text) => peer.send(text));
      peer.connected(socket);
      return peer;
    },
    failed: () => {},
  });
  const log = server.files.open("log", "append");
  server.files.syncFolder("/data");
  server.timers.every(7, async () => {
    const id = new Uint8Array(4);
    server.fillRandom(id);
    await log.writeSoon(id, 0, 4);
    await log.syncSoon();
  });
  const clients = world.machine("clients").start();
  const said: string[] = [];
  for (let i = 0; i < 10; i++) {
    const peer = new Peer(50, (text) => said.push(`${i}:${text}`));
    clients.timers.every(random.between(5, 20), () => peer.send(`${i}`.repeat(random.below(300))));
    clients.network.connectTcp("server", 7, peer);
  }
  await world.run(100);
  world.network.cut(world.machine("server"), world.machine("clients"));
  await world.run(50);
  world.machine("server").crash();
  const left = world.machine("server").start().files.read("log");
  const { hash, count } = world.schedule.record;
  return { hash, count, said: said.join() + left.join() };
}

Deno.test("the same seed gives the same events, and other seeds others", async () => {
  const first = await conversation(1);
  assert(first.count > 500 && first.said.length > 1_000, `only ${first.count} events`);
  assertEquals(await conversation(1), first);
  const hashes = [];
  for (let seed = 1; seed <= 20; seed++) hashes.push((await conversation(seed)).hash);
  assertEquals(new Set(hashes).size, 20);
  assertEquals(hashes[0], first.hash);
});

Deno.test("fillRandom fills from the seed", () => {
  const draw = (seed: number) => {
    const bytes = new Uint8Array(16);
    worldOf(seed).machine("a").start().fillRandom(bytes);
    return bytes.join();
  };
  assertEquals(draw(1), draw(1));
  assertNotEquals(draw(1), draw(2));
});
