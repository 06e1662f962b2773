/**
 * A message on its way through the hub, and its bytes: encoded once for each protocol that somebody
 * speaks who is to get it, behind the messages before it, in a buffer that all their writers share.
 */

import { writeInteger } from "../base/integers.ts";
import { SHARE_MIN_BYTES, sharedBuffer } from "../resp/reply_writer.ts";

const NONE = new Uint8Array(0);

/** Size of the buffers that messages are collected in. */
const BUFFER_BYTES = 64 * 1024 + 64;

/** Room that a message takes beside its beginning and contents: for lengths and line ends. */
const FRAME_BYTES = 48;

/** What is published. The bytes are the publisher's, and hold for the time of one call. */
export class Message {
  channel: Uint8Array = NONE;
  channelOffset = 0;
  channelLength = 0;
  content: Uint8Array = NONE;
  contentOffset = 0;
  contentLength = 0;
  /** What it begins with as RESP2, up to the content, where that has been made already. */
  head: Uint8Array | null = null;

  /** Lets go of the publisher's bytes. */
  clear(): void {
    this.channel = this.content = NONE;
    this.head = null;
  }
}

/** The name of a pattern, by which a message comes to those who listen to that. */
export interface PatternName {
  bytesOf(topic: number): Uint8Array;
  offsetOf(topic: number): number;
  lengthOf(topic: number): number;
}

/** Encodes the messages of one protocol. */
export class MessageEncoder {
  /** Where the message that was encoded last begins, -1 after `begin`; how long it is, and in what. */
  start = -1;
  count = 0;
  buffer: Uint8Array = NONE;
  #collecting = sharedBuffer(0);
  #length = 0;

  /** `sign` is the first byte of a message: that of an array or a push. */
  constructor(readonly sign: number) {}

  /** Another message, or the same for another topic: it is not encoded yet. */
  begin(): void {
    this.start = -1;
  }

  /**
   * Writes the message behind the others, or alone if it is large. `prefix` has its beginning, up to
   * the pattern or channel; `pattern` is 0 for none, else one of `patterns`.
   */
  encode(message: Message, prefix: Uint8Array, patterns: PatternName, pattern: number): void {
    const { head, channelLength, contentLength } = message;
    const patternLength = pattern === 0 ? 0 : patterns.lengthOf(pattern);
    const room = prefix.length + patternLength + channelLength + contentLength + FRAME_BYTES;
    let buffer = this.#collecting;
    let at = this.#length;
    const isLarge = room >= SHARE_MIN_BYTES;
    if (isLarge) {
      buffer = sharedBuffer(room);
      at = 0;
    } else if (at + room > buffer.length) {
      buffer = this.#collecting = sharedBuffer(BUFFER_BYTES);
      at = 0;
    }
    this.start = at;
    this.buffer = buffer;
    const beginning = head ?? prefix;
    for (let i = 0; i < beginning.length; i++) buffer[at + i] = beginning[i];
    buffer[at] = this.sign;
    at += beginning.length;
    if (pattern !== 0) {
      const bytes = patterns.bytesOf(pattern);
      at = writeBulk(buffer, at, bytes, patterns.offsetOf(pattern), patternLength);
    }
    if (head === null) {
      at = writeBulk(buffer, at, message.channel, message.channelOffset, channelLength);
    }
    at = writeBulk(buffer, at, message.content, message.contentOffset, contentLength);
    if (!isLarge) this.#length = at;
    this.count = at - this.start;
  }
}

function writeBulk(
  to: Uint8Array,
  at: number,
  source: Uint8Array,
  offset: number,
  count: number,
): number {
  to[at++] = 0x24;
  if (count < 10) to[at++] = 48 + count;
  else if (count < 100) {
    const tens = (count / 10) | 0;
    to[at++] = 48 + tens;
    to[at++] = 48 + count - tens * 10;
  } else at += writeInteger(to, at, count);
  to[at++] = 13;
  to[at++] = 10;
  if (count < 48) {
    for (let i = 0; i < count; i++) to[at + i] = source[offset + i];
  } else to.set(source.subarray(offset, offset + count), at);
  at += count;
  to[at++] = 13;
  to[at++] = 10;
  return at;
}
