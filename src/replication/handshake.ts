/**
 * What a replica says to a master before the stream begins, and what the master's answers mean: the
 * words and their order are those of Redis 7, which masters from 2.4 on understand or refuse politely.
 *
 *     PING                                    any answer but an error; errors that only ask for AUTH
 *     AUTH [user] password                    if `masterauth` is set; an error ends the link
 *     REPLCONF listening-port, ip-address     errors are harmless: the master is old
 *     REPLCONF capa eof capa psync2 ...       likewise; `rdb-12` and `early-psync` are ours, and no other
 *                                             master minds them
 *     PSYNC id offset | ? -1                  see SyncAnswer; an unknown command: SYNC
 *
 * Everything between PING and PSYNC is sent at once: three round trips, with that of the connection four. A
 * master whose link was up before is not felt for again, so PING goes out with the introductions. Redis refuses a
 * PSYNC that comes before its earlier answers have gone out; a master of ours takes it from who has said `capa
 * early-psync`, and says so in its answer to that. With such a one all of it is one round trip. See "A link that is
 * cut" in NOTES.
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
/** Says that PSYNC may come before the earlier answers have been read. */
export const EARLY_PSYNC_CAPA = "early-psync";

/** How much of a handshake goes out before the first answer. */
export type Haste =
  /** PING: nobody knows yet who answers. */
  | "none"
  /** All but PSYNC. */
  | "introductions"
  /** Everything. */
  | "all";

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
    bytes: request(
      "REPLCONF",
      ...["eof", "psync2", RDB_CAPA, EARLY_PSYNC_CAPA].flatMap((
        capability,
      ) => ["capa", capability]),
    ),
  });
  return said;
}

/** Whether an answer to the capabilities tells that PSYNC may be sent early from the next link on. */
export function takesEarlyPsync(answer: string): boolean {
  return answer === `+OK ${EARLY_PSYNC_CAPA}`;
}

/** Whether an answer to an early PSYNC only means that it came too early. */
export function isTooEarly(answer: string): boolean {
  return answer.startsWith("-ERR SYNC and PSYNC are invalid with pending output");
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
