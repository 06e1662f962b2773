/**
 * A whole server without sockets, timers or files, with a clock and a random source that the test
 * sets: `s.run("SET", "k", "v")` goes through dispatch, handlers and keyspace as a client's request
 * does. Words and replies are latin1 text, one character per byte.
 */

import { commandTable } from "../../src/commands/index.ts";
import { Config } from "../../src/config/config.ts";
import { Client } from "../../src/dispatch/client.ts";
import { Clients } from "../../src/dispatch/clients.ts";
import { Dispatcher, GATE_PAUSED } from "../../src/dispatch/dispatcher.ts";
import { Pause } from "../../src/dispatch/pause.ts";
import type { Services } from "../../src/dispatch/services.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { LatencyMonitor } from "../../src/observe/latency.ts";
import { Log } from "../../src/observe/log.ts";
import { feedMonitors } from "../../src/commands/server/monitor_feed.ts";
import { SlowLog } from "../../src/observe/slow_log.ts";
import { Statistics } from "../../src/observe/statistics.ts";
import { WriteStream } from "../../src/propagation/write_stream.ts";
import { Hub } from "../../src/pubsub/hub.ts";
import { Words } from "../../src/resp/words.ts";
import { runtime } from "../../src/runtime/here.ts";

/**
 * A reply as a value: status, bulk and (RESP3) double or verbatim as text, integers as numbers
 * (bigint beyond 2^53), null, arrays; errors as `{ error }`, RESP3 maps and sets as `{ map }`, `{ set }`.
 */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | null
  | Value[]
  | { error: string }
  | { map: [Value, Value][] }
  | { set: Value[] };

/** One client of a TestServer. */
export class TestClient {
  constructor(readonly server: TestServer, readonly client: Client) {}

  /** Runs one request and gives its reply; undefined when there is none (parked, CLIENT REPLY OFF). */
  run(...words: (string | number)[]): Value | undefined {
    return this.runAll(...words)[0];
  }

  /** Runs one request and gives all replies it has caused, pushes included. */
  runAll(...words: (string | number)[]): Value[] {
    this.server.keyspace.refreshTime();
    this.server.dispatcher.execute(this.client, Words.of(...words.map(String)));
    return this.received();
  }

  /** What has been written to this client since the last call. */
  received(): Value[] {
    let text = "";
    for (;;) {
      const chunk = this.client.reply.takeChunk();
      if (chunk === null) break;
      for (let i = 0; i < this.client.reply.chunkLength; i++) text += String.fromCharCode(chunk[i]);
    }
    return decodeReplies(text);
  }
}

export class TestServer {
  readonly clock: { nowMs: number };
  readonly keyspace: Keyspace;
  readonly dispatcher: Dispatcher;
  readonly clients = new Clients();
  readonly config = new Config(runtime, "/");
  readonly hub = new Hub(runtime.timers, runtime.clock);
  readonly pause: Pause;
  readonly logLines: string[] = [];
  readonly services: Services;
  readonly #default: TestClient;
  #stream = "";

  constructor(options: { nowMs?: number; seed?: number } = {}) {
    const clock = { nowMs: options.nowMs ?? 1_700_000_000_000 };
    this.clock = clock;
    let state = (options.seed ?? 1) >>> 0;
    const draw = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 4294967296;
    };
    const stream = new WriteStream();
    const time = { now: () => clock.nowMs, monotonic: () => clock.nowMs };
    this.keyspace = new Keyspace(16, time, draw, stream);
    this.pause = new Pause(this.clients, this.keyspace);
    // Parts that tests of commands on data do not need are left out: touching one fails the test.
    const services = {
      runtime,
      clock: time,
      draw,
      keyspace: this.keyspace,
      clients: this.clients,
      config: this.config,
      hub: this.hub,
      pause: this.pause,
      statistics: new Statistics(),
      slowLog: new SlowLog(),
      latency: new LatencyMonitor(),
      log: new Log(runtime.clock, 1, (line) => this.logLines.push(new TextDecoder().decode(line))),
      runId: "0".repeat(40),
      startedMs: clock.nowMs,
      port: 0,
    } as unknown as { -readonly [K in keyof Services]: Services[K] };
    this.dispatcher = new Dispatcher(services, {
      freeMemory: () => true,
      parkIfPaused: (client, isWrite) => this.pause.parkIfPaused(client, isWrite),
      refuseProtected: () => null,
    });
    this.dispatcher.onMonitor = (client, words) => feedMonitors(services, client, words);
    this.pause.onChange = (isPaused) => {
      if (isPaused) this.dispatcher.gateBits |= GATE_PAUSED;
      else this.dispatcher.gateBits &= ~GATE_PAUSED;
    };
    services.dispatcher = this.dispatcher;
    this.hub.runningClient = () => this.dispatcher.runningClient;
    this.services = services;
    this.dispatcher.setCommands(commandTable.map((command) => [command.name, command]));
    stream.attach((bytes, offset, length) => {
      for (let i = 0; i < length; i++) this.#stream += String.fromCharCode(bytes[offset + i]);
    });
    this.#default = this.connect();
  }

  /** A further client. */
  connect(resp = 2): TestClient {
    const client = new Client(this.clients.nextId(), this.keyspace.databases[0], this.clock.nowMs);
    client.reply.resp = resp;
    this.clients.add(client);
    return new TestClient(this, client);
  }

  run(...words: (string | number)[]): Value | undefined {
    return this.#default.run(...words);
  }

  /** The commands that entered the stream of writes since the last call, words joined by spaces. */
  propagated(): string[] {
    const commands = decodeReplies(this.#stream) as string[][];
    this.#stream = "";
    return commands.map((words) => words.join(" "));
  }
}

/** A server for a test; `nowMs` sets its clock, `seed` its chance. */
export function testServer(options?: { nowMs?: number; seed?: number }): TestServer {
  return new TestServer(options);
}

function decodeReplies(text: string): Value[] {
  let at = 0;
  const line = () => {
    const end = text.indexOf("\r\n", at);
    if (end < 0) throw new Error(`reply ends within a line: ${JSON.stringify(text.slice(at))}`);
    const found = text.slice(at, end);
    at = end + 2;
    return found;
  };
  const many = (count: number) => Array.from({ length: count }, read);
  function read(): Value {
    const head = line();
    const rest = head.slice(1);
    switch (head[0]) {
      case "+":
      case ",":
      case "(":
        return rest;
      case "-":
        return { error: rest };
      case ":": {
        const n = Number(rest);
        return Number.isSafeInteger(n) ? n : BigInt(rest);
      }
      case "$":
      case "=": {
        const length = Number(rest);
        if (length < 0) return null;
        const found = text.slice(at, at + length);
        if (found.length !== length || text.slice(at + length, at + length + 2) !== "\r\n") {
          throw new Error(`bulk string of ${length} bytes is cut: ${JSON.stringify(text)}`);
        }
        at += length + 2;
        return head[0] === "=" ? found.slice(4) : found;
      }
      case "*":
      case ">":
        return Number(rest) < 0 ? null : many(Number(rest));
      case "~":
        return { set: many(Number(rest)) };
      case "%":
        return { map: Array.from({ length: Number(rest) }, () => [read(), read()]) };
      case "_":
        return null;
      case "#":
        return rest === "t";
    }
    throw new Error(`no reply begins like this: ${JSON.stringify(head)}`);
  }
  const replies: Value[] = [];
  while (at < text.length) replies.push(read());
  return replies;
}
