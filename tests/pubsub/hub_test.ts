import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { Hub, type Subscriber, type Subscriptions } from "../../src/pubsub/hub.ts";
import { runtime } from "../../src/runtime/here.ts";
import { recycleChunk, ReplyWriter } from "../../src/resp/reply_writer.ts";
import { HandTimers } from "../support/hand_timers.ts";
import { Random } from "../support/random.ts";

/** A client that only listens. */
class Ear implements Subscriber {
  readonly reply = new ReplyWriter();
  wakes = 0;
  readonly transport = { wake: () => void this.wakes++ };
  isClosing = false;
  subscriptions: Subscriptions | null = null;
  changes = 0;

  constructor(resp = 2) {
    this.reply.resp = resp;
  }

  subscriptionsChanged(): void {
    this.changes++;
  }

  /** Everything it was sent since the last call. */
  heard(): string {
    let text = "";
    for (let chunk = this.reply.takeChunk(); chunk !== null; chunk = this.reply.takeChunk()) {
      text += toLatin1(chunk, 0, this.reply.chunkLength);
      recycleChunk(chunk);
    }
    return text;
  }
}

type NameMethod = "subscribe" | "subscribePattern" | "subscribeShard" | "unsubscribe";

function on(hub: Hub, method: NameMethod, ear: Ear, ...names: string[]): void {
  for (const name of names) hub[method](ear, latin1(`xx${name}y`), 2, name.length);
}

function publish(hub: Hub, channel: string, message: string, isShard = false): number {
  const bytes = latin1(`..${channel}${message}.`);
  const args = [bytes, 2, channel.length, bytes, 2 + channel.length, message.length] as const;
  return isShard ? hub.publishShard(...args) : hub.publish(...args);
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

const message = (channel: string, text: string, sign = "*") =>
  `${sign}3\r\n${bulk("message")}${bulk(channel)}${bulk(text)}`;
const pmessage = (pattern: string, channel: string, text: string, sign = "*") =>
  `${sign}4\r\n${bulk("pmessage")}${bulk(pattern)}${bulk(channel)}${bulk(text)}`;

Deno.test("publish sends to the channel's subscribers in their protocol and counts them", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const [two, three, other] = [new Ear(), new Ear(3), new Ear()];
  on(hub, "subscribe", two, "news", "sport");
  on(hub, "subscribe", three, "news");
  on(hub, "subscribe", other, "sport");
  assertEquals(publish(hub, "news", "hello"), 2);
  assertEquals(publish(hub, "nobody", "hello"), 0);
  assertEquals(two.heard(), message("news", "hello"));
  assertEquals(three.heard(), message("news", "hello", ">"));
  assertEquals(other.heard(), "");
  assertEquals([two.wakes, three.wakes, other.wakes], [1, 1, 0]);
});

Deno.test("publish sends to a channel's subscribers first, then to patterns as they came", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const ear = new Ear();
  on(hub, "subscribePattern", ear, "n*", "*", "news", "x*");
  on(hub, "subscribe", ear, "news");
  assertEquals(publish(hub, "news", "a"), 4);
  const expected = message("news", "a") + pmessage("n*", "news", "a") +
    pmessage("*", "news", "a") + pmessage("news", "news", "a");
  assertEquals(ear.heard(), expected);
});

Deno.test("messages of any size, shared or copied, arrive whole and in order", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const ears = [new Ear(), new Ear(3), new Ear(), new Ear()];
  const expected = ["", "", "", ""];
  on(hub, "subscribe", ears[0], "a");
  on(hub, "subscribe", ears[1], "a", "b");
  on(hub, "subscribe", ears[2], "b");
  on(hub, "subscribePattern", ears[3], "[ab]");
  const random = new Random(7);
  const sizes = [0, 1, 40, 47, 48, 100, 1000, 4000, 4096, 16_000, 16_384, 65_536, 100_000];
  for (let i = 0; i < 3000; i++) {
    const channel = random.below(3) === 0 ? "b" : "a";
    const size = random.below(20) === 0
      ? sizes[random.below(sizes.length)] + random.below(60)
      : random.below(90);
    const text = String.fromCharCode(97 + random.below(26)).repeat(size);
    publish(hub, channel, text);
    if (channel === "a") expected[0] += message("a", text);
    expected[1] += message(channel, text, ">");
    if (channel === "b") expected[2] += message("b", text);
    expected[3] += pmessage("[ab]", channel, text);
    for (const [n, ear] of ears.entries()) {
      if (random.below(40) === 0) {
        ear.reply.status("own");
        expected[n] += "+own\r\n";
      }
      if (random.below(25) > 0) continue;
      const heard = ear.heard();
      assert(heard === expected[n], `subscriber ${n} after ${i} messages`);
      assertEquals(ear.reply.pendingBytes, 0);
      expected[n] = "";
    }
  }
  for (const [n, ear] of ears.entries()) assert(ear.heard() === expected[n], `subscriber ${n}`);
});

Deno.test("a message to many is kept once: they are given the same memory", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const ears = Array.from({ length: 50 }, () => new Ear());
  for (const ear of ears) on(hub, "subscribe", ear, "c");
  for (const size of [10, 500, 5000, 1_000_000]) {
    publish(hub, "c", "m".repeat(size));
    const buffers = new Set(ears.map((ear) => ear.reply.takeChunk()!.buffer));
    assertEquals(buffers.size, 1, `${size} bytes`);
  }
});

Deno.test("what is sent by reference and given back is not handed to other writers", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const ear = new Ear();
  on(hub, "subscribe", ear, "c");
  const frame = message("c", "").length + 4; // five digits instead of one
  for (const size of [16 * 1024, 64 * 1024]) {
    publish(hub, "c", "a".repeat(size - frame));
    const chunk = ear.reply.takeChunk()!;
    assertEquals([ear.reply.chunkLength, chunk.length], [size, size]);
    recycleChunk(chunk);
    const writer = new ReplyWriter();
    writer.status("other");
    assert(writer.takeChunk()!.buffer !== chunk.buffer);
  }
});

Deno.test("messages to the client whose command runs wait until the command has ended", () => {
  const [self, other] = [new Ear(3), new Ear(3)];
  const hub = new Hub(runtime.timers, runtime.clock, () => self);
  on(hub, "subscribe", self, "c");
  on(hub, "subscribePattern", self, "*");
  on(hub, "subscribe", other, "c");
  assertEquals(publish(hub, "c", "x"), 3);
  assertEquals(hub.hasDeferred, true);
  assertEquals(self.heard(), "");
  assertEquals(other.heard(), message("c", "x", ">"));
  self.reply.integer(3);
  hub.deliverDeferred();
  assertEquals(hub.hasDeferred, false);
  assertEquals(self.heard(), ":3\r\n" + message("c", "x", ">") + pmessage("*", "c", "x", ">"));
});

Deno.test("a client that is closing is counted and sent nothing", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const ear = new Ear();
  on(hub, "subscribe", ear, "c");
  ear.isClosing = true;
  assertEquals(publish(hub, "c", "x"), 1);
  assertEquals(ear.heard(), "");
});

Deno.test("shard channels are a world of their own", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const [ear, shard] = [new Ear(), new Ear()];
  on(hub, "subscribe", ear, "c");
  on(hub, "subscribePattern", ear, "*");
  on(hub, "subscribeShard", shard, "c");
  assertEquals(publish(hub, "c", "x", true), 1);
  assertEquals(ear.heard(), "");
  assertEquals(shard.heard(), `*3\r\n${bulk("smessage")}${bulk("c")}${bulk("x")}`);
  assertEquals(publish(hub, "c", "x"), 2);
  assertEquals(shard.heard(), "");
  assertEquals([hub.channelCount, hub.patternCount, hub.shardChannelCount], [1, 1, 1]);
});

Deno.test("subscriptions are counted once, and leave no trace when they end", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const [one, two] = [new Ear(), new Ear()];
  assertEquals(hub.subscribe(one, latin1("c"), 0, 1), true);
  assertEquals(hub.subscribe(one, latin1("c"), 0, 1), false);
  assertEquals(hub.subscribe(two, latin1("c"), 0, 1), true);
  on(hub, "subscribe", one, "d");
  on(hub, "subscribePattern", one, "p*");
  on(hub, "subscribeShard", one, "s");
  assertEquals(hub.subscriberCount(latin1("c"), 0, 1), 2);
  assertEquals(hub.channelNames(null).map((name) => toLatin1(name)).sort(), ["c", "d"]);
  assertEquals(hub.channelNames(latin1("?")).length, 2);
  assertEquals(hub.channelNames(latin1("d*")).map((name) => toLatin1(name)), ["d"]);
  assert(one.subscriptions!.sizeBytes > two.subscriptions!.sizeBytes);
  assertEquals(hub.unsubscribe(two, latin1("d"), 0, 1), false);
  on(hub, "unsubscribe", one, "d");
  assertEquals(hub.channelNames(null).length, 1);
  hub.forget(one);
  assertEquals(one.subscriptions, null);
  assertEquals([hub.channelCount, hub.patternCount, hub.shardChannelCount], [1, 0, 0]);
  assertEquals(hub.isIdle, false);
  on(hub, "unsubscribe", two, "c");
  assertEquals(two.subscriptions!.sizeBytes, 0);
  assertEquals(hub.isIdle, true);
  assertEquals(publish(hub, "c", "x") + publish(hub, "p1", "x"), 0);
});

Deno.test("a subscriber over its limit is cut off, the others go on", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const [slow, quick] = [new Ear(), new Ear()];
  slow.reply.isOverLimit = () => slow.reply.pendingBytes >= 100_000;
  for (const ear of [slow, quick]) on(hub, "subscribe", ear, "c");
  let expected = "";
  for (let i = 0; i < 200; i++) {
    publish(hub, "c", "m".repeat(5000));
    expected = message("c", "m".repeat(5000));
    assertEquals(quick.heard(), expected);
  }
  assertEquals(slow.reply.isCut, true);
  assert(slow.reply.heldBytes < 200_000);
  assertEquals(slow.reply.takeChunk(), null);
});

Deno.test("many subscribers are woken when the turn is over, and later when messages come thick", () => {
  const timers = new HandTimers();
  const hub = new Hub(timers, timers.clock);
  const ears = Array.from({ length: 40 }, () => new Ear());
  for (const ear of ears) on(hub, "subscribe", ear, "news");
  const wakes = () => [...new Set(ears.map((ear) => ear.wakes))];
  for (let i = 0; i < 5; i++) publish(hub, "news", "hello");
  assertEquals(wakes(), [0], "nobody is woken within the turn");
  timers.endTurn();
  assertEquals(wakes(), [1], "once for all messages of the turn");
  timers.pass(0.5);
  publish(hub, "news", "again");
  timers.endTurn();
  assertEquals(wakes(), [1], "the latest round carried several messages");
  timers.pass(0.5);
  publish(hub, "news", "and again");
  assertEquals(wakes(), [1]);
  timers.pass(0.5);
  assertEquals(wakes(), [2], "a millisecond after the first of them");
  publish(hub, "news", "at last");
  timers.endTurn();
  assertEquals(wakes(), [3], "at once again, as the latest round carried but two");
  const texts = ["hello", "hello", "hello", "hello", "hello", "again", "and again", "at last"];
  assertEquals(ears[39].heard(), texts.map((text) => message("news", text)).join(""));
});

Deno.test("after a pause many subscribers are woken at once, however thick the messages came before", () => {
  const timers = new HandTimers();
  const hub = new Hub(timers, timers.clock);
  const ears = Array.from({ length: 40 }, () => new Ear());
  for (const ear of ears) on(hub, "subscribe", ear, "news");
  for (let i = 0; i < 5; i++) publish(hub, "news", "hello");
  timers.endTurn();
  timers.pass(1);
  publish(hub, "news", "again");
  timers.endTurn();
  assertEquals(ears[39].wakes, 2);
});

Deno.test("the memory of subscriptions is counted with those who have them", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const ear = new Ear();
  const count = 20_000;
  for (let i = 0; i < count; i++) on(hub, "subscribe", ear, `channel:${i}`);
  const { sizeBytes } = ear.subscriptions!;
  assert(sizeBytes > count * 60 && sizeBytes < count * 110, String(sizeBytes));
  for (let i = 0; i < count; i++) on(hub, "subscribePattern", ear, `pattern:${i}`);
  const patternBytes = ear.subscriptions!.sizeBytes - sizeBytes;
  assert(patternBytes > count * 110 && patternBytes < count * 170, String(patternBytes));
});

Deno.test("topics with several subscribers reach them all while clients with many come and go", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const ears = Array.from({ length: 40 }, () => new Ear());
  const counts = [1, 3, 4, 31, 32, 40];
  const names = counts.map((count) => `shared:${count}`);
  const many = new Ear();
  const check = () => {
    for (const [i, name] of names.entries()) {
      assertEquals(publish(hub, name, "m"), counts[i]);
      for (const [n, ear] of ears.entries()) {
        assertEquals(ear.heard(), n < counts[i] ? message(name, "m") : "", name);
      }
    }
  };
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 40_000; i++) on(hub, "subscribe", many, `channel:${round}:${i}`);
    if (round === 0) {
      for (const [i, name] of names.entries()) {
        for (const ear of ears.slice(0, counts[i])) on(hub, "subscribe", ear, name);
      }
    }
    check();
    hub.forget(many);
    check();
    assertEquals(hub.channelCount, names.length);
  }
  on(hub, "unsubscribe", ears[7], ...names);
  counts[3]--;
  counts[4]--;
  counts[5]--;
  for (const [i, name] of names.entries()) assertEquals(publish(hub, name, "n"), counts[i]);
  assertEquals(ears[7].heard(), "");
});

Deno.test("leaveOldest ends subscriptions of a kind in the order in which they came", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const ear = new Ear();
  on(hub, "subscribe", ear, "c", "a", "b");
  on(hub, "unsubscribe", ear, "a");
  on(hub, "subscribe", ear, "a");
  const left: (string | null)[] = [];
  for (let i = 0; i < 4; i++) {
    const name = hub.leaveOldest(ear, "channels");
    left.push(name === null ? null : toLatin1(name));
  }
  assertEquals(left, ["c", "b", "a", null]);
  assertEquals(hub.leaveOldest(new Ear(), "patterns"), null);
});

Deno.test("publish in a row goes to a channel as it stands: with others, anew, or with nobody", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const [two, three] = [new Ear(), new Ear(3)];
  // Names that begin alike, and of all lengths that are kept in different ways.
  for (const name of ["news", "nows", "", "n".repeat(256), "n".repeat(257), "n".repeat(5000)]) {
    const say = (expected: number) => assertEquals(publish(hub, name, "hi"), expected, name);
    on(hub, "subscribe", two, name);
    for (let i = 0; i < 3; i++) say(1);
    on(hub, "subscribe", three, name);
    for (let i = 0; i < 3; i++) say(2);
    assertEquals(two.heard(), message(name, "hi").repeat(6));
    assertEquals(three.heard(), message(name, "hi", ">").repeat(3));
    on(hub, "unsubscribe", two, name);
    say(1);
    on(hub, "unsubscribe", three, name);
    say(0);
    on(hub, "subscribe", two, `${name}?`);
    say(0);
    on(hub, "subscribe", three, name);
    for (let i = 0; i < 3; i++) say(1);
    assertEquals(three.heard(), message(name, "hi", ">").repeat(4));
    hub.forget(three);
    say(0);
    assertEquals([two.heard(), three.heard()], ["", ""]);
  }
});

Deno.test("publish in a row finds a pattern's messages their own beginning", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const ear = new Ear();
  on(hub, "subscribe", ear, "news");
  on(hub, "subscribePattern", ear, "n*");
  for (let i = 0; i < 3; i++) publish(hub, "news", "hi");
  const both = message("news", "hi") + pmessage("n*", "news", "hi");
  assertEquals(ear.heard(), both.repeat(3));
});

Deno.test("publish in a row finds its channel after tables have been made anew", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  const [many, one] = [new Ear(), new Ear()];
  for (let n = 0; n < 40_000; n++) on(hub, "subscribe", many, `c${n}`);
  on(hub, "subscribe", one, "news");
  for (let i = 0; i < 3; i++) assertEquals(publish(hub, "news", "hi"), 1);
  hub.forget(many);
  on(hub, "subscribe", many, "other");
  for (let i = 0; i < 3; i++) {
    assertEquals([publish(hub, "news", "hi"), publish(hub, "other", "x")], [1, 1]);
  }
  assertEquals(one.heard(), message("news", "hi").repeat(6));
  assertEquals(many.heard(), message("other", "x").repeat(3));
});
