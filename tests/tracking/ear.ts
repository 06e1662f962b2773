/** Clients with tracking that only hear, and a Tracking that they are told by. */

import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { recycleChunk, ReplyWriter } from "../../src/resp/reply_writer.ts";
import type { TrackedClient, Tracker, TrackingOptions } from "../../src/tracking/tracker.ts";
import { Tracking } from "../../src/tracking/tracking.ts";
import { HandTimers } from "../support/hand_timers.ts";
import { Random } from "../support/random.ts";

export class Ear implements TrackedClient {
  readonly reply = new ReplyWriter();
  wakes = 0;
  readonly transport = { wake: () => void this.wakes++ };
  isClosing = false;
  isSubscriber = false;
  tracker: Tracker | null = null;

  constructor(readonly id: number, resp = 3) {
    this.reply.resp = resp;
  }

  /** The keys of each message since the last call, joined by spaces; "*" for all keys. */
  heard(): string[] {
    let text = "";
    for (let chunk = this.reply.takeChunk(); chunk !== null; chunk = this.reply.takeChunk()) {
      text += toLatin1(chunk, 0, this.reply.chunkLength);
      recycleChunk(chunk);
    }
    const heads =
      /^(?:>2\r\n\$10\r\ninvalidate|\*3\r\n\$7\r\nmessage\r\n\$20\r\n__redis__:invalidate)\r\n/m;
    return text.split(heads).slice(1).map((value) => {
      if (value === "_\r\n" || value === "$-1\r\n") return "*";
      const lines = value.split("\r\n");
      return lines.slice(1, -1).filter((_, i) => i % 2 === 1).join(" ");
    });
  }
}

/** Clients by id, with one Tracking. */
export class Hall {
  readonly timers = new HandTimers();
  readonly ears = new Map<number, Ear>();
  running: Ear | null = null;
  isWanted = false;
  trims = 0;
  readonly deferred: { client: TrackedClient; text: string; goesFirst: boolean }[] = [];
  readonly tracking: Tracking;

  constructor(seed = 1) {
    this.tracking = new Tracking(this.timers, new Random(seed).draw, {
      clientOf: (id) => this.ears.get(id),
      runningClient: () => this.running,
      defer: (client, { buffer, start, count }, goesFirst) => {
        this.deferred.push({ client, text: toLatin1(buffer, start, count), goesFirst });
      },
      wantsChanges: (isWanted) => this.isWanted = isWanted,
      trimSoon: () => this.trims++,
    });
  }

  ear(resp = 3): Ear {
    const ear = new Ear(this.ears.size + 1, resp);
    this.ears.set(ear.id, ear);
    return ear;
  }

  on(ear: Ear, options: Partial<TrackingOptions> = {}, prefixes: string[] = []): void {
    const all = {
      redirectId: 0,
      isBroadcast: false,
      isOptIn: false,
      isOptOut: false,
      isNoLoop: false,
    };
    this.tracking.turnOn(ear, { ...all, ...options }, prefixes.map(latin1));
  }

  read(ear: Ear, ...keys: string[]): void {
    for (const key of keys) this.tracking.remember(ear.tracker!, latin1(`.${key}`), 1, key.length);
  }

  /** Keys change by a command of `by`, or (null) by one of nobody who tracks. */
  change(by: Ear | null, ...keys: string[]): void {
    this.running = by;
    for (const key of keys) this.tracking.keyChanged(latin1(`..${key}`), 2, key.length, true);
    this.running = null;
  }

  expire(key: string): void {
    this.tracking.keyChanged(latin1(key), 0, key.length, false);
  }

  /** The counts of INFO. */
  get counts(): { clients: number; keys: number; items: number; prefixes: number } {
    const { clientCount, keyCount, itemCount, prefixCount } = this.tracking;
    return { clients: clientCount, keys: keyCount, items: itemCount, prefixes: prefixCount };
  }
}
