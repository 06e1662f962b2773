/**
 * How long work is cut into slices: a slice, then whatever else the event loop has to do, then the
 * next slice as soon as possible. A timer would wait a millisecond in between even if nobody else
 * wants the thread.
 */

const waiting: (() => void)[] = [];
let channel: MessageChannel | null = null;

/** Calls `work` once everything that is ready by now has had its turn. */
export function afterOthers(work: () => void): void {
  if (channel === null) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  waiting.push(work);
  channel.port2.postMessage(null);
}
