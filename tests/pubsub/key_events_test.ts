import { assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { Hub } from "../../src/pubsub/hub.ts";
import { runtime } from "../../src/runtime/here.ts";
import { KeyEventPublisher } from "../../src/pubsub/key_events.ts";

/** A hub that notes what is published, as if somebody listened. */
class NotingHub extends Hub {
  readonly published: string[] = [];

  override get isIdle(): boolean {
    return false;
  }

  override publish(...[channel, at, length, message, from, count]: Parameters<Hub["publish"]>) {
    this.published.push(`${toLatin1(channel, at, length)} ${toLatin1(message, from, count)}`);
    return 0;
  }
}

for (const [toKeyspace, toKeyevent] of [[true, true], [true, false], [false, true]]) {
  Deno.test(`an event is published on the key ${toKeyspace}, on the event ${toKeyevent}`, () => {
    const hub = new NotingHub(runtime.timers, runtime.clock);
    const events = new KeyEventPublisher(hub);
    events.toKeyspace = toKeyspace;
    events.toKeyevent = toKeyevent;
    const long = "k".repeat(3000);
    const expected: string[] = [];
    for (const key of ["a", "", long, "b\0c\xff", "k".repeat(48)]) {
      for (const database of [0, 15]) {
        events.publish("lpush", database, latin1(`(${key})`), 1, key.length);
        if (toKeyspace) expected.push(`__keyspace@${database}__:${key} lpush`);
        if (toKeyevent) expected.push(`__keyevent@${database}__:lpush ${key}`);
      }
    }
    assertEquals(hub.published, expected);
  });
}

Deno.test("while nobody listens nothing is published", () => {
  const hub = new Hub(runtime.timers, runtime.clock);
  hub.publish = () => {
    throw new Error("published");
  };
  const events = new KeyEventPublisher(hub);
  events.toKeyspace = events.toKeyevent = true;
  events.publish("set", 0, latin1("k"), 0, 1);
});
