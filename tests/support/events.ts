/** Keyspace events as a test sees them. */

import type { TestServer } from "./test_server.ts";

/** Collects all events from now on, as "event key"; misses and new keys are left out. */
export function recordEvents(server: TestServer): string[] {
  const events: string[] = [];
  server.keyspace.eventMask = -1;
  server.keyspace.listener.keyEvent = (event, _database, bytes, offset, length) => {
    if (event === "keymiss" || event === "new") return;
    events.push(`${event} ${new TextDecoder().decode(bytes.subarray(offset, offset + length))}`);
  };
  return events;
}
