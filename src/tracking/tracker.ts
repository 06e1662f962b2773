/**
 * What tracking keeps of one client: whether and how it is told of changes, and to whom that goes.
 * Made when it first asks for tracking, and kept until it is gone: what it has read before it turned
 * tracking off and on again is still known to have been read.
 */

import { Holder } from "../arena/links.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";

/** A client as tracking sees it. */
export interface TrackedClient {
  readonly id: number;
  readonly reply: ReplyWriter;
  readonly transport: { wake(): void };
  /** Whether it has been told good-bye, so that nothing more is sent to it. */
  readonly isClosing: boolean;
  /** Whether it listens to channels, and so takes messages as RESP2 too. */
  readonly isSubscriber: boolean;
  /** Null until it first asks for tracking. */
  tracker: Tracker | null;
}

/** The options of CLIENT TRACKING ON. */
export interface TrackingOptions {
  /** The client that is told in place of this one; 0 for none. */
  readonly redirectId: number;
  /** Told of all keys that begin with its prefixes, whether it has read them or not. */
  readonly isBroadcast: boolean;
  /** Only what follows CLIENT CACHING YES is remembered. */
  readonly isOptIn: boolean;
  /** What follows CLIENT CACHING NO is not remembered. */
  readonly isOptOut: boolean;
  /** Not told of what it changes itself. */
  readonly isNoLoop: boolean;
}

const NO_OPTIONS: TrackingOptions = {
  redirectId: 0,
  isBroadcast: false,
  isOptIn: false,
  isOptOut: false,
  isNoLoop: false,
};

export class Tracker {
  isOn = false;
  options = NO_OPTIONS;
  /** CLIENT CACHING was given for the next command or transaction. */
  isCachingGiven = false;
  /** The client that is to be told in place of this one was found to be gone. */
  isRedirectBroken = false;
  /** In how many of the remembered keys' lists it is. */
  keyCount = 0;
  /** Its prefixes. */
  readonly prefixes: Holder<Tracker> = new Holder<Tracker>(this);

  /** `number` stands for it in the table of keys: 1 to 2^32 - 1. */
  constructor(readonly client: TrackedClient, readonly number: number) {}

  turnOn(options: TrackingOptions): void {
    this.isOn = true;
    this.options = options;
    this.isRedirectBroken = false;
  }

  turnOff(): void {
    this.isOn = false;
    this.options = NO_OPTIONS;
    this.isRedirectBroken = false;
    this.isCachingGiven = false;
  }

  /** Whether the keys of the command at hand are to be remembered, if it reads. */
  get remembersKeys(): boolean {
    const { isBroadcast, isOptIn, isOptOut } = this.options;
    if (!this.isOn || isBroadcast) return false;
    return isOptIn ? this.isCachingGiven : !(isOptOut && this.isCachingGiven);
  }

  /** Whether it is told of changes of keys that it has read. */
  get hearsOfKeys(): boolean {
    return this.isOn && !this.options.isBroadcast;
  }

  /** What it has the server hold, in bytes: its prefixes. */
  get sizeBytes(): number {
    return this.prefixes.sizeBytes;
  }
}
