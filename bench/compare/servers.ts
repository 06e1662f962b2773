/**
 * Starts, watches and stops the servers under comparison, and reads from /proc what they use.
 *
 * A server is any command that takes Redis's arguments: `--port`, `--dir` and `--save ""` are appended to
 * it. The process that is measured is the one INFO names (`process_id`), so that a wrapper such as
 * `deno task` or a shell is not mistaken for the server. Linux only, as /proc is.
 */

import { freePort } from "../../tests/support/free_port.ts";
import { Client, ErrorReply, within } from "./client.ts";

/** What to start and what to call it in tables. */
export interface ServerSpec {
  label: string;
  /** Program and arguments; relative programs are found from the working directory. */
  command: string[];
}

/** CPU time in /proc comes in ticks; the kernel fixes them at 100 per second for user space. */
const MICROS_PER_TICK = 10_000;

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 10_000;
const CALL_TIMEOUT_MS = 120_000;
const LOG_LINES_KEPT = 15;

const children = new Set<Deno.ChildProcess>();

/** Remembers a child process so that `killEverything` finds it, until it ends. */
export function track(child: Deno.ChildProcess): Deno.ChildProcess {
  children.add(child);
  child.status.finally(() => children.delete(child));
  return child;
}

/** Ends every process started so far, at once and without saving: for Ctrl-C and failures. */
export function killEverything(): void {
  for (const child of children) killTree(child.pid);
}

/** A started server that answered its first PING. */
export class RunningServer {
  readonly label: string;
  readonly port: number;
  /** A connection for set-up and questions; redis-benchmark opens its own. */
  readonly client: Client;
  /** Where redis-benchmark finds it. */
  benchmarkArgs: string[];
  /** From the start of the process until it answered with its data loaded. */
  readonly startMs: number;
  #child: Deno.ChildProcess;
  #log: string[];
  #pid: number;
  #failure: Promise<never>;
  #stopping = false;

  constructor(
    label: string,
    port: number,
    client: Client,
    startMs: number,
    pid: number,
    child: Deno.ChildProcess,
    log: string[],
  ) {
    this.label = label;
    this.port = port;
    this.benchmarkArgs = ["-p", String(port)];
    this.client = client;
    this.startMs = startMs;
    this.#pid = pid;
    this.#child = child;
    this.#log = log;
    this.#failure = new Promise((_, reject) => {
      child.status.then((status) => {
        if (!this.#stopping) {
          reject(new Error(`${label} ended by itself (${describe(status)})${tail(log)}`));
        }
      });
    });
    this.#failure.catch(() => {}); // reported by whoever waits in `guard`
  }

  /** Waits for `work`, failing with the server's last log lines when it dies or takes too long. */
  async guard<T>(what: string, work: Promise<T>, timeoutMs: number = CALL_TIMEOUT_MS): Promise<T> {
    try {
      return await Promise.race([within(timeoutMs, `${this.label}: ${what}`, work), this.#failure]);
    } catch (error) {
      // A closed connection is often the first sign of a crash: give the exit code time to arrive.
      await Promise.race([this.#failure, new Promise((resolve) => setTimeout(resolve, 200))]);
      if (error instanceof ErrorReply) throw new Error(`${this.label}: ${what}: ${error.message}`);
      throw error;
    }
  }

  /** One guarded call on the set-up connection. */
  call(...words: string[]): Promise<string | null> {
    return this.guard(words[0], this.client.call(...words));
  }

  /** Sends encoded commands and lets their replies go, guarded; see `Client.skip`. */
  exchange(what: string, bytes: Uint8Array, replies: number): Promise<void> {
    return this.guard(
      what,
      Promise.all([this.client.send(bytes), this.client.skip(replies)]).then(() => {}),
    );
  }

  /** The fields of an INFO section, guarded. */
  info(section: string): Promise<Map<string, string>> {
    return this.guard("INFO", this.client.info(section));
  }

  /** One guarded pipelined filling on the set-up connection. */
  fill(count: number, command: (i: number) => string): Promise<void> {
    return this.guard("filling", this.client.fill(count, command));
  }

  /** User and system time used so far, in microseconds, by all threads of the process. */
  cpuMicros(): number {
    const stat = Deno.readTextFileSync(`/proc/${this.#pid}/stat`);
    // The process name, in parentheses, may itself hold spaces: count fields from its end.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
  }

  /** The same finer than ticks, for short work; without the threads that have ended. */
  threadMicros(): number {
    let nanos = 0;
    for (const thread of Deno.readDirSync(`/proc/${this.#pid}/task`)) {
      try {
        const times = Deno.readTextFileSync(`/proc/${this.#pid}/task/${thread.name}/schedstat`);
        nanos += Number(times.split(" ")[0]);
      } catch {
        // Ended since the folder was read.
      }
    }
    return nanos / 1000;
  }

  /** Resident memory of the process in bytes. */
  residentBytes(): number {
    return this.#statusBytes("VmRSS");
  }

  /** The most resident memory since the start, or since `forgetPeak`, in bytes. */
  peakBytes(): number {
    return this.#statusBytes("VmHWM");
  }

  /** Lets `peakBytes` begin again from what is resident now. */
  forgetPeak(): void {
    Deno.writeTextFileSync(`/proc/${this.#pid}/clear_refs`, "5");
  }

  #statusBytes(field: string): number {
    const status = Deno.readTextFileSync(`/proc/${this.#pid}/status`);
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? NaN) * 1024;
  }

  /** Ends the server politely, then by force; resolves once its process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.client.close();
    // To the server alone: a wrapper around it ends by itself, and might pass the signal on twice.
    killQuietly(this.#pid, "SIGTERM");
    try {
      await within(STOP_TIMEOUT_MS, `${this.label}: SIGTERM`, this.#child.status);
    } catch {
      console.error(`${this.label} did not end on SIGTERM; killing it`);
      killTree(this.#child.pid);
      await this.#child.status;
    }
  }

  /** The last lines the server logged. */
  logTail(): string {
    return tail(this.#log);
  }
}

/**
 * Starts a server on a free port with `dir` as its data folder and waits until it has loaded. Before it is
 * started, `onPort` is told where it will listen.
 */
export async function startServer(
  spec: ServerSpec,
  dir: string,
  onPort: (port: number) => void = () => {},
): Promise<RunningServer> {
  const port = freePort();
  onPort(port);
  const [program, ...args] = spec.command;
  const startedAt = performance.now();
  let child: Deno.ChildProcess;
  try {
    child = track(
      new Deno.Command(program, {
        args: [...args, "--port", String(port), "--dir", dir, "--save", ""],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
  } catch (error) {
    throw new Error(`Cannot start ${spec.label}: ${(error as Error).message}`);
  }
  const log: string[] = [];
  keepLines(child.stdout, log);
  keepLines(child.stderr, log);

  let ended: Deno.CommandStatus | undefined;
  child.status.then((status) => ended = status);
  while (performance.now() - startedAt < START_TIMEOUT_MS) {
    if (ended) throw new Error(`${spec.label} did not start (${describe(ended)})${tail(log)}`);
    const client = await connectWhenLoaded(port);
    if (client) {
      const startMs = performance.now() - startedAt;
      const pid = Number((await client.info("server")).get("process_id") ?? child.pid);
      return new RunningServer(spec.label, port, client, startMs, pid, child, log);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  killTree(child.pid);
  throw new Error(`${spec.label} does not answer after ${START_TIMEOUT_MS / 1000} s${tail(log)}`);
}

/** A connection that has answered PING, or null while the server is not there yet or still loading. */
async function connectWhenLoaded(port: number): Promise<Client | null> {
  let client: Client;
  try {
    client = await Client.connect(port);
  } catch {
    return null;
  }
  try {
    await within(5_000, "PING", client.call("PING"));
    return client;
  } catch {
    client.close();
    return null;
  }
}

/** Kills a process and those it started: the server may be the child of a wrapper. */
function killTree(pid: number): void {
  let started: string[] = [];
  try {
    // Each thread lists the processes it started itself.
    for (const thread of Deno.readDirSync(`/proc/${pid}/task`)) {
      const list = Deno.readTextFileSync(`/proc/${pid}/task/${thread.name}/children`);
      started = started.concat(list.split(" ").filter((word) => word.trim() !== ""));
    }
  } catch {
    // Gone already, or a kernel without these lists: the process itself is all that can be reached.
  }
  killQuietly(pid, "SIGKILL");
  for (const child of started) killTree(Number(child));
}

function killQuietly(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

async function keepLines(stream: ReadableStream<Uint8Array>, log: string[]): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    log.push(...lines);
    if (log.length > LOG_LINES_KEPT) log.splice(0, log.length - LOG_LINES_KEPT);
  }
  if (rest !== "") log.push(rest);
}

function tail(log: string[]): string {
  return log.length === 0 ? "; it logged nothing" : `; its last lines:\n  ${log.join("\n  ")}`;
}

function describe(status: Deno.CommandStatus): string {
  return status.signal ? `signal ${status.signal}` : `exit code ${status.code}`;
}
