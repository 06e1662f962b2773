/** The client in whose name our master's commands run: which gates it passes, and what it leaves behind. */

import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../../src/base/bytes.ts";
import { GATE_READ_ONLY } from "../../../src/dispatch/dispatcher.ts";
import { EXPIRE_DELETES, EXPIRE_HIDES } from "../../../src/keyspace/expire_mode.ts";
import { LeftOut } from "../../../src/rdb/left_out.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

/** A replica, and what its master sends. */
function replica(directives: Record<string, string> = {}, folder?: string) {
  const server = testServer({ folder, directives: { "replicaof": "127.0.0.1 1", ...directives } });
  const { core } = server;
  core.replication.begin();
  const master = core.openMasterClient({
    address: "127.0.0.1:1",
    localAddress: "127.0.0.1:2",
    descriptor: 8,
    isWriting: false,
    wake() {},
    resume() {},
    close() {},
  }, true);
  const send = (text: string) => {
    const parser = master.parser!;
    const space = parser.space();
    new TextEncoder().encodeInto(text, space);
    parser.filled(text.length);
    core.processMasterInput(master);
  };
  const isReadOnly = () => (server.dispatcher.gateBits & GATE_READ_ONLY) !== 0;
  const pass = (ms: number) => {
    server.clock.nowMs += ms;
    server.keyspace.refreshTime();
  };
  return { server, send, isReadOnly, pass };
}

Deno.test("what a command of the master's stream opens or closes stays so", () => {
  const { server, send, isReadOnly } = replica();
  assertEquals(isReadOnly(), true);
  send("SET k v\r\nCONFIG SET replica-read-only no\r\nSET l w\r\n");
  assertEquals([isReadOnly(), server.keyspace.keyCount], [false, 2]);
  send("CONFIG SET replica-read-only yes\r\n");
  assertEquals(isReadOnly(), true);
});

Deno.test("a server that its master's stream makes a master deletes expired keys from then on", () => {
  const { server, send } = replica();
  assertEquals(server.keyspace.expireMode, EXPIRE_HIDES);
  send("REPLICAOF NO ONE\r\n");
  assertEquals(server.keyspace.expireMode, EXPIRE_DELETES);
});

Deno.test("the master's commands find keys past their time, which others do not", () => {
  const { server, send, pass } = replica();
  send("SET k v PX 10\r\nSET l v PX 10\r\n");
  pass(20);
  send("APPEND k w\r\nMULTI\r\nAPPEND l w\r\nAPPEND l w\r\nEXEC\r\n");
  const get = (key: string) => server.run("GET", key);
  assertEquals([get("k"), get("l")], [null, null]);
  pass(-20);
  assertEquals([get("k"), get("l")], ["vw", "vww"]);
});

Deno.test("what is applied on a replica: its master's changes and its own clients', as commands", () => {
  const { server, send } = replica();
  const { stream } = server.keyspace;
  let sent = "";
  let applied = "";
  const add = (bytes: Uint8Array, offset: number, length: number) =>
    toLatin1(bytes, offset, length);
  stream.attach((bytes, offset, length) => sent += add(bytes, offset, length));
  stream.attachApplied((bytes, offset, length) => applied += add(bytes, offset, length));
  server.run("CONFIG", "SET", "replica-read-only", "no");
  send("SELECT 1\r\nSET k v\r\nPING\r\nMULTI\r\nINCR n\r\nSADD s a\r\nEXEC\r\nDEL none\r\n");
  server.run("SETEX", "own", "10", "v");
  send("INCR n\r\n");
  const expiresAtMs = server.clock.nowMs + 10_000;
  const words = applied.split("\r\n").filter((line) => !/^[*$]/.test(line)).join(" ").trim();
  assertEquals(
    words,
    "SELECT 1 SET k v MULTI INCR n SADD s a EXEC " +
      `SELECT 0 SET own v PXAT ${expiresAtMs} SELECT 1 INCR n`,
  );
  // What replicas are sent is for the link to hand on (stream_applier.ts): nothing of this.
  assertEquals([sent, stream.offset], ["", 0]);
});

for (const behaviour of ["panic", "panic-on-replicas"]) {
  Deno.test(`a command of the master that fails ends the server: ${behaviour}`, () => {
    const { server, send } = replica({ "propagation-error-behavior": behaviour });
    send("SET k v\r\n");
    assertEquals(server.exits, []);
    send("LPUSH k x\r\nSET after all\r\n");
    assertEquals(server.exits, [134]); // as of a process that SIGABRT has ended
    const lines = server.logLines.map((line) => line.replace(/^.*# /, "").trimEnd());
    const begin = lines.findIndex((line) => line.startsWith("=== REDIS BUG REPORT START"));
    assertEquals(lines.slice(begin + 2, begin + 4), [
      "!!! Software Failure. Press left mouse button to continue",
      "Guru Meditation: This replica panicked sending an error to its master after processing the " +
      "command 'lpush'",
    ]);
    assertEquals(server.run("GET", "after"), null);
  });
}

Deno.test("use-exit-on-panic: a panic ends the process with exit code 1", () => {
  const { server, send } = replica({
    "propagation-error-behavior": "panic",
    "use-exit-on-panic": "yes",
  });
  send("NOSUCH\r\n");
  assertEquals(server.exits, [1]);
});

const lenient: Record<string, string>[] = [
  { "propagation-error-behavior": "ignore" },
  { "propagation-error-behavior": "panic", "replica-read-only": "no" },
];
for (const directives of lenient) {
  Deno.test(`a command of the master that fails ends nothing: ${JSON.stringify(directives)}`, () => {
    const { server, send } = replica(directives);
    send("SET k v\r\nLPUSH k x\r\nSET after all\r\n");
    assertEquals(server.exits, []);
    assertEquals(server.run("GET", "after"), "all");
  });
}

function fields(server: TestServer): Map<string, string | number> {
  return new Map(server.core.replication.infoFields(server.clock.nowMs));
}

Deno.test("commands of the master that fail here are counted in INFO and told in REPLICATION LOG", () => {
  const { server, send } = replica();
  assertEquals(fields(server).get("master_stream_errors"), 0);
  assertEquals(fields(server).has("master_stream_last_error"), false);
  send("SET k v\r\nLPUSH k x\r\nNOSUCH a b\r\nSET k\r\nSET after all\r\n");
  assertEquals(server.run("GET", "after"), "all");
  assertEquals(fields(server).get("master_stream_errors"), 3);
  assertEquals(
    fields(server).get("master_stream_last_error"),
    "'set' has failed here: ERR wrong number of arguments for 'set' command",
  );
  const [event] = server.core.replication.events.latest(1);
  assertEquals([event.side, event.peer, event.event, event.count], [
    "replica",
    "127.0.0.1:1",
    "command-failed",
    3,
  ]);
  assertEquals(event.detail, fields(server).get("master_stream_last_error"));
});

Deno.test("a command of the master that is unknown here: line ends in it forge no field of INFO", () => {
  const { server, send } = replica();
  send("*2\r\n$6\r\nNOSUCH\r\n$17\r\na\r\nrole:master\r\nb\r\n");
  assertEquals(
    fields(server).get("master_stream_last_error"),
    "'<unknown>' has failed here: ERR unknown command 'NOSUCH', with args beginning with: " +
      "'a\\r\\nrole:master\\r\\nb' ",
  );
});

Deno.test("the other commands of a transaction are applied where one fails, or is unknown", () => {
  const { server, send } = replica();
  send("SET k v\r\nMULTI\r\nSET a 1\r\nLPUSH k x\r\nSET b 1\r\nEXEC\r\n");
  assertEquals([server.run("GET", "a"), server.run("GET", "b")], ["1", "1"]);
  assertEquals(fields(server).get("master_stream_errors"), 1);
  send("MULTI\r\nSET c 1\r\nNOSUCH\r\nSET d 1\r\nEXEC\r\nSET after all\r\n");
  assertEquals([server.run("GET", "c"), server.run("GET", "d")], ["1", "1"]);
  assertEquals(server.run("GET", "after"), "all");
  assertEquals(fields(server).get("master_stream_errors"), 2);
});

Deno.test("the log tells of a command that fails once a minute, with how often it has failed since", () => {
  const { server, send, pass } = replica();
  const told = () => server.logLines.filter((line) => /CRITICAL|more time/.test(line));
  send("SET k v\r\n" + "NOSUCH\r\n".repeat(5) + "OTHER a\r\n" + "LPUSH k x\r\n".repeat(3));
  assertEquals(told().length, 3);
  pass(59_000);
  server.core.replication.replica.tick(server.core.clock.monotonic());
  assertEquals(told().length, 3);
  pass(1000);
  send("NOSUCH\r\n");
  server.core.replication.replica.tick(server.core.clock.monotonic());
  const lines = server.logLines.slice(-2).map((line) => line.replace(/^.* # /, "").trimEnd());
  assertEquals(lines, [
    "The command 'nosuch' of the master has failed here 5 more time(s) in a minute",
    "The command 'lpush' of the master has failed here 2 more time(s) in a minute",
  ]);
  assertEquals(fields(server).get("master_stream_errors"), 10);
});

Deno.test("a replica on which a command of its master has failed shows Sentinel priority 0, ROLE as diverged", () => {
  const { server, send } = replica({ "replica-priority": "7" });
  assertEquals(fields(server).get("slave_priority"), 7);
  assertEquals(fields(server).has("master_stream_diverged_offset"), false);
  send("SET k v\r\nNOSUCH\r\n");
  assertEquals(fields(server).get("slave_priority"), 0);
  assertEquals(fields(server).get("master_stream_diverged_offset"), 0);
  assertEquals((server.run("ROLE") as unknown[])[3], "connect"); // there is no link in this test
  server.run("CONFIG", "SET", "replica-promote-diverged", "yes");
  assertEquals(fields(server).get("slave_priority"), 7);
  server.run("CONFIG", "SET", "replica-promote-diverged", "no");
  server.core.replication.replica.synchronized(new LeftOut());
  assertEquals(fields(server).get("slave_priority"), 7);
  assertEquals(fields(server).get("master_stream_errors"), 0);
});

Deno.test("a script of the master that fails by itself may have failed there too: it counts, and no more", () => {
  const { server, send } = replica();
  const script = (text: string) => `*3\r\n$4\r\nEVAL\r\n$${text.length}\r\n${text}\r\n$1\r\n0\r\n`;
  send(script("return redis.error_reply('MINE own')"));
  assertEquals(fields(server).get("master_stream_errors"), 1);
  assertEquals(fields(server).has("master_stream_diverged_offset"), false);
  send(script("return redis.call('nosuch')"));
  assertEquals(fields(server).has("master_stream_diverged_offset"), true);
});

Deno.test("a master that fails to answer to its own clients counts no errors of a stream", () => {
  const server = testServer();
  server.run("SET", "k", "v");
  server.run("LPUSH", "k", "x");
  assertEquals(fields(server).has("master_stream_errors"), false);
});

Deno.test("the log shows the latest of the stream with a command that fails", () => {
  const { server, send } = replica();
  server.core.replication.history.createBacklog();
  server.keyspace.stream.relay(latin1("*2\r\n$3\r\nGET\r\n$1\r\n\x01\r\n"), 0, 20);
  send("NOSUCH\r\n");
  const line = server.logLines.find((line) => line.includes("Latest backlog is"))!;
  assertEquals(
    line.replace(/^.*\* /, ""),
    "Latest backlog is: '\"*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\n\\x01\\r\\n\"'\n",
  );
});

Deno.test("a replica that cannot save applies its master's commands, and says so every ten seconds", () => {
  const { server, send, pass } = replica({ save: "60 1" });
  const told = () =>
    server.logLines.filter((line) => line.includes("unable to write to disk")).length;
  send("SET k 1\r\n");
  assertEquals(told(), 0);
  server.core.persistence.lastSaveOk = false;
  server.core.updateGates();
  send("SET k 2\r\nSET l 2\r\n");
  pass(5000);
  send("SET k 3\r\n");
  assertEquals([told(), server.run("GET", "k")], [1, "3"]);
  pass(6000);
  send("SET k 4\r\n");
  assertEquals([told(), server.run("GET", "k")], [2, "4"]);
});

Deno.test("a replica that has saved and starts again still says that commands have failed", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const { server, send } = replica({}, folder);
    server.core.replication.history.createBacklog();
    send("SET k v\r\nLPUSH k x\r\nNOSUCH\r\n");
    assert(server.core.persistence.save());
    const next = replica({}, folder).server;
    await next.core.persistence.load();
    next.core.replication.loaded();
    next.core.replication.replica.close(); // it has begun to seek its master
    assertEquals(next.run("GET", "k"), "v");
    assertEquals(fields(next).get("master_stream_errors"), 2);
    assertEquals(fields(next).get("master_stream_last_error"), "before this server was started");
    assertEquals(fields(next).get("master_stream_diverged_offset"), 0);
    next.core.replication.replica.synchronized(new LeftOut());
    assertEquals(fields(next).get("master_stream_errors"), 0);
    for (const { core } of [server, next]) core.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
