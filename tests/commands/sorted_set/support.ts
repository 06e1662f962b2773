/** What the tests of sorted set commands share. */

import { ENC_LISTPACK, ENC_SKIPLIST } from "../../../src/arena/record.ts";
import { EVENT_GENERIC, EVENT_ZSET } from "../../../src/base/event_classes.ts";
import { type TestServer, testServer } from "../../support/test_server.ts";

export const WRONG_TYPE = {
  error: "WRONGTYPE Operation against a key holding the wrong kind of value",
};
export const SYNTAX = { error: "ERR syntax error" };
export const NOT_A_FLOAT = { error: "ERR value is not a valid float" };
export const NOT_AN_INTEGER = { error: "ERR value is not an integer or out of range" };

/** Defines a test twice: with sets that are small, and with sets that are large from the start. */
export function testBothEncodings(name: string, body: (s: TestServer) => void): void {
  for (const encoding of ["listpack", "skiplist"]) {
    Deno.test(`${name} (${encoding})`, () => {
      const s = testServer();
      if (encoding === "skiplist") s.keyspace.limits.zsetMaxListpackEntries = 0;
      body(s);
    });
  }
}

/** "listpack", "skiplist", or "" when the key is missing. */
export function encodingOf(s: TestServer, key: string): string {
  const bytes = new TextEncoder().encode(key);
  const database = s.keyspace.databases[0];
  const ref = database.findOrExpire(bytes, 0, bytes.length);
  if (ref === 0) return "";
  const encoding = database.encodingOf(ref);
  if (encoding === ENC_LISTPACK) return "listpack";
  return encoding === ENC_SKIPLIST ? "skiplist" : String(encoding);
}

/** Gathers the events of changes from now on, each as its name and the key. */
export function events(s: TestServer): string[] {
  const seen: string[] = [];
  s.keyspace.eventMask = EVENT_GENERIC | EVENT_ZSET;
  s.keyspace.listener.keyEvent = (event, _database, bytes, offset, length) => {
    seen.push(`${event} ${new TextDecoder().decode(bytes.subarray(offset, offset + length))}`);
  };
  return seen;
}
