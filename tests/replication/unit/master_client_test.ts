/** The client in whose name our master's commands run: which gates it passes, and what it leaves behind. */

import { assertEquals } from "@std/assert";
import { GATE_READ_ONLY } from "../../../src/dispatch/dispatcher.ts";
import { EXPIRE_DELETES, EXPIRE_HIDES } from "../../../src/keyspace/expire_mode.ts";
import { testServer } from "../../support/test_server.ts";

/** A replica, and what its master sends. */
function replica() {
  const server = testServer({ directives: { "replicaof": "127.0.0.1 1" } });
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
