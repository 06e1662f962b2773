/**
 * The receiving side, in a thread of its own: connections that subscribe and then count bytes, since
 * reading messages would cost more than the server's sending them. With many connections each is
 * read at most once in some milliseconds, so that this side keeps up on the one core it has.
 *
 * Told what to do by messages from `measure.ts`; see `Order`.
 */

import { encodeCommand } from "../compare/client.ts";
import { MESSAGE_BYTES, WORKLOADS } from "./workloads.ts";

/** What this thread is told. */
export type Order =
  /** Connect and subscribe; answered by "ready". */
  | { do: "subscribe"; port: number; workload: number }
  /** Count until so many bytes have come from now on; answered by "received". */
  | { do: "receive"; bytes: number }
  /** Publish messages one at a time and time each delivery; answered by "latencies". */
  | { do: "latencies"; port: number; messages: number }
  | { do: "close" };

/** What it answers. */
export type Answer =
  | { is: "ready" }
  /** Time from the first of the bytes to the last. */
  | { is: "received"; ms: number }
  /** Milliseconds from before PUBLISH is written to when each delivery has been read. */
  | { is: "latencies"; ms: Float64Array }
  | { is: "failed"; reason: string };

/** Pause between two reads of a connection, where there are many. */
const PAUSE_MS = 15;
const MANY = 50;

/** Bytes read at once at most. */
const READ_BYTES = 128 * 1024;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(answer: Answer): void;
};

let connections: Deno.TcpConn[] = [];
let workload = WORKLOADS[0];
/** Bytes received since the order to count, and how many are wanted. */
let received = 0;
let wanted = Infinity;
let firstAt = 0;
let paused = true;
let onBytes: (connection: number, count: number) => void = () => {};

scope.onmessage = async ({ data: order }) => {
  try {
    await carryOut(order);
  } catch (error) {
    scope.postMessage({ is: "failed", reason: String(error) });
  }
};

async function carryOut(order: Order): Promise<void> {
  switch (order.do) {
    case "subscribe":
      workload = WORKLOADS[order.workload];
      await subscribe(order.port);
      scope.postMessage({ is: "ready" });
      break;
    case "receive":
      received = 0;
      firstAt = 0;
      wanted = order.bytes;
      paused = workload.connections >= MANY;
      onBytes = count;
      break;
    case "latencies":
      paused = false;
      scope.postMessage({ is: "latencies", ms: await latencies(order.port, order.messages) });
      break;
    case "close":
      for (const connection of connections) connection.close();
      connections = [];
  }
}

function count(_connection: number, bytes: number): void {
  if (firstAt === 0) firstAt = performance.now();
  received += bytes;
  if (received < wanted) return;
  wanted = Infinity;
  scope.postMessage({ is: "received", ms: performance.now() - firstAt });
}

async function subscribe(port: number): Promise<void> {
  const encoder = new TextEncoder();
  for (let i = 0; i < workload.connections; i++) {
    const words = workload.subscribe(i);
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    const text = encoder.encode(encodeCommand(...words));
    for (let sent = 0; sent < text.length;) sent += await connection.write(text.subarray(sent));
    let left = confirmationBytes(words);
    const buffer = new Uint8Array(64 * 1024);
    while (left > 0) left -= await connection.read(buffer) ?? left;
    connections.push(connection);
    read(connection, i);
  }
}

/** What the server answers to a subscription: for each name three elements with a running number. */
function confirmationBytes(words: string[]): number {
  let bytes = 0;
  const kind = words[0].toLowerCase();
  for (let i = 1; i < words.length; i++) {
    bytes += `*3\r\n$${kind.length}\r\n${kind}\r\n$${words[i].length}\r\n${words[i]}\r\n:${i}\r\n`
      .length;
  }
  return bytes;
}

async function read(connection: Deno.TcpConn, index: number): Promise<void> {
  const buffer = new Uint8Array(READ_BYTES);
  try {
    for (;;) {
      const size = await connection.read(buffer);
      if (size === null) return;
      onBytes(index, size);
      if (paused && size < READ_BYTES) await nextPause();
    }
  } catch {
    // Closed at the end of the workload.
  }
}

let pause: Promise<void> | null = null;

/** One timer for all connections that are waiting for their next read. */
function nextPause(): Promise<void> {
  return pause ??= new Promise((resolve) =>
    setTimeout(() => {
      pause = null;
      resolve();
    }, PAUSE_MS)
  );
}

/** Publishes one message, waits until all who are to get it have, and goes on with the next. */
async function latencies(port: number, messages: number): Promise<Float64Array> {
  const publisher = await Deno.connect({ hostname: "127.0.0.1", port });
  publisher.setNoDelay(true);
  const encoder = new TextEncoder();
  const reply = new Uint8Array(1024);
  const times = new Float64Array(messages * workload.receivers);
  let at = 0;
  for (let n = 0; n < messages; n++) {
    let left = workload.receivers;
    const partial = new Int32Array(workload.connections);
    const sentAt = performance.now();
    const done = new Promise<void>((resolve) => {
      onBytes = (connection, size) => {
        partial[connection] += size;
        if (partial[connection] < workload.deliveredBytes) return;
        times[at++] = performance.now() - sentAt;
        if (--left === 0) resolve();
      };
    });
    const words = ["PUBLISH", workload.channelAt(n * 37), "m".repeat(MESSAGE_BYTES)];
    await publisher.write(encoder.encode(encodeCommand(...words)));
    await publisher.read(reply);
    await done;
  }
  publisher.close();
  return times;
}
