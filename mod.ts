/**
 * tsredis as a library: a Redis server within a program, for tests and for whoever wants one at hand.
 *
 * ```ts
 * import { start } from "@tsredis/tsredis";
 *
 * await using server = await start({ port: "auto", maxmemory: "100mb" });
 * await server.run("SET", "greeting", "hello");
 * console.log(server.port, await server.run("GET", "greeting"));
 * ```
 *
 * Importing it has no effect. Any number of servers live side by side and share nothing. A server here
 * installs no signal handlers, never ends the program, and writes no log unless a function is given.
 */

import { commandCatalog } from "./src/commands/catalog.ts";
import { commandTable } from "./src/commands/index.ts";
import { Config, type DirectiveValue } from "./src/config/config.ts";
import { ConfigError, type Place } from "./src/config/parse.ts";
import type { DirectiveName } from "./src/config/table.ts";
import { userLineProblem } from "./src/dispatch/access_control.ts";
import { LocalClient, type MessageListener, type Word } from "./src/local_client.ts";
import { Log } from "./src/observe/log.ts";
import { CommandError, type Reply } from "./src/resp/reply_reader.ts";
import { runtime } from "./src/runtime/here.ts";
import { Server } from "./src/server.ts";

export { CommandError, ConfigError };
export type { DirectiveName, DirectiveValue, MessageListener, Place, Reply, Word };

/**
 * Directives by their names in redis.conf: a text as CONFIG SET takes it ("1mb", "127.0.0.1 ::1"), a
 * number, a boolean for yes and no, or the words one by one.
 */
export type Directives = {
  readonly [N in Exclude<DirectiveName, "port"> | "slaveof" | "rename-command"]?: DirectiveValue;
};

/**
 * Directives, where to listen, and who hears the log. What is not named has Redis's default, but for
 * `bind` ("127.0.0.1"), `save` ("": nothing is saved) and `repl-diskless-load` ("swapdb": a replica
 * needs no file). Without `dir` the dataset is empty at first, whatever lies in the working folder; with `save` or
 * `appendonly` it then must not be what these would replace.
 */
export interface StartOptions extends Directives {
  /** 0: no TCP; "auto", the default: a free port. */
  readonly port?: number | "auto";
  /** Called with each line of the log, without the line end. */
  readonly log?: (line: string) => void;
}

const DEFAULTS: Directives = {
  "bind": "127.0.0.1",
  "save": "",
  "repl-diskless-load": "swapdb",
};

/**
 * Starts a server. Resolves when it listens and has loaded the dataset in `dir`, if there is one.
 *
 * Rejects with a ConfigError when a directive is wrong, with an Error when the server cannot listen or
 * load; nothing is left behind then.
 */
export async function start(options: StartOptions = {}): Promise<RedisServer> {
  const { log: hear = () => {}, port = "auto", ...directives } = options;
  const names = new Set(commandTable.map(({ name }) => name));
  const given = { ...DEFAULTS, ...directives, ...(port === "auto" ? {} : { port }) };
  const config = Config.of(runtime, given as Record<string, DirectiveValue>, {
    isCommand: (name) => names.has(name),
    userProblem: (words, allChannels) => userLineProblem(words, commandCatalog(), allChannels),
  });
  const decoder = new TextDecoder();
  const log = new Log(
    runtime.clock,
    runtime.process.id,
    (line) => hear(decoder.decode(line).trimEnd()),
  );
  let ended!: () => void;
  const whenEnded = new Promise<void>((resolve) => ended = resolve);
  const server = new Server({
    config,
    log,
    takesFreePort: port === "auto",
    beginsEmpty: directives.dir === undefined,
    exit: () => server.stop().then(ended),
  });
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return new EmbeddedServer(server, whenEnded, ended);
}

/** A running server; see {@linkcode start}. */
export interface RedisServer extends AsyncDisposable {
  /** Where it listens on TCP; 0 when it does not. */
  readonly port: number;
  /** Resolves when it has ended: by `stop`, or by a client's SHUTDOWN. */
  readonly ended: Promise<void>;
  /**
   * Runs a command and gives its reply, with text decoded as UTF-8. All calls of this and of `runBytes`
   * are of one client, which needs no password: transactions and SELECT work from call to call, and a
   * command that waits (BLPOP) holds up those behind it; `connect` gives further clients.
   *
   * Rejects with a {@linkcode CommandError} when the answer is an error.
   */
  run(...words: Word[]): Promise<Reply>;
  /** As `run`, with bytes (Uint8Array) in place of the text of bulk strings: for what is not UTF-8. */
  runBytes(...words: Word[]): Promise<Reply>;
  /**
   * A further client, with a state of its own. `onMessage` hears what no command has asked for: messages
   * of subscriptions, and their confirmations from the second on; lines of MONITOR.
   */
  connect(onMessage?: MessageListener): RedisClient;
  /**
   * Stops it. Saves the dataset first when `save` says that it is to be kept. Resolves when its port is
   * free again; rejects when the dataset could not be saved, also then it has stopped. May be repeated.
   */
  stop(): Promise<void>;
}

/** A client in the same program; see {@linkcode RedisServer.connect}. */
export interface RedisClient extends Disposable {
  /** As {@linkcode RedisServer.run}. */
  run(...words: Word[]): Promise<Reply>;
  /** As {@linkcode RedisServer.runBytes}. */
  runBytes(...words: Word[]): Promise<Reply>;
  /** Ends it: what it waits for is rejected. May be repeated. */
  close(): void;
}

class EmbeddedServer implements RedisServer {
  readonly ended: Promise<void>;
  readonly #server: Server;
  readonly #tellEnded: () => void;
  #client: LocalClient | null = null;
  #stopped: Promise<void> | null = null;

  constructor(server: Server, ended: Promise<void>, tellEnded: () => void) {
    this.#server = server;
    this.ended = ended;
    this.#tellEnded = tellEnded;
  }

  get port(): number {
    return this.#server.core.port;
  }

  async run(...words: Word[]): Promise<Reply> {
    return await this.#own().run(words, false);
  }

  async runBytes(...words: Word[]): Promise<Reply> {
    return await this.#own().run(words, true);
  }

  connect(onMessage?: MessageListener): RedisClient {
    return new EmbeddedClient(new LocalClient(this.#server.core, onMessage));
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { core } = this.#server;
    // As by SHUTDOWN, which holds all commands while it saves: what a client is told that it has written
    // is in the file.
    const isSaved = core.isClosed || await new Promise<boolean>((resolve) => {
      this.ended.then(() => resolve(true));
      core.requestShutdown({
        save: "default",
        force: false,
        now: true,
        onWaiting: () => {},
        onRefused: () => resolve(false),
      });
    });
    await this.#server.stop();
    this.#tellEnded();
    if (!isSaved) throw new Error("Cannot save the dataset at the end: the log says why");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #own(): LocalClient {
    if (this.#client === null || this.#client.isClosed) {
      this.#client = new LocalClient(this.#server.core);
    }
    return this.#client;
  }
}

class EmbeddedClient implements RedisClient {
  readonly #client: LocalClient;

  constructor(client: LocalClient) {
    this.#client = client;
  }

  run(...words: Word[]): Promise<Reply> {
    return this.#client.run(words, false);
  }

  runBytes(...words: Word[]): Promise<Reply> {
    return this.#client.run(words, true);
  }

  close(): void {
    this.#client.close(false);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
