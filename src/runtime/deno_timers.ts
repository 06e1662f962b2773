/** Timers by what Deno shares with browsers, and a way to let sockets have their turn. */

import type { Timer, Timers } from "./runtime.ts";

export const denoTimers: Timers = {
  after: (ms: number, work: () => void): Timer => setTimeout(work, ms),
  every: (ms: number, work: () => void): Timer => setInterval(work, ms),
  cancel: (timer: Timer | null) => clearTimeout(timer as number | undefined ?? undefined),
  soon: (work: () => void) => queueMicrotask(work),
  afterOthers,
};

// Deno offers nothing for `afterOthers`: a timer waits one to two milliseconds even if nobody else
// wants the thread, while message channels, immediates and answers of the thread pool come round
// without the sockets having been looked at (clients then waited up to 60 ms). A byte sent to oneself
// over a connection of one's own arrives when sockets are looked at, some 15 µs later if there is
// nothing else: all others that are ready have their turn then.

const waiting: (() => void)[] = [];
const byte = new Uint8Array(1);
const received = new Uint8Array(64);
let isAsked = false;
let isOpening = false;
let ends: { readonly near: Deno.TcpConn; readonly far: Deno.TcpConn } | null = null;

function afterOthers(work: () => void): void {
  waiting.push(work);
  if (isAsked) return;
  isAsked = true;
  if (ends === null) {
    if (!isOpening) open().catch(() => {}); // without it, timers do
    setTimeout(run, 0);
    return;
  }
  Promise.all([ends.near.write(byte), ends.far.read(received)]).then(run, () => {
    ends = null;
    setTimeout(run, 0);
  });
}

function run(): void {
  isAsked = false;
  // Each by itself: an error of one is no business of the others.
  for (const work of waiting.splice(0)) queueMicrotask(work);
}

async function open(): Promise<void> {
  isOpening = true;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const [near, far] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port }),
    listener.accept(),
  ]);
  if ((near.localAddr as Deno.NetAddr).port !== (far.remoteAddr as Deno.NetAddr).port) {
    near.close();
    far.close();
    return; // somebody else was quicker to connect
  }
  near.setNoDelay(true);
  ends = { near, far };
}
