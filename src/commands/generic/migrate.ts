/** MIGRATE: keys move to another server, or are copied there. What happens on the way: dispatch/migrations.ts. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysAfter, migrateKeys, oneKey } from "../../dispatch/key_specs.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";

const NOT_EMPTY =
  "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string";
/** Where no timeout is given, in ms. */
const TIMEOUT_MS = 1000;

/**
 * `MIGRATE host port key|"" destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username
 * password] [KEYS key [key ...]]`. The timeout (ms) is of each step: connecting, 64 KB sent, an answer.
 *
 * Answers NOKEY when none of the keys is there. Errors: IOERR when the other server is not to be reached, or not in
 * time; what the other server answers. Keys that it has not acknowledged stay here.
 *
 * Propagates as DEL of the keys that have gone. Not in a transaction, as the answer takes a while.
 *
 * @see {@link https://redis.io/docs/latest/commands/migrate/}
 */
export const migrate = defineCommand({
  name: "migrate",
  group: "generic",
  since: "2.6.0",
  history: [
    ["3.0.0", "`COPY` and `REPLACE`"],
    ["3.0.6", "`KEYS`"],
    ["4.0.7", "`AUTH`"],
    ["6.0.0", "`AUTH2`"],
  ],
  summary: "Moves keys to another server",
  complexity:
    "that of DUMP and DEL here and of RESTORE over there, and O(N) for N bytes on the way",
  arity: -6,
  flags: ["write", "waits"],
  acl: ["keyspace", "dangerous"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RW access delete", 3), keysAfter("KEYS", -2, "RW access delete incomplete")],
  findKeys: migrateKeys,
  args: `
    host port:integer
    key_or_empty_string:(key | empty_string:"")
    destination-db:integer timeout:integer
    [COPY@3.0.0]
    [REPLACE@3.0.0]
    [authentication:([AUTH password@4.0.7] | [AUTH2 username_password:(username password)@6.0.0])]
    [KEYS key#1...@3.0.6]
  `,
  run: runMigrate,
});

/** What the words behind the timeout say. */
interface Options {
  copies: boolean;
  replaces: boolean;
  credentials: Uint8Array[];
  /** The words that are keys: `keyCount` from `firstKey` on. */
  firstKey: number;
  keyCount: number;
}

function readOptions({ words }: Call): Options {
  const options: Options = {
    copies: false,
    replaces: false,
    credentials: [],
    firstKey: 3,
    keyCount: 1,
  };
  const readCredentials = (at: number, count: number) => {
    if (at + count > words.count) throw new ReplyError(SYNTAX_ERROR);
    options.credentials = Array.from({ length: count }, (_, i) => words.copy(at + i));
    // Monitors and the slow log are shown the words after the call.
    words.redact(at, at + count);
    return at + count;
  };
  for (let i = 6; i < words.count;) {
    if (words.is(i, "keys")) {
      if (words.lengths[3] > 0) throw new ReplyError(NOT_EMPTY);
      options.firstKey = i + 1;
      options.keyCount = words.count - i - 1;
      break;
    }
    if (words.is(i, "auth")) i = readCredentials(i + 1, 1);
    else if (words.is(i, "auth2")) i = readCredentials(i + 1, 2);
    else if (words.is(i, "copy")) options.copies = i++ > 0;
    else if (words.is(i, "replace")) options.replaces = i++ > 0;
    else throw new ReplyError(SYNTAX_ERROR);
  }
  return options;
}

function runMigrate(call: Call): void {
  const { database, words, reply, server } = call;
  const { copies, replaces, credentials, firstKey, keyCount } = readOptions(call);
  const timeoutMs = call.clampedInteger(5);
  const targetDatabase = String(call.bigInteger(4));
  const keys: Uint8Array[] = [];
  for (let i = firstKey; i < firstKey + keyCount; i++) {
    if (database.lookupRead(words.bytes, words.starts[i], words.lengths[i]) !== 0) {
      keys.push(words.copy(i));
    }
  }
  if (keys.length === 0) return reply.status("NOKEY");
  server.dispatcher.migrations.park(call, {
    host: words.text(1),
    port: Number.parseInt(words.text(2)) || 0,
    targetDatabase,
    timeoutMs: timeoutMs > 0 ? timeoutMs : TIMEOUT_MS,
    copies,
    replaces,
    credentials,
  }, keys);
}
