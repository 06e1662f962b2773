/**
 * What has happened to the links of replication, and why: who closed one, why a partial resync was
 * refused and by how many bytes, how far a sync has come. Kept for `REPLICATION LOG`, while the log
 * file has the same in Redis's words.
 */

import { oneLine } from "../base/printable.ts";
import type { Clock } from "../base/clock.ts";

/** Events kept. */
const EVENTS_MAX = 256;

export interface LinkEvent {
  /** Counts up from 1. */
  readonly id: number;
  /** Unix ms; of the latest, where the same happened again and again. */
  timeMs: number;
  /** Which side of a link we are: "master" of a replica, "replica" of a master, "self" for our own role. */
  readonly side: "master" | "replica" | "self";
  /** The other end, "host:port"; empty for "self". */
  readonly peer: string;
  /** A word: "connected", "full-sync", "closed" … */
  readonly event: string;
  /** The cause, or how far something has come, in a sentence without line ends. */
  detail: string;
  /** How often the same has happened in a row. */
  count: number;
}

export class LinkLog {
  readonly #events: LinkEvent[] = [];
  #nextId = 1;

  constructor(readonly clock: Clock) {}

  add(side: LinkEvent["side"], peerText: string, event: string, detailText: string): void {
    const peer = oneLine(peerText);
    const detail = oneLine(detailText);
    const last = this.#events.at(-1);
    const timeMs = this.clock.now();
    if (
      last !== undefined && last.side === side && last.peer === peer && last.event === event &&
      last.detail === detail
    ) {
      last.count++;
      last.timeMs = timeMs;
      return;
    }
    this.#events.push({ id: this.#nextId++, timeMs, side, peer, event, detail, count: 1 });
    if (this.#events.length > EVENTS_MAX) this.#events.shift();
  }

  /** The same again, if the latest event told of it: the cause is the new one, and `count` goes up. */
  again(side: LinkEvent["side"], peerText: string, event: string, detailText: string): void {
    const last = this.#latestOf(side, oneLine(peerText), event);
    if (last === null) return this.add(side, peerText, event, detailText);
    last.count++;
    last.detail = oneLine(detailText);
    last.timeMs = this.clock.now();
  }

  /** How far something has come: takes the place of the latest event if that told of the same. */
  progress(side: LinkEvent["side"], peerText: string, event: string, detail: string): void {
    const peer = oneLine(peerText);
    const last = this.#latestOf(side, peer, event);
    if (last === null) return this.add(side, peer, event, detail);
    last.detail = detail;
    last.timeMs = this.clock.now();
  }

  /** The latest event of all, if it is such a one. */
  #latestOf(side: LinkEvent["side"], peer: string, event: string): LinkEvent | null {
    const last = this.#events.at(-1);
    return last !== undefined && last.side === side && last.peer === peer && last.event === event
      ? last
      : null;
  }

  /** The latest events, at most `count`, newest first. */
  latest(count: number): LinkEvent[] {
    return count === 0 ? [] : this.#events.slice(-count).reverse();
  }

  get count(): number {
    return this.#events.length;
  }
}
