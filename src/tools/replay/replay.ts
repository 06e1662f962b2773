/**
 * `tsredis replay`: sends the commands of an append-only file to a running server. It is made for what a demoted master
 * has saved (replication/diverged_tail.ts): writes that no other server has, which a person looks at and then brings to
 * the server that took its place.
 *
 *     file ──CommandReader──▶ batch ──▶ server ──▶ answers: errors are told, with the command
 */

import { CommandReader, READ_COMMAND, READ_END, READ_TRUNCATED } from "../../aof/command_reader.ts";
import { quoted } from "../../base/printable.ts";
import { request } from "../../replication/handshake.ts";
import type { Words } from "../../resp/words.ts";
import { beginningOf } from "../data_files.ts";
import { serverAddressOf } from "../dataset/server_address.ts";
import { Progress } from "../progress.ts";
import {
  EXIT_FOUND,
  EXIT_WELL,
  type Tool,
  type ToolCall,
  ToolFailure,
  type ToolHost,
  UsageError,
} from "../tool.ts";
import { Target } from "./target.ts";

export const replayTool: Tool = {
  name: "replay",
  operands: "FILE [host:port]",
  operandsMin: 1,
  operandsMax: 2,
  summary: "sends the commands of an append-only file to a server",
  options: [
    { name: "dry-run", help: "print the commands; nothing is sent" },
    { name: "force", help: "send them to a server that has them, or is a replica" },
  ],
  description: `
FILE is an append-only file of commands: what a demoted master has saved
before it dropped it (diverged-*.aof), or another one without a snapshot at
its beginning. The server is host:port, or
redis://[user[:password]@]host[:port]; the password may be in REDISCLI_AUTH,
as for redis-cli.

The commands are sent in their order, each in its database, transactions as
such. One that fails is told, and the others are sent all the same. A command
that counts or appends does so again when it is sent twice: look at the file
with --dry-run, and at what the server has by now, before you send it.

A server that is a replica, or is of the history that the file is from (it has
these writes), is refused.
`,
  exitCodes: [[EXIT_WELL, "all commands were carried out, or printed"], [
    EXIT_FOUND,
    "commands have failed, or the file is damaged",
  ]],
  run: replay,
};

async function replay(call: ToolCall): Promise<number> {
  const { host, operands: [path, server] } = call;
  const isDry = call.has("dry-run");
  if (beginningOf(host.runtime.files, path) === "snapshot") {
    throw new ToolFailure(`${path} begins with a snapshot: only commands can be sent.`);
  }
  if (server === undefined && !isDry) throw new UsageError("host:port is missing.");
  const address = server === undefined
    ? null
    : serverAddressOf(server, host.runtime.process.environment("REDISCLI_AUTH"));
  if (server !== undefined && address === null) {
    throw new UsageError(`${server} is no server: host:port, or redis://…`);
  }
  using file = host.runtime.files.open(path, "read");
  const source = new CommandSource(host, path, file);
  if (isDry) return await printAll(host, source);
  const target = new Target(host, address!);
  return await target.with(() => new Sender(host, source, target).run(call.has("force")));
}

/** The commands of a file, and what its comments say. */
class CommandSource {
  readonly totalBytes: number;
  /** The history that the file names, if it does. */
  history = "";
  readonly #reader: CommandReader;
  readonly #host: ToolHost;
  readonly #path: string;

  constructor(
    host: ToolHost,
    path: string,
    file: ReturnType<ToolHost["runtime"]["files"]["open"]>,
  ) {
    this.#host = host;
    this.#path = path;
    this.totalBytes = file.sizeBytes();
    this.#reader = new CommandReader(file, 0, (line) => this.#hear(line));
  }

  #hear(line: string): void {
    this.history = /^# history ([0-9a-f]{40})$/.exec(line)?.[1] ?? this.history;
    if (/^# (missing|the first)/.test(line)) this.#host.remark(`${this.#path}: ${line.slice(2)}\n`);
  }

  get words(): Words {
    return this.#reader.words;
  }

  get offset(): number {
    return this.#reader.offset;
  }

  /** The next command; false at the end, and where the file is damaged. */
  next(): boolean {
    const outcome = this.#reader.next();
    if (outcome === READ_COMMAND) return true;
    this.isDamaged = outcome !== READ_END;
    if (this.isDamaged) {
      const how = outcome === READ_TRUNCATED ? "ends within a command" : "is no command";
      this.#host.remark(`${this.#path}: what begins at byte ${this.offset} ${how}.\n`);
    }
    return false;
  }

  /** Whether `next` has come upon something that is no command. */
  isDamaged = false;
}

const SHOWN_WORDS = 100;
const SHOWN_BYTES = 1000;

/** A command for people: words in quotes where that is needed. */
function shown(words: Words): string {
  const parts: string[] = [];
  for (let i = 0; i < Math.min(words.count, SHOWN_WORDS); i++) {
    const text = words.text(i);
    const part = text.length > SHOWN_BYTES ? text.slice(0, SHOWN_BYTES) : text;
    const isPlain = /^[\x21\x23-\x26\x28-\x7e]+$/.test(part);
    const more = text.length > SHOWN_BYTES ? `… (${text.length} bytes)` : "";
    parts.push((isPlain ? part : quoted(part)) + more);
  }
  if (words.count > SHOWN_WORDS) parts.push(`… (${words.count} words)`);
  return parts.join(" ");
}

async function printAll(host: ToolHost, source: CommandSource): Promise<number> {
  const progress = new Progress(host, "Reading", source.totalBytes);
  let commands = 0;
  try {
    while (source.next()) {
      if (!isBracket(source.words)) commands++;
      host.print(`${shown(source.words)}\n`);
      if (progress.isDue()) await progress.show(source.offset, 0);
    }
  } finally {
    progress.end();
  }
  host.remark(`${commands} commands; nothing was sent.\n`);
  return source.isDamaged ? EXIT_FOUND : EXIT_WELL;
}

/** Whether a command only says where or how others are carried out. */
function isBracket(words: Words): boolean {
  return words.is(0, "select") || words.is(0, "multi") || words.is(0, "exec");
}

/** Commands and bytes that are sent before their answers are waited for. */
const BATCH_COMMANDS = 1000;
const BATCH_BYTES = 256 * 1024;
/** Failures that are told one by one. */
const TOLD_MAX = 100;
/** Errors that every further command would end with, too. */
const FATAL =
  /^(?:READONLY|NOAUTH|NOPERM|MISCONF|OOM|LOADING|MASTERDOWN|NOREPLICAS|ERR DB index is out of)/;

class Sender {
  readonly #host: ToolHost;
  readonly #source: CommandSource;
  readonly #target: Target;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  /** What each request of the batch is, and whether it counts. */
  #shown: string[] = [];
  #counted: boolean[] = [];
  #commands = 0;
  #failed = 0;
  #hasBegun = false;
  /** Offset in the file behind what has been answered. */
  #doneAt = 0;

  constructor(host: ToolHost, source: CommandSource, target: Target) {
    this.#host = host;
    this.#source = source;
    this.#target = target;
  }

  async run(isForced: boolean): Promise<number> {
    const source = this.#source;
    const progress = new Progress(this.#host, "Sending", source.totalBytes);
    try {
      let isFirst = true;
      while (source.next()) {
        // What the file says of itself stands before its first command.
        if (isFirst && !isForced) await this.#checkTarget();
        isFirst = false;
        this.#add(source.words);
        const isFull = this.#batch.length >= BATCH_COMMANDS || this.#batchBytes >= BATCH_BYTES;
        if (isFull) await this.#flush();
        if (progress.isDue()) await progress.show(source.offset, 0);
      }
      await this.#flush();
    } finally {
      progress.end();
      if (this.#hasBegun) this.#summarize();
    }
    return this.#failed > 0 || source.isDamaged ? EXIT_FOUND : EXIT_WELL;
  }

  /** Refuses servers that have these writes, or would not take them. */
  async #checkTarget(): Promise<void> {
    const { text } = await this.#target.ask(request("INFO", "replication"));
    const field = (name: string) => new RegExp(`^${name}:(\\S+)`, "m").exec(text)?.[1] ?? "";
    if (field("role") === "slave") {
      throw new ToolFailure("the server is a replica: send it to its master (or use --force).");
    }
    const { history } = this.#source;
    if (history !== "" && field("master_replid") === history) {
      throw new ToolFailure(
        "the server is of the history that the file is from, and has these writes (--force sends them).",
      );
    }
  }

  #add(words: Words): void {
    const parts: Uint8Array[] = [];
    let head = `*${words.count}\r\n`;
    for (let i = 0; i < words.count; i++) {
      head += `$${words.lengths[i]}\r\n`;
      parts.push(text.encode(head), words.copy(i));
      head = "\r\n";
    }
    parts.push(text.encode(head));
    for (const part of parts) {
      this.#batch.push(part);
      this.#batchBytes += part.length;
    }
    this.#shown.push(shown(words).slice(0, SHOWN_BYTES));
    this.#counted.push(!isBracket(words));
  }

  async #flush(): Promise<void> {
    const joined = new Uint8Array(this.#batchBytes);
    let at = 0;
    for (const part of this.#batch) {
      joined.set(part, at);
      at += part.length;
    }
    const [shown, counted] = [this.#shown, this.#counted];
    this.#batch = [];
    this.#batchBytes = 0;
    this.#shown = [];
    this.#counted = [];
    this.#hasBegun = true;
    // Answers are read while the request is written: neither side may wait for the other.
    const sent = this.#target.send(joined);
    sent.catch(() => {});
    for (let i = 0; i < shown.length; i++) {
      const { errors } = await this.#target.answer();
      if (counted[i]) this.#commands++;
      for (const error of errors) this.#tell(shown[i], error);
    }
    await sent;
    this.#doneAt = this.#source.offset;
  }

  #tell(command: string, error: string): void {
    this.#failed++;
    if (this.#failed <= TOLD_MAX) this.#host.remark(`failed: ${command}: ${error}\n`);
    if (FATAL.test(error)) throw new ToolFailure(`the server takes no more: ${error}`);
  }

  #summarize(): void {
    const { totalBytes } = this.#source;
    const rest = this.#doneAt < totalBytes
      ? `; ${this.#doneAt} of ${totalBytes} bytes are done for certain`
      : "";
    this.#host.print(`${this.#commands} commands sent, ${this.#failed} failed${rest}.\n`);
  }
}

const text = new TextEncoder();
