/**
 * What a trial of survival is, and what it runs on. A trial does something hard to real server processes, for
 * so many rounds or seconds, and throws when something was lost. `survive.ts` runs the long forms, and
 * `survival_test.ts` the short ones.
 *
 * What is done is drawn from a seed. When exactly it happens is up to the machine, so that the same seed makes
 * a fault likely to come again, and no more.
 */

import { PEER_ARGS } from "../support/replication_peers.ts";
import { Random } from "../support/random.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { spawnTsredis, startTsredis, type TsredisOptions } from "../support/tsredis_process.ts";

/** How much is done. */
export interface Extent {
  /** Rounds or seconds, as the trial's `unit` says. */
  amount: number;
  /** How large: keys, replicas or clients, as the trial's `sizeOf` says. */
  size: number;
}

/** What a trial has to tell at its end, in the order in which it is shown. */
export type Figures = Record<string, string | number>;

export interface Trial {
  /** What `--only` calls it. */
  name: string;
  /** What is done and what must hold, in a line or two. */
  title: string;
  unit: "rounds" | "seconds";
  /** What `Extent.size` counts. */
  sizeOf: string;
  /** A second or so, for the test task. */
  short: Extent;
  /** The whole of it. */
  long: Extent;
  /** About how long one unit of the long form takes on two cores, beside a fixed start, in milliseconds. */
  msPerUnit: number;
  /** What it needs that not every machine has: whether that is here, and how names of tests end that need it. */
  readonly needs?: { isHere: boolean; suffix: string };
  /** Throws when something that must hold does not. */
  run(field: Field): Promise<Figures>;
}

/** What a server is started in, where that is not the usual. */
export type Surroundings = Pick<TsredisOptions, "env" | "inside" | "hostname" | "port">;

/** Where a trial takes place: its seed and extent, and the way to start servers. */
export class Field implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  constructor(
    readonly seed: number,
    readonly extent: Extent,
    /** The executable to start; without it what the tests start. */
    private readonly executable?: string,
    /** Is told of each server that is started, and of how far the trial is. */
    private readonly watch: { onStart?(server: ServerProcess): void; say?(text: string): void } =
      {},
  ) {}

  /** Chance for a part of the trial, such as a round: the same for the same seed and number. */
  random(part: number): Random {
    return new Random(Math.imul(this.seed + 1, 0x9e3779b1) ^ Math.imul(part + 1, 0x85ebca6b));
  }

  /** A temporary folder that goes away with the field. */
  async folder(): Promise<string> {
    const dir = await Deno.makeTempDir({ prefix: "tsredis-survival-" });
    this.#stack.defer(() => Deno.remove(dir, { recursive: true }));
    return dir;
  }

  /** Starts a server that saves nothing by itself and waits for PONG; it ends with the field at the latest. */
  async start(args: string[] = [], dir?: string, how: Surroundings = {}): Promise<ServerProcess> {
    return this.use(
      await startTsredis({
        args: [...PEER_ARGS, ...args],
        dir: dir ?? await this.folder(),
        executable: this.executable,
        ...how,
      }),
    );
  }

  /** Starts a server and does not wait. */
  async spawn(args: string[], dir: string): Promise<ServerProcess> {
    const all = [...PEER_ARGS, ...args];
    return this.use(await spawnTsredis({ args: all, dir, executable: this.executable }));
  }

  /** Has something end with the field: what came last ends first. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    if ("child" in resource) this.watch.onStart?.(resource as unknown as ServerProcess);
    return this.#stack.use(resource as AsyncDisposable) as unknown as T;
  }

  /** Tells how far it is. */
  say(text: string): void {
    this.watch.say?.(text);
  }

  /** Runs one round; what it throws gets the round's number. */
  async round<T>(number: number, what: string, run: () => Promise<T>): Promise<T> {
    this.say(`round ${number + 1} of ${this.extent.amount}: ${what}`);
    try {
      return await run();
    } catch (cause) {
      throw new Error(`round ${number + 1} (${what}): ${(cause as Error).message}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Runs a trial; an error says with which seed. */
export async function runTrial(
  trial: Trial,
  ...[seed, extent, executable, watch]: ConstructorParameters<typeof Field>
): Promise<Figures> {
  await using field = new Field(seed, extent, executable, watch);
  try {
    return await trial.run(field);
  } catch (cause) {
    const again = `deno task survive --only ${trial.name} --seed ${seed} ` +
      `--${trial.unit} ${extent.amount}`;
    throw new Error(`${trial.name}, seed ${seed}: ${(cause as Error).message}\n(${again})`, {
      cause,
    });
  }
}

/** Resident memory of a server, in MB. Linux only, as /proc is. */
export function residentMb(server: ServerProcess): number {
  const status = printed("cat", `/proc/${server.child.pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN) / 1024;
}

/** How many files and sockets a server has open. */
export function openFiles(server: ServerProcess): number {
  return printed("ls", `/proc/${server.child.pid}/fd`).trim().split("\n").length;
}

/** How many files and sockets this process may have open. */
export function openFilesMax(): number {
  const text = printed("sh", "-c", "ulimit -n").trim();
  return text === "unlimited" ? Infinity : Number(text);
}

/** What a program prints: Deno lets only those who may do everything read /proc themselves. */
function printed(program: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
