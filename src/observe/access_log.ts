/**
 * ACL LOG: the latest refusals for want of rights, equal ones of the same minute as one entry. Filled
 * by the commands that refuse, read by ACL LOG and INFO; `acllog-max-len` bounds it.
 */

/** What was refused. "tls-cert": the name in a client's certificate is that of no user. */
export type RefusalReason = "auth" | "cmd" | "key" | "channel" | "tls-cert";

import { keptPart } from "../base/bytes.ts";

/** Most bytes kept of the names of a refusal: they come from clients that nobody knows yet. */
export const NAME_BYTES_MAX = 256;
/** Most bytes kept of the line of a client, which can have given itself a long name. */
const CLIENT_INFO_BYTES_MAX = 2048;
/** Refusals no further apart than this are one entry when they are alike. */
const SAME_WITHIN_MS = 60_000;
/** Newest entries that a refusal is compared with. */
const COMPARED_MAX = 10;

/** One entry; texts are latin1. */
export interface AccessLogEntry {
  readonly id: number;
  readonly reason: RefusalReason;
  /** Where the command stood. */
  readonly context: "toplevel" | "multi" | "lua";
  /** The command, key or channel refused, as the client wrote it. */
  readonly object: string;
  readonly user: string;
  /** How often, and by whom last: the line of CLIENT INFO. */
  count: number;
  clientInfo: string;
  /** Unix time in ms. */
  readonly createdMs: number;
  updatedMs: number;
}

export class AccessLog {
  lengthMax = 128;
  /** Newest first. */
  entries: AccessLogEntry[] = [];
  /** All refusals since the start or CONFIG RESETSTAT, by their reason. */
  readonly counts: Record<RefusalReason, number> = {
    "auth": 0,
    "cmd": 0,
    "key": 0,
    "channel": 0,
    "tls-cert": 0,
  };
  #nextId = 0;

  /** Enters a refusal; `clientInfo` is the client's line of CLIENT INFO. */
  add(
    reason: RefusalReason,
    context: AccessLogEntry["context"],
    fullObject: string,
    fullUser: string,
    fullClientInfo: string,
    nowMs: number,
  ): void {
    this.counts[reason]++;
    const object = keptPart(fullObject, NAME_BYTES_MAX);
    const user = keptPart(fullUser, NAME_BYTES_MAX);
    const clientInfo = keptPart(fullClientInfo, CLIENT_INFO_BYTES_MAX);
    const place = this.entries.slice(0, COMPARED_MAX).findIndex((each) =>
      each.reason === reason && each.context === context && each.object === object &&
      each.user === user && Math.abs(nowMs - each.updatedMs) <= SAME_WITHIN_MS
    );
    if (place >= 0) {
      const [entry] = this.entries.splice(place, 1);
      entry.count++;
      entry.clientInfo = clientInfo;
      entry.updatedMs = nowMs;
      this.entries.unshift(entry);
    } else {
      const id = this.#nextId++;
      const times = { createdMs: nowMs, updatedMs: nowMs };
      this.entries.unshift({ id, reason, context, object, user, count: 1, clientInfo, ...times });
    }
    this.trim();
  }

  /** Drops the oldest entries beyond `lengthMax`. */
  trim(): void {
    if (this.entries.length > this.lengthMax) this.entries.length = this.lengthMax;
  }

  /** Forgets the entries, not the counts. */
  clear(): void {
    this.entries = [];
  }

  /** CONFIG RESETSTAT: forgets the counts, not the entries. */
  resetCounts(): void {
    this.counts.auth =
      this.counts.cmd =
      this.counts.key =
      this.counts.channel =
      this.counts["tls-cert"] =
        0;
  }
}
