/**
 * One workload on one running server: deliveries per second, the server's CPU per delivery, and the
 * latency of single messages.
 *
 * The messages come from redis-benchmark (so the publishing side is the same C program for both), and
 * go to `subscribers.ts`. Time counts from the first byte that a subscriber gets to the last, so
 * output that a server leaves lying does not make it look faster.
 */

import { type RunningServer, track } from "../compare/servers.ts";
import { within } from "../compare/client.ts";
import { quantile } from "../compare/results.ts";
import type { Answer, Order } from "./subscribers.ts";
import { MESSAGE_BYTES, WORKLOADS } from "./workloads.ts";

/** One timed run. */
export interface Sample {
  deliveriesPerSecond: number;
  /** CPU time of the server for each, in microseconds. */
  cpuMicros: number;
}

/** How the publishers send: so many connections, each with so many requests on their way. */
export interface Publishing {
  connections: number;
  pipeline: number;
}

export interface Latency {
  p50Ms: number;
  p99Ms: number;
}

const TIMEOUT_MS = 120_000;

/** The receiving thread, subscribed to a workload on one server. */
export class Receivers {
  readonly #worker: Worker;
  #answer: (answer: Answer) => void = () => {};
  #fail: (error: Error) => void = () => {};

  private constructor(readonly server: RunningServer, readonly workload: number) {
    const url = new URL("./subscribers.ts", import.meta.url);
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if (data.is === "failed") this.#fail(new Error(`${server.label}: ${data.reason}`));
      else this.#answer(data);
    };
    this.#worker.onerror = (event) => this.#fail(new Error(event.message));
  }

  static async open(server: RunningServer, workload: number): Promise<Receivers> {
    const receivers = new Receivers(server, workload);
    await receivers.#ask({ do: "subscribe", port: server.port, workload });
    return receivers;
  }

  #ask(order: Order): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
    });
    this.#worker.postMessage(order);
    return this.server.guard(order.do, within(TIMEOUT_MS, order.do, answer));
  }

  /** Has so many messages published and waits until all are delivered. */
  async run(messages: number, publishing: Publishing): Promise<Sample> {
    const { server } = this;
    const { receivers, deliveredBytes, channel, keyspace } = WORKLOADS[this.workload];
    const deliveries = messages * receivers;
    const before = server.cpuMicros();
    const received = this.#ask({ do: "receive", bytes: deliveries * deliveredBytes });
    const args = ["-p", String(server.port), "-c", String(publishing.connections)];
    args.push("-P", String(publishing.pipeline), "-n", String(messages), "-r", String(keyspace));
    args.push("-q", "PUBLISH", channel, "m".repeat(MESSAGE_BYTES));
    const child = track(
      new Deno.Command("redis-benchmark", { args, stdin: "null", stdout: "null", stderr: "null" })
        .spawn(),
    );
    const { success } = await within(TIMEOUT_MS, "redis-benchmark", child.status);
    if (!success) throw new Error(`${server.label}: redis-benchmark ${args.join(" ")} failed`);
    const answer = await received;
    if (answer.is !== "received") throw new Error(`unexpected answer: ${answer.is}`);
    return {
      deliveriesPerSecond: deliveries / (answer.ms / 1000),
      cpuMicros: (server.cpuMicros() - before) / deliveries,
    };
  }

  async latency(messages: number): Promise<Latency> {
    const answer = await this.#ask({ do: "latencies", port: this.server.port, messages });
    if (answer.is !== "latencies") throw new Error(`unexpected answer: ${answer.is}`);
    const times = Array.from(answer.ms);
    return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
  }

  close(): void {
    this.#worker.postMessage({ do: "close" } satisfies Order);
    this.#worker.terminate();
  }
}
