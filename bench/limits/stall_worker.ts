/** The thread of `stall_watch.ts`: sends PING about every millisecond until told to end. */

import { Client, encodeCommand } from "../compare/client.ts";
import type { StallMessage } from "./stall_watch.ts";

const PING = new TextEncoder().encode(encodeCommand("PING"));

/** PINGs before the watch: they let the runtime compile what sends them, on both sides. */
const WARM_UP = 300;
const PAUSE_MS = 1;

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<{ port: number } | "end">) => void) | null;
  postMessage(message: StallMessage): void;
};

let isEnding = false;

scope.onmessage = ({ data }) => {
  if (data === "end") isEnding = true;
  else watch(data.port).catch((error) => scope.postMessage({ failure: String(error) }));
};

async function watch(port: number): Promise<void> {
  const client = await Client.connect(port);
  for (let i = 0; i < WARM_UP; i++) await client.exchange(PING);
  scope.postMessage({ begun: true });
  let longestMs = 0;
  while (!isEnding) {
    const sentAt = performance.now();
    await client.exchange(PING);
    longestMs = Math.max(longestMs, performance.now() - sentAt);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  client.close();
  scope.postMessage({ longestMs });
}
