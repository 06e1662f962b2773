/** HEXPIRE and its relatives, on both encodings. Expected answers are those of Redis 7.4 and 8.0. */

import { assertEquals } from "@std/assert";
import { INT64_MAX } from "../../../src/base/integers.ts";
import { EVENT_GENERIC, EVENT_HASH } from "../../../src/base/event_classes.ts";
import { expireSlice } from "../../../src/keyspace/expiry.ts";
import { EXPIRE_HIDES } from "../../../src/keyspace/expire_mode.ts";
import { NOT_AN_INTEGER, WRONG_TYPE } from "../../../src/resp/reply_error.ts";
import { type TestServer, testServer, type Value } from "../../support/test_server.ts";

const NOW = 1_700_000_000_000;

const ENCODINGS = [["listpackex", 128], ["hashtable", 0]] as const;

/** A server with hash `h` of fields a, b and c. */
function serverWith(entries: number): TestServer {
  const s = testServer({ nowMs: NOW });
  s.keyspace.limits.hashMaxListpackEntries = entries;
  s.run("HSET", "h", "a", "1", "b", "2", "c", "3");
  s.propagated();
  return s;
}

/** The texts of a reply in whatever order they came. */
function sorted(reply: Value | undefined): string[] {
  return (reply as string[]).toSorted();
}

/** Notes the events of keys from now on, as "event key". */
function eventsOf(s: TestServer): () => string[] {
  let events: string[] = [];
  s.keyspace.eventMask = EVENT_HASH | EVENT_GENERIC;
  s.keyspace.listener = {
    keyEvent: (event, _database, bytes, offset, length) =>
      events.push(`${event} ${new TextDecoder().decode(bytes.subarray(offset, offset + length))}`),
    keyChanged() {},
    contentReplaced() {},
    flushed() {},
  };
  return () => {
    const seen = events;
    events = [];
    return seen;
  };
}

for (const [encoding, entries] of ENCODINGS) {
  const test = (name: string, run: (s: TestServer) => void) =>
    Deno.test(`${name} (${encoding})`, () => run(serverWith(entries)));

  test("HEXPIRE answers for each field and propagates those it has changed as HPEXPIREAT", (s) => {
    assertEquals(s.run("HEXPIRE", "h", 10, "FIELDS", 3, "a", "none", "b"), [1, -2, 1]);
    assertEquals(s.run("OBJECT", "ENCODING", "h"), encoding);
    assertEquals(s.run("HTTL", "h", "FIELDS", 4, "a", "b", "c", "none"), [10, 10, -1, -2]);
    assertEquals(s.run("HPEXPIRETIME", "h", "FIELDS", 1, "a"), [NOW + 10_000]);
    assertEquals(s.propagated(), [`HPEXPIREAT h ${NOW + 10_000} FIELDS 2 a b`]);
    assertEquals(s.keyspace.dirty, 5);
  });

  test("the four forms name the same instant", (s) => {
    for (
      const [name, time] of [
        ["HEXPIRE", 60],
        ["HPEXPIRE", 60_000],
        ["HEXPIREAT", NOW / 1000 + 60],
        ["HPEXPIREAT", NOW + 60_000],
      ] as const
    ) {
      assertEquals(s.run(name, "h", time, "FIELDS", 1, "a"), [1]);
      assertEquals(s.run("HPEXPIRETIME", "h", "FIELDS", 1, "a"), [NOW + 60_000]);
      assertEquals(s.run("HEXPIRETIME", "h", "FIELDS", 1, "a"), [NOW / 1000 + 60]);
      assertEquals(s.run("HPTTL", "h", "FIELDS", 1, "a"), [60_000]);
    }
  });

  test("HTTL and HEXPIRETIME round seconds up", (s) => {
    s.run("HPEXPIREAT", "h", NOW + 1001, "FIELDS", 1, "a");
    assertEquals(s.run("HTTL", "h", "FIELDS", 1, "a"), [2]);
    assertEquals(s.run("HEXPIRETIME", "h", "FIELDS", 1, "a"), [NOW / 1000 + 2]);
  });

  for (
    const [condition, first, second, answers] of [
      ["NX", 2000, 1000, [0, 1]],
      ["XX", 2000, 1000, [1, 0]],
      ["GT", 2000, 1000, [0, 0]],
      ["GT", 1000, 1000, [0, 0]],
      ["GT", 1000, 2000, [1, 0]],
      ["LT", 2000, 1000, [1, 1]],
      ["LT", 1000, 1000, [0, 1]],
      ["lt", 1000, 2000, [0, 1]],
    ] as const
  ) {
    test(`HPEXPIRE ${second} ${condition} on fields of ${first} ms and of none`, (s) => {
      s.run("HPEXPIRE", "h", first, "FIELDS", 1, "a");
      s.propagated();
      assertEquals(s.run("HPEXPIRE", "h", second, condition, "FIELDS", 2, "a", "b"), [...answers]);
      const times = [answers[0] === 1 ? second : first, answers[1] === 1 ? second : -1];
      assertEquals(s.run("HPTTL", "h", "FIELDS", 2, "a", "b"), times);
      const changed = ["a", "b"].filter((_, i) => answers[i] === 1);
      const words = `HPEXPIREAT h ${NOW + second} ${condition.toUpperCase()} FIELDS`;
      assertEquals(
        s.propagated(),
        changed.length === 0 ? [] : [`${words} ${changed.length} ${changed.join(" ")}`],
      );
    });
  }

  test("a field that is named twice is looked at twice", (s) => {
    assertEquals(s.run("HPEXPIRE", "h", 10, "NX", "FIELDS", 3, "a", "a", "b"), [1, 0, 1]);
    assertEquals(s.run("HPEXPIREAT", "h", 1, "FIELDS", 2, "a", "a"), [2, -2]);
  });

  test("HEXPIREAT with a time that is over deletes fields, and the hash with the last one", (s) => {
    const events = eventsOf(s);
    assertEquals(s.run("HEXPIREAT", "h", 1, "FIELDS", 3, "a", "none", "b"), [2, -2, 2]);
    assertEquals(s.propagated(), ["MULTI", "HDEL h a", "HDEL h b", "EXEC"]);
    assertEquals(events(), ["hdel h"]);
    assertEquals(s.run("HPEXPIRE", "h", 0, "FIELDS", 1, "c"), [2]);
    assertEquals(s.propagated(), ["HDEL h c"]);
    assertEquals(events(), ["hdel h", "del h"]);
    assertEquals(s.run("EXISTS", "h"), 0);
    assertEquals(s.keyspace.expiredFields, 3);
  });

  test("a field can be read through its last millisecond, and is hidden then", (s) => {
    s.run("HPEXPIRE", "h", 100, "FIELDS", 1, "a");
    s.clock.nowMs += 100;
    assertEquals(s.run("HGET", "h", "a"), "1");
    s.clock.nowMs += 1;
    assertEquals(sorted(s.run("HGETALL", "h")), ["2", "3", "b", "c"]);
    assertEquals(sorted(s.run("HKEYS", "h")), ["b", "c"]);
    assertEquals(sorted(s.run("HVALS", "h")), ["2", "3"]);
    assertEquals(sorted((s.run("HSCAN", "h", 0) as Value[])[1]), ["2", "3", "b", "c"]);
    assertEquals(s.run("HTTL", "h", "FIELDS", 1, "a"), [-2]);
    assertEquals(s.run("HPERSIST", "h", "FIELDS", 1, "a"), [-2]);
    assertEquals(s.run("HLEN", "h"), 3, "as in Redis");
    assertEquals(s.keyspace.expiredFields, 0);
  });

  for (
    const words of [
      ["HGET", "h", "a"],
      ["HEXISTS", "h", "a"],
      ["HSTRLEN", "h", "a"],
      ["HMGET", "h", "a"],
      ["HGETEX", "h", "FIELDS", "1", "a"],
      ["HGETDEL", "h", "FIELDS", "1", "a"],
      ["HEXPIRE", "h", "10", "FIELDS", "1", "a"],
      ["HRANDFIELD", "h", "3"],
    ]
  ) {
    test(`${words[0]} removes a field that is over, and the hash with the last one`, (s) => {
      s.run("HPEXPIRE", "h", 5, "FIELDS", 1, "a");
      s.run("HPEXPIRE", "h", 500, "FIELDS", 2, "b", "c");
      s.propagated();
      const events = eventsOf(s);
      s.clock.nowMs += 6;
      const missing = { HGET: null, HEXISTS: 0, HSTRLEN: 0 }[words[0]];
      const answer = s.run(...words);
      if (missing !== undefined) assertEquals(answer, missing);
      assertEquals(s.propagated(), ["HDEL h a"]);
      assertEquals(events(), ["hexpired h"]);
      assertEquals(s.run("HLEN", "h"), 2);
      s.clock.nowMs += 500;
      for (const field of ["b", "c"]) {
        if (words[0] === "HRANDFIELD") assertEquals(s.run(...words), []);
        else s.run(...words.map((word) => word === "a" ? field : word));
      }
      assertEquals(events().at(-1), "del h");
      assertEquals(s.propagated().filter((line) => line.startsWith("HDEL")).sort(), [
        "HDEL h b",
        "HDEL h c",
      ]);
      assertEquals(s.run("EXISTS", "h"), 0);
      assertEquals(s.keyspace.expiredFields, 3);
    });
  }

  test("HMGET tells once of all fields that are over", (s) => {
    s.run("HPEXPIRE", "h", 5, "FIELDS", 3, "a", "b", "c");
    s.clock.nowMs += 6;
    const events = eventsOf(s);
    assertEquals(s.run("HMGET", "h", "a", "b", "c", "d"), [null, null, null, null]);
    assertEquals(events(), ["hexpired h", "del h"]);
  });

  test("a field that is over fails a transaction that watches its hash once it is removed", (s) => {
    s.run("HPEXPIRE", "h", 5, "FIELDS", 1, "a");
    s.run("WATCH", "h");
    s.clock.nowMs += 6;
    s.run("HGET", "h", "a");
    s.run("MULTI");
    s.run("PING");
    assertEquals(s.run("EXEC"), null);
  });

  test("HSET, HMSET and HSETNX give a field a value for good, HINCRBY leaves its time", (s) => {
    s.run("HPEXPIRE", "h", 500, "FIELDS", 3, "a", "b", "c");
    assertEquals(s.run("HSET", "h", "a", "9"), 0);
    s.run("HMSET", "h", "b", "8", "new", "7");
    assertEquals(s.run("HINCRBY", "h", "c", 4), 7);
    assertEquals(s.run("HPTTL", "h", "FIELDS", 3, "a", "b", "c"), [-1, -1, 500]);
    s.propagated();
    assertEquals(s.run("HINCRBYFLOAT", "h", "c", "0.5"), "7.5");
    const again = `HPEXPIREAT h ${NOW + 500} FIELDS 1 c`;
    assertEquals(s.propagated(), ["MULTI", "HSET h c 7.5", again, "EXEC"]);
    assertEquals(s.run("HPTTL", "h", "FIELDS", 1, "c"), [500]);
    assertEquals(s.run("HSETNX", "h", "c", "x"), 0);
    s.clock.nowMs += 501;
    assertEquals(s.run("HSETNX", "h", "c", "x"), 1);
    assertEquals(s.run("HPTTL", "h", "FIELDS", 1, "c"), [-1]);
  });

  for (const name of ["HINCRBY", "HINCRBYFLOAT"]) {
    test(`${name} begins anew with a field that is over, also where it was the last`, (s) => {
      s.run("HDEL", "h", "b", "c");
      s.run("HPEXPIRE", "h", 5, "FIELDS", 1, "a");
      s.clock.nowMs += 6;
      assertEquals(String(s.run(name, "h", "a", 3)), "3");
      assertEquals(s.run("HPTTL", "h", "FIELDS", 1, "a"), [-1]);
      assertEquals(s.run("HLEN", "h"), 1);
    });
  }

  test("HDEL counts a field that is over and still there", (s) => {
    s.run("HPEXPIRE", "h", 5, "FIELDS", 3, "a", "b", "c");
    s.clock.nowMs += 6;
    assertEquals(s.run("HDEL", "h", "a", "b", "c", "d"), 3);
    assertEquals(s.run("EXISTS", "h"), 0);
  });

  test("HPERSIST ends the expiry of fields that have one", (s) => {
    s.run("HPEXPIRE", "h", 500, "FIELDS", 1, "a");
    const events = eventsOf(s);
    s.propagated();
    assertEquals(s.run("HPERSIST", "h", "FIELDS", 3, "a", "b", "none"), [1, -1, -2]);
    assertEquals(s.propagated(), ["HPERSIST h FIELDS 3 a b none"]);
    assertEquals(events(), ["hpersist h"]);
    assertEquals(s.run("HPERSIST", "h", "FIELDS", 1, "a"), [-1]);
    assertEquals([s.propagated(), events()], [[], []]);
    assertEquals(s.run("OBJECT", "ENCODING", "h"), encoding);
    s.clock.nowMs += 501;
    assertEquals(s.run("HGET", "h", "a"), "1");
  });

  test("HGETEX reads fields and gives them a time, or takes it away", (s) => {
    const events = eventsOf(s);
    assertEquals(s.run("HGETEX", "h", "FIELDS", 2, "a", "none"), ["1", null]);
    assertEquals([s.propagated(), events()], [[], []]);
    assertEquals(s.run("HGETEX", "h", "EX", 7, "FIELDS", 2, "a", "none"), ["1", null]);
    assertEquals(s.propagated(), [`HPEXPIREAT h ${NOW + 7000} FIELDS 1 a`]);
    assertEquals(s.run("HGETEX", "h", "PERSIST", "FIELDS", 2, "a", "b"), ["1", "2"]);
    assertEquals(s.propagated(), ["HPERSIST h FIELDS 1 a"]);
    assertEquals(events(), ["hexpire h", "hpersist h"]);
    assertEquals(s.run("HGETEX", "h", "PXAT", 5, "FIELDS", 4, "a", "a", "b", "c"), [
      "1",
      null,
      "2",
      "3",
    ]);
    assertEquals(s.propagated(), ["MULTI", "HDEL h a", "HDEL h b", "HDEL h c", "EXEC"]);
    assertEquals(events(), ["hdel h", "del h"]);
    assertEquals(s.run("HGETEX", "h", "EXAT", 99, "FIELDS", 1, "a"), [null]);
  });

  test("HSETEX sets fields with a time, keeps the one there is, or ends it", (s) => {
    const events = eventsOf(s);
    assertEquals(s.run("HSETEX", "h", "PX", 900, "FIELDS", 2, "a", "x", "new", "y"), 1);
    const times = `HPEXPIREAT h ${NOW + 900} FIELDS 2 a new`;
    assertEquals(s.propagated(), ["MULTI", "HSET h a x new y", times, "EXEC"]);
    assertEquals(events(), ["hset h", "hexpire h"]);
    assertEquals(s.run("HSETEX", "h", "KEEPTTL", "FIELDS", 2, "a", "z", "b", "q"), 1);
    assertEquals(s.propagated(), [
      "MULTI",
      "HSET h a z b q",
      `HPEXPIREAT h ${NOW + 900} FIELDS 1 a`,
      "EXEC",
    ]);
    assertEquals(s.run("HPTTL", "h", "FIELDS", 3, "a", "b", "new"), [900, -1, 900]);
    assertEquals(s.run("HSETEX", "h", "FIELDS", 1, "a", "w"), 1);
    assertEquals(s.propagated(), ["HSET h a w"]);
    assertEquals(s.run("HMGET", "h", "a", "b", "c", "new"), ["w", "q", "3", "y"]);
    assertEquals(s.run("HPTTL", "h", "FIELDS", 2, "a", "new"), [-1, 900]);
    events();
    assertEquals(s.run("HSETEX", "h", "EXAT", 1, "FIELDS", 2, "a", "v", "none", "v"), 1);
    assertEquals(s.propagated(), ["HDEL h a"]);
    assertEquals(events(), ["hdel h"]);
    assertEquals(s.run("HEXISTS", "h", "a"), 0);
  });

  test("HSETEX with FNX and FXX sets all fields or none", (s) => {
    assertEquals(s.run("HSETEX", "h", "FNX", "EX", 5, "FIELDS", 2, "new", "1", "a", "9"), 0);
    assertEquals(s.run("HSETEX", "h", "FXX", "EX", 5, "FIELDS", 2, "a", "9", "new", "1"), 0);
    assertEquals(s.run("HSETEX", "none", "FXX", "FIELDS", 1, "a", "9"), 0);
    assertEquals(s.propagated(), []);
    assertEquals(s.run("HSETEX", "h", "EX", 5, "FXX", "FIELDS", 2, "a", "9", "b", "8"), 1);
    assertEquals(s.run("HSETEX", "h", "FNX", "FIELDS", 2, "new", "1", "two", "2"), 1);
    s.clock.nowMs += 5001;
    assertEquals(s.run("HSETEX", "h", "FNX", "FIELDS", 1, "a", "back"), 1, "its time was over");
    assertEquals(s.run("HMGET", "h", "a", "b", "new"), ["back", null, "1"]);
  });

  test("HSETEX makes a hash, but none of fields that are over", (s) => {
    assertEquals(s.run("HSETEX", "n", "EX", 5, "FIELDS", 2, "a", "1", "b", "2"), 1);
    assertEquals(s.run("HTTL", "n", "FIELDS", 2, "a", "b"), [5, 5]);
    s.propagated();
    assertEquals(s.run("HSETEX", "m", "PXAT", 5, "FIELDS", 1, "a", "1"), 1);
    assertEquals([s.run("EXISTS", "m"), s.propagated()], [0, []]);
  });

  test("HGETDEL reads fields and deletes them, and the hash with the last one", (s) => {
    const events = eventsOf(s);
    assertEquals(s.run("HGETDEL", "h", "FIELDS", 3, "a", "a", "none"), ["1", null, null]);
    assertEquals(s.propagated(), ["HDEL h a"]);
    assertEquals(s.run("HGETDEL", "h", "FIELDS", 2, "b", "c"), ["2", "3"]);
    assertEquals(s.propagated(), ["HDEL h b c"]);
    assertEquals(events(), ["hdel h", "hdel h", "del h"]);
    assertEquals(s.run("HGETDEL", "h", "FIELDS", 1, "b"), [null]);
  });

  test("HRANDFIELD draws among the fields that are not over", (s) => {
    s.run("HPEXPIRE", "h", 5, "FIELDS", 2, "a", "c");
    s.clock.nowMs += 6;
    s.keyspace.expireMode = s.keyspace.roleExpireMode = EXPIRE_HIDES;
    assertEquals(s.run("HRANDFIELD", "h"), "b");
    assertEquals(s.run("HRANDFIELD", "h", 5, "WITHVALUES"), ["b", "2"]);
    assertEquals(s.run("HRANDFIELD", "h", -3), ["b", "b", "b"]);
    s.run("HPEXPIREAT", "h", NOW, "FIELDS", 1, "b");
    assertEquals(s.run("HRANDFIELD", "h"), null);
    assertEquals(s.run("HRANDFIELD", "h", -3), []);
    assertEquals(s.propagated().filter((line) => line.startsWith("HDEL")), []);
  });

  test("a replica hides a field that is over and leaves it to its master", (s) => {
    s.run("HPEXPIRE", "h", 5, "FIELDS", 1, "a");
    s.keyspace.expireMode = s.keyspace.roleExpireMode = EXPIRE_HIDES;
    s.propagated();
    s.clock.nowMs += 6;
    assertEquals(s.run("HGET", "h", "a"), null);
    assertEquals(s.run("HMGET", "h", "a", "b"), [null, "2"]);
    assertEquals(sorted(s.run("HGETALL", "h")), ["2", "3", "b", "c"]);
    s.keyspace.refreshTime();
    expireSlice(s.keyspace, 1000, () => 0);
    assertEquals([s.run("HLEN", "h"), s.propagated()], [3, []]);
  });

  test("SORT does not see a field that is over", (s) => {
    s.run("HPEXPIRE", "h", 5, "FIELDS", 1, "a");
    s.run("RPUSH", "l", "h");
    assertEquals(s.run("SORT", "l", "BY", "nosort", "GET", "*->a"), ["1"]);
    s.clock.nowMs += 6;
    assertEquals(s.run("SORT", "l", "BY", "nosort", "GET", "*->a"), [null]);
  });

  test("COPY, RENAME, MOVE, SWAPDB, DUMP and DEBUG RELOAD keep times, and all of them end", (s) => {
    s.run("HPEXPIRE", "h", 500, "FIELDS", 1, "a");
    s.run("HPEXPIRE", "h", 900, "FIELDS", 1, "b");
    const payload = s.run("DUMP", "h") as string;
    s.run("COPY", "h", "copy");
    s.run("RESTORE", "restored", 0, payload);
    s.run("COPY", "h", "moved");
    s.run("MOVE", "moved", 1);
    s.run("RENAME", "h", "renamed");
    s.run("SWAPDB", 0, 2);
    s.run("SELECT", 2);
    const all = () =>
      ["copy", "restored", "renamed"].map((key) => s.run("HPTTL", key, "FIELDS", 3, "a", "b", "c"));
    const expected = [500, 900, -1];
    assertEquals(all(), [expected, expected, expected]);
    s.run("SELECT", 1);
    assertEquals(s.run("HPTTL", "moved", "FIELDS", 3, "a", "b", "c"), expected);
    assertEquals(s.keyspace.databases.map((each) => each.expiringHashCount).slice(0, 3), [0, 1, 3]);
    s.clock.nowMs += 501;
    s.keyspace.refreshTime();
    expireSlice(s.keyspace, 1000, () => 0);
    assertEquals(s.run("HLEN", "moved"), 2);
    s.clock.nowMs += 400;
    s.keyspace.refreshTime();
    expireSlice(s.keyspace, 1000, () => 0);
    assertEquals(s.keyspace.databases.map((each) => each.expiringHashCount).slice(0, 3), [0, 0, 0]);
    assertEquals(s.keyspace.expiredFields, 8);
  });

  test("a hash that is overwritten, deleted or flushed leaves no time behind", (s) => {
    const { databases } = s.keyspace;
    for (
      const words of [
        ["DEL", "h"],
        ["SET", "h", "v"],
        ["SET", "h", "v".repeat(20_000)],
        ["RENAME", "other", "h"],
        ["SDIFFSTORE", "h", "other"],
        ["RESTORE", "h", "0", s.run("DUMP", "h") as string, "REPLACE"],
        ["FLUSHDB"],
      ]
    ) {
      s.run("DEL", "h");
      s.run("SADD", "other", "m");
      s.run("HSET", "h", "a", "1", "b", "2", "c", "3");
      s.run("HPEXPIRE", "h", 500, "FIELDS", 2, "a", "b");
      assertEquals(databases[0].expiringHashCount, 1);
      s.run(...words);
      assertEquals(databases[0].expiringHashCount, 0, words[0]);
    }
  });

  test("HEXPIRE with times changes DEBUG DIGEST, and how late they are does not", (s) => {
    const plain = s.run("DEBUG", "DIGEST");
    s.run("HPEXPIRE", "h", 500, "FIELDS", 1, "a");
    const first = s.run("DEBUG", "DIGEST");
    s.run("HPEXPIRE", "h", 700, "FIELDS", 1, "a");
    assertEquals(s.run("DEBUG", "DIGEST"), first);
    s.run("HPERSIST", "h", "FIELDS", 1, "a");
    assertEquals(s.run("DEBUG", "DIGEST"), plain);
    assertEquals(first === plain, false);
  });
}

Deno.test("a small hash with times becomes a table where it has no room, and keeps them", () => {
  for (
    const grow of [
      ["HSET", "h", "d", "4"],
      ["HSET", "h", "a", "v".repeat(65)],
      ["HINCRBY", "h", "d", "4"],
    ]
  ) {
    const s = serverWith(3);
    s.run("HPEXPIRE", "h", 500, "FIELDS", 1, "b");
    s.run("HPEXPIRE", "h", 400, "FIELDS", 1, "c");
    assertEquals(s.run("OBJECT", "ENCODING", "h"), "listpackex");
    s.run(...grow);
    assertEquals(s.run("OBJECT", "ENCODING", "h"), "hashtable");
    assertEquals(s.run("HPTTL", "h", "FIELDS", 3, "a", "b", "c"), [-1, 500, 400]);
    s.clock.nowMs += 401;
    assertEquals(s.run("HEXISTS", "h", "c"), 0);
  }
});

Deno.test("a small hash whose times have no room in a record becomes a table", () => {
  const s = testServer();
  s.keyspace.limits.hashMaxListpackEntries = 100_000;
  s.keyspace.limits.hashMaxListpackValue = 100_000;
  s.run("HSET", "h", "a", "v".repeat(32_000), "b", "v".repeat(33_400));
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "listpack");
  assertEquals(s.run("HEXPIRE", "h", 10, "FIELDS", 1, "a"), [1]);
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "listpackex");
  const fields = Array.from({ length: 200 }, (_, i) => `f${i}`);
  s.run("HEXPIRE", "h", 10, "FIELDS", 202, "a", "b", ...fields);
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "hashtable");
  assertEquals(s.run("HTTL", "h", "FIELDS", 2, "a", "b"), [10, 10]);
});

Deno.test("a command that changes no time leaves the encoding of a hash alone", () => {
  const s = serverWith(128);
  s.run("HEXPIRE", "h", 10, "FIELDS", 1, "none");
  s.run("HEXPIRE", "h", 10, "XX", "FIELDS", 1, "a");
  s.run("HPERSIST", "h", "FIELDS", 1, "a");
  assertEquals(s.run("OBJECT", "ENCODING", "h"), "listpack");
  assertEquals(s.propagated(), []);
});

Deno.test("INFO counts hashes with fields that expire, and the fields that are gone", () => {
  const s = serverWith(128);
  const line = (section: string, name: string) =>
    (s.run("INFO", section) as string).split("\r\n").find((each) => each.startsWith(name));
  assertEquals(line("keyspace", "db0"), "db0:keys=1,expires=0,avg_ttl=0");
  s.run("HPEXPIRE", "h", 5, "FIELDS", 1, "a");
  assertEquals(line("keyspace", "db0"), "db0:keys=1,expires=0,avg_ttl=0,subexpiry=1");
  assertEquals(line("stats", "expired_subkeys"), "expired_subkeys:0");
  s.clock.nowMs += 6;
  s.run("HGET", "h", "a");
  assertEquals(line("stats", "expired_subkeys"), "expired_subkeys:1");
  assertEquals(line("keyspace", "db0"), "db0:keys=1,expires=0,avg_ttl=0");
  s.run("CONFIG", "RESETSTAT");
  assertEquals(line("stats", "expired_subkeys"), "expired_subkeys:0");
});

const FIELDS = "ERR Mandatory argument FIELDS is missing or not at the right position";
const NUMBER = "ERR The `numfields` parameter must match the number of arguments";
const POSITIVE = "ERR Number of fields must be a positive integer";
const ZERO = "ERR Parameter `numFields` should be greater than 0";
const NEGATIVE = "ERR invalid expire time, must be >= 0";
const arity = (name: string) => `ERR wrong number of arguments for '${name}' command`;
const time = (name: string) => `ERR invalid expire time in '${name}' command`;

const REFUSED: readonly (readonly [words: string, error: string])[] = [
  ["HEXPIRE h 1 FIELDS 1", arity("hexpire")],
  ["HEXPIRE text 1 FIELDS 1 a", WRONG_TYPE],
  ["HEXPIRE text x FIELDS 1 a", WRONG_TYPE],
  ["HEXPIRE h x FIELDS 1 a", NOT_AN_INTEGER],
  ["HEXPIRE h 1.5 FIELDS 1 a", NOT_AN_INTEGER],
  [`HEXPIRE h ${INT64_MAX + 1n} FIELDS 1 a`, NOT_AN_INTEGER],
  ["HEXPIRE h -1 FIELDS 1 a", NEGATIVE],
  [`HEXPIRE h ${-INT64_MAX} FIELDS 1 a`, NEGATIVE],
  [`HEXPIRE h ${INT64_MAX} FIELDS 1 a`, time("hexpire")],
  [`HPEXPIRE h ${2 ** 46} FIELDS 1 a`, time("hpexpire")],
  [`HPEXPIREAT h ${2 ** 46} FIELDS 1 a`, time("hpexpireat")],
  [`HEXPIREAT h ${Math.ceil(2 ** 46 / 1000)} FIELDS 1 a`, time("hexpireat")],
  ["HEXPIRE h 1 a b c", FIELDS],
  ["HEXPIRE h 1 NX XX FIELDS 1 a", FIELDS],
  ["HEXPIRE h 1 NX FIELDS 1", NUMBER],
  ["HEXPIRE h 1 FIELDS 0 a", ZERO],
  ["HEXPIRE h 1 FIELDS -1 a", ZERO],
  ["HEXPIRE h 1 FIELDS x a", ZERO],
  ["HEXPIRE h 1 FIELDS 2 a", NUMBER],
  ["HEXPIRE h 1 FIELDS 1 a b", NUMBER],
  [`HEXPIRE h 1 FIELDS ${INT64_MAX} a b`, NUMBER],
  ["HTTL h FIELDS 1", arity("httl")],
  ["HTTL text FIELDS 1 a", WRONG_TYPE],
  ["HPTTL h 1 FIELDS a", FIELDS],
  ["HEXPIRETIME h FIELDS 0 a", POSITIVE],
  ["HPEXPIRETIME h FIELDS 2 a", NUMBER],
  ["HPERSIST text FIELDS 1 a", WRONG_TYPE],
  ["HPERSIST h FIELDS x a", POSITIVE],
  ["HPERSIST h FIELDS 2 a", NUMBER],
  ["HPERSIST h a b c", FIELDS],
  ["HGETDEL h FIELDS 1", arity("hgetdel")],
  ["HGETDEL text FIELDS 1 a", WRONG_TYPE],
  ["HGETDEL h FIELDS 0 a", POSITIVE],
  ["HGETDEL h FIELDS 2 a", NUMBER],
  ["HGETEX text FIELDS 1 a", WRONG_TYPE],
  ["HGETEX h EX x FIELDS 1 a", NOT_AN_INTEGER],
  ["HGETEX h EX -1 FIELDS 1 a", NEGATIVE],
  [`HGETEX h PX ${2 ** 46} FIELDS 1 a`, time("hgetex")],
  ["HGETEX h EX 1 PX 1 FIELDS 1 a", FIELDS],
  ["HGETEX h PERSIST EX 1 FIELDS 1 a", FIELDS],
  ["HGETEX h EX 10 FIELDS", arity("hgetex")],
  ["HGETEX h FIELDS 0 a", POSITIVE],
  ["HGETEX h FIELDS 3 a", NUMBER],
  ["HSETEX h FIELDS 1 a", arity("hsetex")],
  ["HSETEX text FIELDS 1 a v", WRONG_TYPE],
  ["HSETEX h FIELDS 0 a v", "ERR invalid number of fields"],
  ["HSETEX h FIELDS x a v", "ERR invalid number of fields"],
  ["HSETEX h FIELDS 2 a v", arity("hsetex")],
  ["HSETEX h FIELDS 1 a v b", arity("hsetex")],
  ["HSETEX h EX 1 FIELDS 1 a", arity("hsetex")],
  ["HSETEX h EX x FIELDS 1 a v", NOT_AN_INTEGER],
  ["HSETEX h EX -5 FIELDS 1 a v", NEGATIVE],
  [`HSETEX h PXAT ${2 ** 46} FIELDS 1 a v`, time("hsetex")],
  [
    "HSETEX h EX 1 PX 1 FIELDS 1 a v",
    "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
  ],
  [
    "HSETEX h KEEPTTL EX 1 FIELDS 1 a v",
    "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
  ],
  ["HSETEX h FNX FXX FIELDS 1 a v", "ERR Only one of FXX or FNX arguments can be specified"],
  ["HSETEX h NX EX 1 FIELDS 1 a v", "ERR unknown argument: NX"],
  ["HSETEX h a b c EX", "ERR unknown argument: a"],
  ["HSETEX h FNX FIELDS 1 EX", arity("hsetex")],
];

for (const [text, error] of REFUSED) {
  Deno.test(`${text} is refused and changes nothing`, () => {
    const s = serverWith(128);
    s.run("SET", "text", "x");
    const digest = s.run("DEBUG", "DIGEST");
    s.propagated();
    assertEquals(s.run(...text.split(" ")), { error });
    assertEquals(s.run("DEBUG", "DIGEST"), digest);
    assertEquals(s.run("OBJECT", "ENCODING", "h"), "listpack");
    assertEquals(s.propagated(), []);
  });
}

Deno.test("a key that is not there has no fields that could expire", () => {
  const s = testServer();
  assertEquals(s.run("HEXPIRE", "n", 1, "FIELDS", 2, "a", "b"), [-2, -2]);
  assertEquals(s.run("HPERSIST", "n", "FIELDS", 1, "a"), [-2]);
  assertEquals(s.run("HTTL", "n", "FIELDS", 2, "a", "b"), [-2, -2]);
  assertEquals(s.run("HGETDEL", "n", "FIELDS", 1, "a"), [null]);
  assertEquals(s.run("HGETEX", "n", "PERSIST", "FIELDS", 1, "a"), [null]);
  assertEquals(s.propagated(), []);
});
