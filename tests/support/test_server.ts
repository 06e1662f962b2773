/**
 * The core of a server without sockets and timer, with a clock and a random source that the test
 * sets: `s.run("SET", "k", "v")` goes through dispatch, handlers and keyspace as a client's request
 * does. Words and replies are latin1 text, one character per byte.
 */

import "./poison.ts";
import { blocks } from "../../src/base/blocks.ts";
import { Config, type DirectiveValue } from "../../src/config/config.ts";
import { Core } from "../../src/core.ts";
import { Client } from "../../src/dispatch/client.ts";
import type { Clients } from "../../src/dispatch/clients.ts";
import type { Dispatcher } from "../../src/dispatch/dispatcher.ts";
import type { Pause } from "../../src/dispatch/pause.ts";
import type { Services } from "../../src/dispatch/services.ts";
import type { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Log } from "../../src/observe/log.ts";
import type { Hub } from "../../src/pubsub/hub.ts";
import type { SnapshotMaker } from "../../src/rdb/persistence.ts";
import { Words } from "../../src/resp/words.ts";
import { runtime } from "../../src/runtime/here.ts";
import type { Files, Timers } from "../../src/runtime/runtime.ts";

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
    // No command runs now: as before the input of a connection.
    blocks.settle();
    this.server.keyspace.refreshTime();
    this.server.dispatcher.execute(this.client, Words.of(...words.map(String)));
    return this.received();
  }

  /** What has been sent to this client since the last call. */
  received(): Value[] {
    let text = "";
    if (this.client.holdsOutput) return [];
    for (;;) {
      const chunk = this.client.reply.takeChunk();
      if (chunk === null) break;
      for (let i = 0; i < this.client.reply.chunkLength; i++) text += String.fromCharCode(chunk[i]);
    }
    return decodeReplies(text);
  }
}

/** What a test says of the server it wants. */
export interface TestServerOptions {
  /** What its clock shows, in Unix ms. */
  readonly nowMs?: number;
  /** What its chance is drawn from. */
  readonly seed?: number;
  /** Directives, in addition to those that let a test use DEBUG. */
  readonly directives?: Readonly<Record<string, DirectiveValue>>;
  /** The folder of its files, which is nowhere if absent. */
  readonly folder?: string;
  readonly snapshots?: SnapshotMaker;
  /** Timers that the test moves by hand; the runtime's if absent. */
  readonly timers?: Timers;
  /** The disk of this thread; the runtime's if absent. */
  readonly files?: Files;
  /** Keep what enters the stream of writes for `propagated`, as is done if absent: a long test may not. */
  readonly keepsStream?: boolean;
}

export class TestServer {
  /** What both of its clocks show; `setMs` is how far the one for Unix time has been set since. */
  readonly clock: { nowMs: number; setMs: number };
  readonly config: Config;
  readonly core: Core;
  readonly keyspace: Keyspace;
  readonly dispatcher: Dispatcher;
  readonly clients: Clients;
  readonly hub: Hub;
  readonly pause: Pause;
  readonly logLines: string[] = [];
  /** The codes with which it has ended. */
  readonly exits: number[] = [];
  readonly #default: TestClient;
  #stream = "";

  constructor(options: TestServerOptions = {}) {
    const clock = { nowMs: options.nowMs ?? 1_700_000_000_000, setMs: 0 };
    this.clock = clock;
    let state = (options.seed ?? 1) >>> 0;
    const draw = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 4294967296;
    };
    this.config = Config.of(runtime, {
      "enable-debug-command": true,
      "enable-module-command": true,
      ...options.directives,
    }, { folder: options.folder ?? "/" });
    const time = { now: () => clock.nowMs + clock.setMs, monotonic: () => clock.nowMs };
    const core = new Core({
      config: this.config,
      log: new Log(time, 1, (line) => this.logLines.push(new TextDecoder().decode(line))),
      runtime: {
        ...runtime,
        timers: options.timers ?? runtime.timers,
        files: options.files ?? runtime.files,
      },
      clock: time,
      draw,
      ending: { stop: () => core.close(), exit: (code) => this.exits.push(code) },
      snapshots: options.snapshots,
    });
    this.core = core;
    this.keyspace = core.keyspace;
    this.dispatcher = core.dispatcher;
    this.clients = core.clients;
    this.hub = core.hub;
    this.pause = core.pause;
    if (options.keepsStream ?? true) this.#keepStream();
    this.#default = this.connect();
  }

  #keepStream(): void {
    this.keyspace.stream.attach((bytes, offset, length) => {
      for (let i = 0; i < length; i++) this.#stream += String.fromCharCode(bytes[offset + i]);
    });
  }

  /** The parts of the server as commands see them. */
  get services(): Services {
    return this.core;
  }

  /** A further client. */
  connect(resp = 2): TestClient {
    const client = new Client(this.clients.nextId(), this.keyspace.databases[0], this.clock.nowMs);
    client.become(this.core.access.users.default, true);
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

/** A server for a test. */
export function testServer(options?: TestServerOptions): TestServer {
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
