/**
 * What a replica says to a master before the stream begins, and what the master's answers mean: the
 * words and their order are those of Redis 7, which masters from 2.4 on understand or refuse politely.
 *
 *     PING                                    any answer but an error; errors that only ask for AUTH
 *     AUTH [user] password                    if `masterauth` is set; an error ends the link
 *     REPLCONF listening-port, ip-address     errors are harmless: the master is old
 *     REPLCONF capa eof capa psync2 ...       likewise; `capa rdb-12` is ours, and no other master minds it
 *     PSYNC id offset | ? -1                  see SyncAnswer; an unknown command: SYNC
 *
 * Everything between PING and PSYNC is sent at once.
 */

import { latin1 } from "../base/bytes.ts";
import type { Config } from "../config/config.ts";
import { RDB_VERSION_MAX } from "../rdb/format.ts";

/** A request as an array of bulk strings; words are byte strings. */
export function request(...words: (string | number)[]): Uint8Array {
  const parts = words.map((word) => `$${String(word).length}\r\n${word}\r\n`);
  return latin1(`*${words.length}\r\n${parts.join("")}`);
}

export const PING = request("PING");
/** Also fine for masters that know no arrays in place of this command. */
export const SYNC = latin1("SYNC\r\n");
/** A sign of life for a master while a snapshot is received and loaded. */
export const ALIVE = latin1("\n");

/** Says which version of snapshots we read: to a master of ours, which then need not find out. */
const RDB_CAPA = `rdb-${RDB_VERSION_MAX}`;

/** One of the requests between PING and PSYNC. */
export interface Introduction {
  readonly what: "AUTH" | "listening-port" | "ip-address" | "capa";
  readonly bytes: Uint8Array;
}

/** What the configuration has a replica say of itself. `port` is where it listens. */
export function introductions(config: Config, port: number): Introduction[] {
  const said: Introduction[] = [];
  const password = config.value("masterauth");
  if (password) {
    const user = config.value("masteruser");
    const bytes = user ? request("AUTH", user, password) : request("AUTH", password);
    said.push({ what: "AUTH", bytes });
  }
  said.push({
    what: "listening-port",
    bytes: request("REPLCONF", "listening-port", config.value("replica-announce-port") || port),
  });
  const address = config.value("replica-announce-ip");
  if (address) {
    said.push({ what: "ip-address", bytes: request("REPLCONF", "ip-address", address) });
  }
  said.push({
    what: "capa",
    bytes: request("REPLCONF", "capa", "eof", "capa", "psync2", "capa", RDB_CAPA),
  });
  return said;
}

/** Whether an answer to PING lets a replica go on: of errors those that only miss a password. */
export function isWelcome(answer: string): boolean {
  return answer.startsWith("+") || answer.startsWith("-NOAUTH") || answer.startsWith("-NOPERM") ||
    answer.startsWith("-ERR operation not permitted");
}

/** An answer to PSYNC. */
export type SyncAnswer =
  /** A snapshot follows, of the history `id` at `offset`. */
  | { readonly kind: "full"; readonly id: string; readonly offset: number }
  /** The stream goes on where it was; `id` is its name from now on, null for the same as before. */
  | { readonly kind: "continue"; readonly id: string | null }
  /** The master cannot at present. */
  | { readonly kind: "later" }
  /** The master knows no PSYNC, or does not let us: SYNC is worth a try. */
  | { readonly kind: "unknown"; readonly isError: boolean }
  /** "+FULLRESYNC" that is not followed by an id and an offset. */
  | { readonly kind: "broken" };

export function syncAnswer(line: string): SyncAnswer {
  if (line.startsWith("+FULLRESYNC")) {
    const found = /^\+FULLRESYNC ([0-9a-zA-Z]{40}) (\d{1,15})\s*$/.exec(line);
    return found === null
      ? { kind: "broken" }
      : { kind: "full", id: found[1], offset: Number(found[2]) };
  }
  if (line.startsWith("+CONTINUE")) {
    const found = /^\+CONTINUE\s+([0-9a-zA-Z]{40})(?![0-9a-zA-Z])/.exec(line);
    return { kind: "continue", id: found === null ? null : found[1] };
  }
  // Redis takes BUSY for a master without PSYNC; a link by SYNC then acknowledges nothing until it ends.
  if (/^-(NOMASTERLINK|LOADING|MASTERDOWN|BUSY)/.test(line)) return { kind: "later" };
  return { kind: "unknown", isError: line.startsWith("-ERR") };
}
