/** The thread of `watch.ts`: a PING to each server about every millisecond, until told to end. */

import { Client, encodeCommand } from "../compare/client.ts";
import type { ProbeSample } from "../replication/figures.ts";
import { answerEach, nowMs, pause } from "./asked_worker.ts";
import type { WatchQuestion } from "./watch.ts";

const PING = new TextEncoder().encode(encodeCommand("PING"));
/** PINGs before the watch: they let the runtime compile what sends them, on both sides. */
const WARM_UP = 500;
const PAUSE_MS = 1;

let isEnding = false;
let watches: Promise<ProbeSample>[] = [];

answerEach(async (question: WatchQuestion) => {
  if (question === "end") {
    isEnding = true;
    return await Promise.all(watches);
  }
  const clients = await Promise.all(question.ports.map((port) => Client.connect(port)));
  for (const client of clients) for (let i = 0; i < WARM_UP; i++) await client.exchange(PING);
  watches = clients.map(watch);
  for (const each of watches) each.catch(() => {}); // whoever asks for the end is told
});

async function watch(client: Client): Promise<ProbeSample> {
  const sentAtMs: number[] = [];
  const latenciesMs: number[] = [];
  while (!isEnding) {
    const sentAt = nowMs();
    await client.exchange(PING);
    sentAtMs.push(sentAt);
    latenciesMs.push(nowMs() - sentAt);
    await pause(PAUSE_MS);
  }
  client.close();
  return { sentAtMs, latenciesMs, refused: 0 };
}
