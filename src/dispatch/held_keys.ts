/**
 * Keys that nobody else is to change for a while, as they are on their way to another server (migrations.ts) or being
 * copied (makings.ts). Beside dispatch, whose gate asks here while there are any: commands that read go on, those that
 * would change such a key wait until it is let go. See "Keys on their way" in NOTES.
 *
 * Not held up is what goes through no gate: expiry, eviction, the stream of a master, blocked clients that are
 * served; nor commands that name no key (FLUSHALL, SWAPDB). Whoever holds a key watches it too.
 */

import { equalBytes } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import type { Database } from "../keyspace/database.ts";
import type { Words } from "../resp/words.ts";
import type { Client } from "./client.ts";
import type { Clients } from "./clients.ts";
import type { Command } from "./command.ts";
import { forEachKey } from "./call_keys.ts";
import { PutOffClients } from "./put_off_clients.ts";

/** A key of a database, held for a client. */
export interface HeldKey {
  readonly client: Client;
  readonly database: Database;
  readonly key: Uint8Array;
}

export class HeldKeys {
  readonly #byHash = new Map<number, HeldKey[]>();
  readonly #waiting: PutOffClients;

  /** `gateChanged` is told whether there are any, when that changes. */
  constructor(clients: Clients, readonly gateChanged: (isClosed: boolean) => void) {
    this.#waiting = new PutOffClients(clients);
  }

  hold(held: readonly HeldKey[]): void {
    for (const each of held) {
      const hash = hashBytes(each.key, 0, each.key.length);
      const others = this.#byHash.get(hash);
      if (others === undefined) this.#byHash.set(hash, [each]);
      else others.push(each);
    }
    this.gateChanged(this.#byHash.size > 0);
  }

  /** Lets these go, and who waits for them or others have another look. */
  release(held: readonly HeldKey[]): void {
    for (const each of held) {
      const hash = hashBytes(each.key, 0, each.key.length);
      const others = this.#byHash.get(hash)?.filter((other) => other !== each) ?? [];
      if (others.length > 0) this.#byHash.set(hash, others);
      else this.#byHash.delete(hash);
    }
    this.gateChanged(this.#byHash.size > 0);
    this.#waiting.letAllGo();
  }

  /** Has the client wait if this command, or one of the transaction that it ends, names a key that is held. */
  parkIfHeld(client: Client, command: Command, words: Words): boolean {
    const { queue } = client;
    const names = command.fullName === "exec" && queue !== null
      ? queue.some((queued, ofQueued) => this.#isHeldFrom(client, queued, ofQueued))
      : this.#isHeldFrom(client, command, words);
    if (names) this.#waiting.park(client);
    return names;
  }

  #isHeldFrom(client: Client, command: Command, words: Words): boolean {
    const { bytes, starts, lengths } = words;
    let isHeld = false;
    forEachKey(command, words, (index) => {
      isHeld ||= this.#isHeld(client, bytes, starts[index], lengths[index]);
    });
    return isHeld;
  }

  #isHeld(client: Client, bytes: Uint8Array, off: number, length: number): boolean {
    const held = this.#byHash.get(hashBytes(bytes, off, length));
    return held !== undefined &&
      held.some((each) =>
        each.database === client.database && each.client !== client &&
        equalBytes(each.key, 0, each.key.length, bytes, off, length)
      );
  }
}
