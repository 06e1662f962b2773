/**
 * Which version of snapshots a replica reads, as far as can be told from what it has done: servers from 4.0 to 7.4
 * introduce themselves alike. One that cannot read a snapshot closes the link once it has it, without a word, and comes
 * back at once; then it is given the next older version, until it has loaded one.
 *
 *     10 or later ──refused twice──► 9 ──refused──► 8 ──refused──► as at first
 *
 * One link alone that ends so tells nothing: any replica may be cut off, or killed, between the snapshot and its first
 * acknowledgement. Two in a row do, and then one for each further step, unless it has loaded a snapshot meanwhile.
 *
 * A replica that has refused all there is (Redis 2.4; one that always dies of what it loads; one for which the next older
 * version cannot hold the dataset) asks again each second, and each time that is a snapshot of everything. From then
 * on it has to wait, each time for longer.
 */

import { RDB_VERSION } from "../../rdb/format.ts";

/** A replica that comes back later than this has not been refused anything. */
const BACK_WITHIN_MS = 15_000;
const PEERS_MAX = 1000;
/** What `returned` answers where nothing older can be sent than what has been refused. */
export const NOTHING_OLDER = -1;
/** The same where there is an older version, which cannot hold the dataset. */
export const NOTHING_HELD = -2;
/** How long a replica that has refused every version waits for the next snapshot: at first, and in the end. */
const PAUSE_MIN_MS = 2_000;
const PAUSE_MAX_MS = 60_000;
/** The oldest version that a server reads which can resume a link of another master (4.0). */
const OLDEST_PSYNC2 = 8;

interface Peer {
  /** The version that it is sent; 0 for the latest. */
  version: number;
  /** Whether it has loaded one of that version. */
  isProven: boolean;
  /** Links in a row that ended as if the snapshot could not be read. */
  refusals: number;
  /** When the last of them ended, monotonic ms. */
  refusedMs: number;
  /** The version of that snapshot. */
  refusedVersion: number;
  /** How long it has to wait for the next snapshot, in ms; 0 while there is a version that it has not refused. */
  pauseMs: number;
}

export class KnownPeers {
  /** By "address:port" as the replica announces them, in the order in which they came. */
  readonly #peers = new Map<string, Peer>();

  /** The version for a replica; 0 for the latest. */
  versionOf(name: string): number {
    return this.#peers.get(name)?.version ?? 0;
  }

  /** It has loaded a snapshot of this version. */
  loaded(name: string, version: number): void {
    const peer = this.#peer(name);
    peer.refusals = peer.pauseMs = 0;
    peer.isProven = true;
    if (peer.version !== 0) peer.version = version;
  }

  /** Its link has ended as if it could not read a snapshot of this version. */
  left(name: string, version: number, steadyMs: number): void {
    const peer = this.#peer(name);
    peer.refusals++;
    peer.refusedMs = steadyMs;
    peer.refusedVersion = version;
    if (peer.pauseMs > 0) peer.pauseMs = Math.min(peer.pauseMs * 2, PAUSE_MAX_MS);
  }

  /** How long a replica that is here again has to wait for its snapshot, in ms: see `returned`, which is asked first. */
  pauseOf(name: string): number {
    return this.#peers.get(name)?.pauseMs ?? 0;
  }

  /** What is sent is another matter from now on: nobody has to wait any longer. */
  endPauses(): void {
    for (const peer of this.#peers.values()) peer.pauseMs = 0;
  }

  /**
   * It is here again and wants a snapshot: the older version that it is to be sent from now on; 0 if nothing has
   * changed, NOTHING_OLDER if there is none and it is sent what it was at first. `isHeld` tells whether a version can hold the dataset.
   */
  returned(name: string, steadyMs: number, isHeld: (version: number) => boolean): number {
    const peer = this.#peers.get(name);
    if (peer === undefined) return 0;
    if (steadyMs - peer.refusedMs > BACK_WITHIN_MS) peer.refusals = peer.pauseMs = 0;
    if (peer.refusals === 0) return 0;
    if (peer.refusals < refusalsNeeded(peer)) return 0;
    peer.refusals = 0;
    peer.isProven = false;
    const older = peer.refusedVersion > RDB_VERSION ? RDB_VERSION : peer.refusedVersion - 1;
    if (older < OLDEST_PSYNC2) {
      peer.version = 0;
      if (peer.pauseMs === 0) peer.pauseMs = PAUSE_MIN_MS;
      return NOTHING_OLDER;
    }
    if (!isHeld(older)) {
      if (peer.pauseMs === 0) peer.pauseMs = PAUSE_MIN_MS;
      return NOTHING_HELD;
    }
    peer.version = older;
    return older;
  }

  #peer(name: string): Peer {
    let peer = this.#peers.get(name);
    if (peer === undefined) {
      peer = {
        version: 0,
        isProven: false,
        refusals: 0,
        refusedMs: 0,
        refusedVersion: 0,
        pauseMs: 0,
      };
      this.#peers.set(name, peer);
      if (this.#peers.size > PEERS_MAX) this.#peers.delete(this.#peers.keys().next().value!);
    }
    return peer;
  }
}

/** How many such links in a row are needed to tell. */
function refusalsNeeded({ isProven, version }: Peer): number {
  return isProven || version === 0 ? 2 : 1;
}
