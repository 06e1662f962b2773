/**
 * Keyspace events as messages, `notify-keyspace-events`: a change of a key is published on
 *
 *     __keyspace@<db>__:<key>     with the event as the message   (K), and then on
 *     __keyevent@<db>__:<event>   with the key as the message     (E)
 *
 * Between the keyspace, which raises events of the classes that are wanted, and the hub. The messages
 * stay on this server: every replica raises its own.
 *
 * @see {@link https://redis.io/docs/latest/develop/use/keyspace-notifications/}
 */

import { latin1 } from "../base/bytes.ts";
import type { Hub } from "./hub.ts";

export class KeyEventPublisher {
  /** K: publish on the key's channel. */
  toKeyspace = false;
  /** E: publish on the event's channel. */
  toKeyevent = false;
  readonly #eventNames = new Map<string, Uint8Array>();
  /** Channels of events, by database. */
  readonly #eventChannels: Map<string, Uint8Array>[] = [];
  readonly #scratch = new Uint8Array(1024);
  /** Length of the channel that `#keyChannel` made last. */
  #keyChannelLength = 0;

  constructor(readonly hub: Hub) {}

  /** Publishes one event on the key at `offset`. */
  publish(
    event: string,
    database: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const { hub } = this;
    if (hub.isIdle) return;
    if (this.toKeyspace) {
      const channel = this.#keyChannel(database, bytes, offset, length);
      const name = this.#eventName(event);
      hub.publish(channel, 0, this.#keyChannelLength, name, 0, name.length);
    }
    if (this.toKeyevent) {
      const channel = this.#eventChannel(database, event);
      hub.publish(channel, 0, channel.length, bytes, offset, length);
    }
  }

  /**
   * The channel of a key, in a buffer that is used again for the next key, unless this one is long.
   */
  #keyChannel(database: number, bytes: Uint8Array, offset: number, length: number): Uint8Array {
    const prefix = `__keyspace@${database}__:`;
    const size = prefix.length + length;
    this.#keyChannelLength = size;
    const channel = size <= this.#scratch.length ? this.#scratch : new Uint8Array(size);
    for (let i = 0; i < prefix.length; i++) channel[i] = prefix.charCodeAt(i);
    if (length < 48) {
      for (let i = 0; i < length; i++) channel[prefix.length + i] = bytes[offset + i];
    } else channel.set(bytes.subarray(offset, offset + length), prefix.length);
    return channel;
  }

  #eventName(event: string): Uint8Array {
    let name = this.#eventNames.get(event);
    if (name === undefined) this.#eventNames.set(event, name = latin1(event));
    return name;
  }

  #eventChannel(database: number, event: string): Uint8Array {
    const channels = this.#eventChannels[database] ??= new Map();
    let channel = channels.get(event);
    if (channel === undefined) {
      channels.set(event, channel = latin1(`__keyevent@${database}__:${event}`));
    }
    return channel;
  }
}
