/**
 * The tutorial as a person goes through it, with tsredis and the real programs: redis-cli,
 * redis-py, and a socket in telnet's place. What they print is compared, and makes up the session
 * that README shows; `TSREDIS_PRINT_SESSION=1 deno task test --verbose` prints it.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { ROOT } from "../../tools/server_flags.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free_port.ts";
import { hasPythonRedis, hasRedisCli, pythonWithRedis } from "../support/real_redis.ts";
import { Wire } from "../support/replication_wire.ts";
import { tsredisCommand } from "../support/tsredis_process.ts";

const decoder = new TextDecoder();

/** The ports that the session shows; those of the run are free ones. */
const SHOWN_PORTS = [7000, 7001, 7002];

/** A child process whose output is kept. */
class Program implements AsyncDisposable {
  output = "";
  readonly #child: Deno.ChildProcess;
  readonly #drained: Promise<unknown>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #ended = false;

  constructor(command: string, args: string[], cwd: string) {
    this.#child = new Deno.Command(command, {
      args,
      cwd,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#drained = Promise.all([this.#drain(this.#child.stdout), this.#drain(this.#child.stderr)]);
    this.#child.status.then(() => this.#ended = true);
  }

  type(text: string): Promise<void> {
    return this.#input.write(new TextEncoder().encode(text));
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#drained;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.signal("SIGKILL");
    await this.ended();
    await this.#input.close().catch(() => {});
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const text = new TextDecoder();
    for await (const chunk of stream) this.output += text.decode(chunk, { stream: true });
  }
}

/** Python statements one by one, each followed by what it printed. */
const PYTHON = `
import sys
names = {}
for line in sys.stdin:
    exec(compile(line, "session", "single"), names)
    print("\\x00", flush=True)
`;

/** A session at a few terminals, with its text. */
class Session implements AsyncDisposable {
  text = "";
  readonly ports = SHOWN_PORTS.map(freePort);
  readonly #stack = new AsyncDisposableStack();

  constructor(readonly command: string[], readonly folder: string) {}

  /** Adds to the text, with the ports that README shows. */
  show(text: string): void {
    this.text += this.ports.reduce(
      (shown, port, i) => shown.replaceAll(`${port}`, `${SHOWN_PORTS[i]}`),
      text,
    );
  }

  /** Starts the server `index` with these arguments. */
  async server(index: number, ...args: string[]): Promise<Program> {
    this.show(`$ ./tsredis ${args.join(" ")} &\n`);
    const [program, ...before] = this.command;
    const server = this.#stack.use(new Program(program, [...before, ...args], this.folder));
    await eventually(async () => (await this.ask(index, "PING")) === "PONG", {
      timeoutMs: 60_000,
      what: `server ${index} to answer`,
    }).catch((thrown) => {
      throw new Error(`${thrown.message}\n${server.output}`);
    });
    return server;
  }

  /** What redis-cli prints at a terminal; shown. */
  async cli(index: number, ...words: string[]): Promise<string> {
    const quoted = words.map((word) => /^[\w:.-]+$/.test(word) ? word : JSON.stringify(word));
    this.show(`$ redis-cli -p ${this.ports[index]} ${quoted.join(" ")}\n`);
    const printed = await this.#redisCli(index, ["--no-raw"], words);
    this.show(printed);
    return printed.trimEnd();
  }

  /** The same, typed into redis-cli's standard input in place of a shell's `<`. */
  async cliFrom(index: number, file: string, ...words: string[]): Promise<string> {
    this.show(`$ redis-cli -p ${this.ports[index]} -x ${words.join(" ")} < ${file}\n`);
    const input = await Deno.readFile(join(this.folder, file));
    const child = new Deno.Command("redis-cli", {
      args: ["-p", `${this.ports[index]}`, "-x", ...words],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(input);
    await writer.close();
    const printed = decoder.decode((await child.output()).stdout);
    this.show(printed);
    return printed.trimEnd();
  }

  /** Lines of INFO that match, as `grep` prints them; shown. */
  async info(index: number, section: string, pattern: string): Promise<string> {
    this.show(`$ redis-cli -p ${this.ports[index]} INFO ${section} | grep ${pattern}\n`);
    const text = await this.ask(index, "INFO", section);
    const lines = text.split(/\r?\n/).filter((line) => line.includes(pattern));
    this.show(lines.map((line) => `${line}\n`).join(""));
    return lines.join("\n");
  }

  /** redis-cli without being shown: to wait for something. */
  async ask(index: number, ...words: string[]): Promise<string> {
    return (await this.#redisCli(index, [], words)).trimEnd();
  }

  /** Waits, as a person would by looking again, until the link of a slave is up. */
  async linked(index: number): Promise<void> {
    await eventually(
      async () => (await this.ask(index, "INFO", "replication")).includes("master_link_status:up"),
      { timeoutMs: 30_000, what: `the link of server ${index} to come up` },
    );
  }

  /** Waits until everybody is where the master is. */
  async inStep(): Promise<void> {
    await eventually(async () => {
      const infos = await Promise.all(
        this.ports.map((_, i) => this.ask(i, "INFO", "replication")),
      );
      const offsets = infos.map((info) => /master_repl_offset:(\d+)/.exec(info)?.[1]);
      return offsets.every((offset) => offset === offsets[0]);
    }, { what: "all to have the same offset" });
  }

  /** Asks a server to end, and waits for it; shown. */
  async shutDown(index: number, server: Program): Promise<void> {
    this.show(`$ redis-cli -p ${this.ports[index]} SHUTDOWN\n`);
    await this.#redisCli(index, [], ["SHUTDOWN"]);
    assertEquals(await server.ended(), 0, server.output);
  }

  async python(): Promise<(statement: string) => Promise<string>> {
    this.show("$ python3\n");
    const python = this.#stack.use(
      new Program(pythonWithRedis!, ["-u", "-c", PYTHON], this.folder),
    );
    await python.type("pass\n");
    let at = 0;
    const next = async () => {
      await eventually(() => python.output.indexOf("\0\n", at) >= 0, {
        what: "Python's answer",
      }).catch((thrown) => {
        throw new Error(`${thrown.message}\n${python.output}`);
      });
      const end = python.output.indexOf("\0\n", at);
      const printed = python.output.slice(at, end);
      at = end + 2;
      return printed;
    };
    await next();
    return async (statement) => {
      this.show(`>>> ${statement}\n`);
      await python.type(`${statement}\n`);
      const printed = await next();
      this.show(printed);
      return printed.trimEnd();
    };
  }

  /** A socket to type at, as telnet's. */
  async telnet(index: number): Promise<Telnet> {
    this.show(`$ telnet localhost ${this.ports[index]}\n`);
    const conn = await Deno.connect({ hostname: "localhost", port: this.ports[index] });
    return this.#stack.use(new Telnet(this, new Wire(conn)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  async #redisCli(index: number, options: string[], words: string[]): Promise<string> {
    const { stdout, stderr } = await new Deno.Command("redis-cli", {
      args: ["-p", `${this.ports[index]}`, ...options, ...words],
    }).output();
    return decoder.decode(stdout) + decoder.decode(stderr);
  }
}

class Telnet implements Disposable {
  constructor(readonly session: Session, readonly wire: Wire) {}

  async type(line: string): Promise<void> {
    this.session.show(`${line}\n`);
    await this.wire.send(`${line}\r\n`);
  }

  /** That exactly these lines arrive. */
  async receives(...lines: string[]): Promise<void> {
    const bytes = lines.map((line) => `${line}\r\n`).join("");
    assertEquals(await this.wire.take(bytes.length), bytes);
    this.session.show(bytes.replaceAll("\r", ""));
  }

  [Symbol.dispose](): void {
    this.wire.close();
  }
}

const BOOK = [
  '1) "name"',
  '2) "Infinite Jest"',
  '3) "author"',
  '4) "David Foster Wallace"',
].join("\n");

Deno.test({
  name: "the tutorial: master, slave, a slave's slave, pub/sub, cut links, restarts",
  ignore: !hasRedisCli || !hasPythonRedis,
  async fn(t) {
    const folder = await Deno.makeTempDir({ prefix: "tsredis-tutorial-" });
    try {
      await using session = new Session(await tsredisCommand(), folder);
      try {
        await walkThrough(t, session);
      } finally {
        if (Deno.env.get("TSREDIS_PRINT_SESSION") !== undefined) console.log(session.text);
      }
      const shown = readmeSession();
      if (shown !== null) assertEquals(shown, session.text);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** The session in README, null while it has none. */
function readmeSession(): string | null {
  const readme = Deno.readTextFileSync(`${ROOT}README.md`);
  return /<!-- session: [^\n]*-->\n+```console\n([^]*?)```\n/.exec(readme)?.[1] ?? null;
}

async function walkThrough(t: Deno.TestContext, s: Session): Promise<void> {
  const [masterPort, slavePort, thirdPort] = s.ports;
  const masterArgs = ["--dbfilename", "master.rdb", "--port", `${masterPort}`];
  const slaveArgs = ["--dbfilename", "slave.rdb", "--port", `${slavePort}`];
  const servers: Program[] = [];
  const step = async (name: string, run: () => Promise<void>) => {
    const isFine = await t.step(name, run);
    if (!isFine) {
      const logs = servers.map((server, i) => `--- server ${i}\n${server.output.slice(-4_000)}`);
      throw new Error(`"${name}" failed\n${s.text}\n${logs.join("\n")}`);
    }
  };

  await step("two servers, both empty", async () => {
    servers[0] = await s.server(0, ...masterArgs);
    servers[1] = await s.server(1, ...slaveArgs);
    assertEquals(await s.cli(0, "DBSIZE"), "(integer) 0");
    assertEquals(await s.cli(1, "DBSIZE"), "(integer) 0");
  });

  await step("SLAVEOF: the slave has what the master is given, and takes no writes", async () => {
    // Without a delay for further slaves to join, which would be five seconds.
    for (const i of [0, 1]) {
      assertEquals(await s.cli(i, "CONFIG", "SET", "repl-diskless-sync-delay", "0"), "OK");
    }
    assertEquals(await s.cli(1, "SLAVEOF", "localhost", `${masterPort}`), "OK");
    await s.linked(1);
    const hmset = ["HMSET", "Book:1", "name", "Infinite Jest", "author", "David Foster Wallace"];
    assertEquals(await s.cli(0, ...hmset), "OK");
    await eventually(async () => await s.ask(1, "DBSIZE") === "1");
    assertEquals(await s.cli(1, "KEYS", "*"), '1) "Book:1"');
    assertEquals(await s.cli(1, "HGETALL", "Book:1"), BOOK);
    assertEquals(
      await s.cli(1, "HSET", "Book:1", "name", "The Pale King"),
      "(error) READONLY You can't write against a read only replica.",
    );
  });

  await step("a third server, from a redis.conf with slaveof, follows the slave", async () => {
    const config = `port ${thirdPort}\ndbfilename third.rdb\nslaveof localhost ${slavePort}\n`;
    await Deno.writeTextFile(join(s.folder, "redis.conf"), config);
    s.show(`$ cat redis.conf\n${config}`);
    servers[2] = await s.server(2, "redis.conf");
    await s.linked(2);
    assertEquals(await s.cli(2, "HGETALL", "Book:1"), BOOK);
  });

  await step("redis-py: two channels, the confirmations first", async () => {
    const python = await s.python();
    await python("import redis");
    await python(`p = redis.Redis(port=${masterPort}).pubsub()`);
    await python('p.subscribe("news", "chat_room")');
    const told = (type: string, channel: string, data: string) =>
      `{'type': '${type}', 'pattern': None, 'channel': b'${channel}', 'data': ${data}}`;
    const message = "p.get_message(timeout=5)";
    assertEquals(await python(message), told("subscribe", "news", "1"));
    assertEquals(await python(message), told("subscribe", "chat_room", "2"));
    assertEquals(await s.cli(0, "PUBLISH", "news", "a new book"), "(integer) 1");
    assertEquals(await s.cli(0, "PUBLISH", "chat_room", "hello"), "(integer) 1");
    assertEquals(await python(message), told("message", "news", "b'a new book'"));
    assertEquals(await python(message), told("message", "chat_room", "b'hello'"));
    await python("p.close()");
  });

  await step("telnet: SUBSCRIBE, PSUBSCRIBE, PUNSUBSCRIBE, typed inline", async () => {
    const telnet = await s.telnet(0);
    await eventually(async () =>
      await s.ask(0, "PUBSUB", "NUMSUB", "chat_room") === "chat_room\n0"
    );
    await telnet.type("SUBSCRIBE chat_room");
    await telnet.receives("*3", "$9", "subscribe", "$9", "chat_room", ":1");
    assertEquals(await s.cli(0, "PUBLISH", "chat_room", "hello"), "(integer) 1");
    await telnet.receives("*3", "$7", "message", "$9", "chat_room", "$5", "hello");
    await telnet.type("PSUBSCRIBE chat_*");
    await telnet.receives("*3", "$10", "psubscribe", "$6", "chat_*", ":2");
    assertEquals(await s.cli(0, "PUBLISH", "chat_room", "again"), "(integer) 2");
    await telnet.receives("*3", "$7", "message", "$9", "chat_room", "$5", "again");
    await telnet.receives("*4", "$8", "pmessage", "$6", "chat_*", "$9", "chat_room", "$5", "again");
    await telnet.type("PUNSUBSCRIBE chat_*");
    await telnet.receives("*3", "$12", "punsubscribe", "$6", "chat_*", ":1");
    telnet.wire.close();
  });

  await step(
    "what is published on the master reaches a subscriber of the slave's slave",
    async () => {
      const telnet = await s.telnet(2);
      await telnet.type("SUBSCRIBE chat_room");
      await telnet.receives("*3", "$9", "subscribe", "$9", "chat_room", ":1");
      await s.cli(0, "PUBLISH", "chat_room", "down the chain");
      await telnet.receives("*3", "$7", "message", "$9", "chat_room", "$14", "down the chain");
      telnet.wire.close();
    },
  );

  await step("a cut link: the slave goes on where it was", async () => {
    assertEquals(await s.cli(0, "CLIENT", "KILL", "TYPE", "slave"), "(integer) 1");
    assertEquals(await s.cli(0, "HSET", "Book:1", "year", "1996"), "(integer) 1");
    await eventually(async () => (await s.ask(0, "INFO", "stats")).includes("sync_partial_ok:1"));
    await s.linked(1);
    assertMatch(await s.info(0, "stats", "sync_"), /^sync_full:1\nsync_partial_ok:1\n/);
    await s.inStep();
    assertEquals(await s.cli(2, "HGET", "Book:1", "year"), '"1996"');
  });

  await step("an overrun backlog: the slave is sent everything anew, without a file", async () => {
    const errors = async () =>
      Number(/sync_partial_err:(\d+)/.exec(await s.ask(0, "INFO", "stats"))?.[1]);
    const before = await errors();
    assertEquals(
      await s.cli(0, "CONFIG", "SET", "repl-backlog-size", "16kb", "repl-diskless-sync", "yes"),
      "OK",
    );
    s.show("$ printf 'All work and no play. %.0s' {1..1000} > page.txt\n");
    await Deno.writeTextFile(join(s.folder, "page.txt"), "All work and no play. ".repeat(1_000));
    s.show("$ kill -STOP %2\n");
    servers[1].signal("SIGSTOP");
    try {
      assertEquals(await s.cli(0, "CLIENT", "KILL", "TYPE", "slave"), "(integer) 1");
      for (const page of ["Page:1", "Page:2"]) {
        assertEquals(await s.cliFrom(0, "page.txt", "SET", page), "OK");
      }
    } finally {
      s.show("$ kill -CONT %2\n");
      servers[1].signal("SIGCONT");
    }
    await eventually(async () => await errors() === before + 1, { timeoutMs: 20_000 });
    await s.linked(1);
    await s.linked(2);
    assertMatch(await s.info(0, "stats", "sync_"), /^sync_full:2\nsync_partial_ok:1\n/);
    await s.inStep();
    assertEquals(await s.cli(2, "STRLEN", "Page:2"), "(integer) 22000");
    assertMatch(servers[1].output, /receiving streamed RDB from master/);
  });

  await step(
    "all are stopped and started again: they have their data, and are in step",
    async () => {
      for (const i of [2, 1, 0]) await s.shutDown(i, servers[i]);
      servers[0] = await s.server(0, ...masterArgs);
      servers[1] = await s.server(1, ...slaveArgs, "--slaveof", "localhost", `${masterPort}`);
      servers[2] = await s.server(2, "redis.conf");
      await s.linked(1);
      await s.linked(2);
      for (const i of [0, 1, 2]) assertEquals(await s.cli(i, "DBSIZE"), "(integer) 3");
      assertMatch(await s.info(0, "stats", "sync_"), /^sync_full:0\nsync_partial_ok:1\n/);
      assertEquals(await s.cli(0, "HDEL", "Book:1", "year"), "(integer) 1");
      await s.inStep();
      assertEquals(await s.cli(2, "HGETALL", "Book:1"), BOOK);
      for (const i of [2, 1, 0]) await s.shutDown(i, servers[i]);
    },
  );
}
