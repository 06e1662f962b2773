/** A server without sockets that keeps an append-only file in a folder of its own. */

import { runtime } from "../../src/runtime/here.ts";
import { type TestServer, testServer, type TestServerOptions } from "../support/test_server.ts";

export class AofServer implements Disposable {
  readonly server: TestServer;

  constructor(
    directives: TestServerOptions["directives"] = {},
    readonly folder = Deno.makeTempDirSync({ prefix: "tsredis-test-" }),
    readonly ownsFolder = true,
    options: TestServerOptions = {},
  ) {
    this.server = testServer({ folder, directives, keepsStream: false, ...options });
  }

  static async start(directives?: TestServerOptions["directives"]): Promise<AofServer> {
    const server = new AofServer(directives);
    await server.aof.start();
    return server;
  }

  /** Another server on the same folder, after it has loaded what is there. */
  async again(directives?: TestServerOptions["directives"]): Promise<AofServer> {
    const other = new AofServer(directives, this.folder, false);
    await other.aof.start();
    return other;
  }

  get aof() {
    return this.server.core.aof;
  }

  get log(): string {
    return this.server.logLines.join("");
  }

  /** Runs a request and ends the turn: answers what is replied, and whether that may leave. */
  turn(...words: (string | number)[]): [reply: unknown, mayLeave: boolean] {
    const reply = this.server.run(...words);
    return [reply, this.aof.endTurn() === Infinity];
  }

  run(...words: (string | number)[]): unknown {
    return this.turn(...words)[0];
  }

  /** Text of a file of the append-only file's folder. */
  file(name: string): string {
    const bytes = Deno.readFileSync(`${this.folder}/appendonlydir/${name}`);
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  }

  /** The path of a file of that folder. */
  pathOf(name: string): string {
    return `${this.folder}/appendonlydir/${name}`;
  }

  /** Cuts a file off. */
  truncate(name: string, sizeBytes: number): void {
    runtime.files.truncate(this.pathOf(name), sizeBytes);
  }

  /** Writes text behind what is in a file. */
  append(name: string, text: string): void {
    using file = runtime.files.open(this.pathOf(name), "append");
    const bytes = new TextEncoder().encode(text);
    file.write(bytes, 0, bytes.length);
  }

  /** Commands of a file, words joined by spaces. */
  commands(name = "appendonly.aof.1.incr.aof"): string[] {
    return decodeCommands(this.file(name)).map((words) => words.join(" "));
  }

  get manifest(): string {
    return this.file("appendonly.aof.manifest");
  }

  /** Names in the folder, sorted. */
  get names(): string[] {
    return [...Deno.readDirSync(`${this.folder}/appendonlydir`)].map(({ name }) => name).sort();
  }

  info(name: string): string | undefined {
    const text = String(this.server.run("INFO", "persistence"));
    return text.split("\r\n").find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1);
  }

  /** Leaves everything as it is, as a process does that is killed. */
  abandon(): void {
    this.aof.writer.discard();
    this.server.core.close();
  }

  [Symbol.dispose](): void {
    this.server.core.close();
    if (this.ownsFolder) Deno.removeSync(this.folder, { recursive: true });
  }
}

/** The commands in a file; annotations stand for themselves. */
function decodeCommands(text: string): string[][] {
  const commands: string[][] = [];
  let at = 0;
  const line = () => {
    const end = text.indexOf("\r\n", at);
    const found = text.slice(at, end);
    at = end + 2;
    return found;
  };
  while (at < text.length) {
    const head = line();
    if (head.startsWith("#")) commands.push([head]);
    else {
      commands.push(Array.from({ length: Number(head.slice(1)) }, () => {
        const length = Number(line().slice(1));
        at += length + 2;
        return text.slice(at - length - 2, at - 2);
      }));
    }
  }
  return commands;
}
