/**
 * The message that tells a client to forget keys, as bytes:
 *
 *     RESP3   >2  invalidate  <keys>
 *     RESP2   *3  message  __redis__:invalidate  <keys>      to a client that listens to channels
 *
 * where <keys> is an array of keys, or null for all that there are. It is encoded once for each protocol
 * that somebody speaks who is to get it, and shared by their writers.
 */

import { latin1 } from "../base/bytes.ts";
import { Message, MessageEncoder } from "../pubsub/message.ts";
import { sharedBuffer } from "../resp/reply_writer.ts";

const PUSH_HEAD = ">2\r\n$10\r\ninvalidate\r\n";
const MESSAGE_HEAD = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
const PUSH = 0x3e;
const STAR = 0x2a;

/** Bytes of a message in a buffer that may be shared. */
export interface Encoded {
  readonly buffer: Uint8Array;
  readonly start: number;
  readonly count: number;
}

/** A message on its way. */
export interface Invalidation {
  /** In the protocol of whom it goes to, 2 or 3. @throws RangeError when there is no memory for it */
  encoded(resp: number): Encoded;
}

/** That all keys are to be forgotten. */
export const ALL_KEYS: Invalidation = ofValue((resp) => latin1(resp === 2 ? "$-1\r\n" : "_\r\n"));

/** `value` gives the keys as RESP of that protocol; it is asked once for each that is needed. */
export function ofValue(value: (resp: number) => Uint8Array): Invalidation {
  const made: (Encoded | undefined)[] = [];
  return {
    encoded: (resp) => made[resp] ??= joined(resp === 2 ? MESSAGE_HEAD : PUSH_HEAD, value(resp)),
  };
}

function joined(head: string, value: Uint8Array): Encoded {
  const count = head.length + value.length;
  const buffer = sharedBuffer(count);
  buffer.set(latin1(head));
  buffer.set(value, head.length);
  return { buffer, start: 0, count };
}

/** That the client which messages go to is gone: for one who speaks RESP3. */
export function redirectBroken(id: number): Invalidation {
  const buffer = latin1(`>2\r\n$21\r\ntracking-redir-broken\r\n:${id}\r\n`);
  return { encoded: () => ({ buffer, start: 0, count: buffer.length }) };
}

/** One key after the other, in buffers that messages share. */
export class KeyInvalidation implements Invalidation {
  readonly #message = new Message();
  readonly #resp2 = new KeyEncoder(STAR, MESSAGE_HEAD);
  readonly #resp3 = new KeyEncoder(PUSH, PUSH_HEAD);

  /** From now on it is about this key, whose bytes must hold until it has been sent. */
  begin(bytes: Uint8Array, offset: number, length: number): void {
    const message = this.#message;
    message.content = bytes;
    message.contentOffset = offset;
    message.contentLength = length;
    this.#resp2.encoder.begin();
    this.#resp3.encoder.begin();
  }

  encoded(resp: number): Encoded {
    return (resp === 2 ? this.#resp2 : this.#resp3).encoded(this.#message);
  }
}

/** Encodes arrays of one key for one protocol. */
class KeyEncoder {
  readonly encoder: MessageEncoder;
  readonly #head: Uint8Array;

  constructor(sign: number, head: string) {
    this.encoder = new MessageEncoder(sign);
    this.#head = latin1(`${head}*1\r\n`);
  }

  encoded(message: Message): Encoded {
    const { encoder } = this;
    if (encoder.start < 0) {
      message.head = this.#head;
      encoder.encode(message, this.#head, NO_PATTERNS, 0);
    }
    return encoder;
  }
}

const NO_PATTERNS = { bytesOf: () => new Uint8Array(0), offsetOf: () => 0, lengthOf: () => 0 };
