/** The thread of `stall_watch.ts`: sends PING about every millisecond until told to end. */

import { Client, encodeCommand, ErrorReply } from "../compare/client.ts";
import type { StallMessage, StallQuestion } from "./stall_watch.ts";

const PING = new TextEncoder().encode(encodeCommand("PING"));

/** PINGs before the watch: they let the runtime compile what sends them, on both sides. */
const WARM_UP = 300;
const PAUSE_MS = 1;
const CONNECT_TRIES = 2_000;
const CONNECT_PAUSE_MS = 2;

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<StallQuestion | "end">) => void) | null;
  postMessage(message: StallMessage): void;
};

let isEnding = false;

scope.onmessage = ({ data }) => {
  if (data === "end") isEnding = true;
  else watch(data).catch((error) => scope.postMessage({ failure: String(error) }));
};

async function watch({ port, isBeingStarted }: StallQuestion): Promise<void> {
  const client = await connect(port);
  if (!isBeingStarted) { for (let i = 0; i < WARM_UP; i++) await ping(client); }
  scope.postMessage({ begun: true });
  let longestMs = 0;
  while (!isEnding) {
    const sentAt = performance.now();
    await ping(client);
    longestMs = Math.max(longestMs, performance.now() - sentAt);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  client.close();
  scope.postMessage({ longestMs });
}

/** A server that is just being started takes a while to listen. */
async function connect(port: number): Promise<Client> {
  for (let tries = 0;; tries++) {
    try {
      return await Client.connect(port);
    } catch (error) {
      if (tries === CONNECT_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, CONNECT_PAUSE_MS));
    }
  }
}

/** What it answers does not matter: while it loads, that is an error. */
async function ping(client: Client): Promise<void> {
  try {
    await client.exchange(PING);
  } catch (error) {
    if (!(error instanceof ErrorReply)) throw error;
  }
}
