/**
 * kill -9, SIGTERM and SHUTDOWN under load of servers with an append-only file, at each step of its rewrites, while
 * it is turned off and on, and while it is loaded: the next start has the dataset of an instant, and of what was
 * acknowledged it lacks no more than `appendfsync` says.
 */

import { assertEquals } from "@std/assert";
import { Manifest } from "../../src/aof/manifest.ts";
import { eventually } from "../support/eventually.ts";
import { ask, assertNoFaults, infoOf } from "../support/replication_peers.ts";
import type { Random } from "../support/random.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { KnownHistory } from "./known_history.ts";
import { type Field, type Figures, pause, type Trial } from "./trial.ts";

const WRITERS = 4;
/** How long a round waits for a step of a rewrite before it ends all the same. */
const STEP_WITHIN_MS = 8_000;
/** What `everysec` may lose, in ms: also `no` where a rewrite has begun, until the file of before is on the disk. */
const EVERYSEC_MS = 2_000;
/** So long after its beginning that may still be so. */
const HELD_WITHIN_MS = 3_000;
/** A rewrite that is killed may leave the files that it was about to name. */
const UNNAMED_MAX = 2;

/** Lines of the log that tell how far a rewrite has come. */
const STEPS = [
  "Background append only file rewriting started",
  "on background rewrite", // "Creating AOF incr file"
  "Background AOF rewrite terminated with success",
  "Successfully renamed the temporary AOF base file",
  "Background AOF rewrite finished successfully",
  "Removing the history file",
] as const;

/** How a server ends. */
const ENDS = [
  "kill",
  "kill",
  "kill at a step",
  "kill at a step",
  "kill at a step",
  "kill while turned off and on",
  "SIGTERM",
  "SIGTERM at a step",
  "SIGTERM, then kill",
  "SHUTDOWN",
  "SHUTDOWN NOSAVE at a step",
] as const;
type End = typeof ENDS[number];

const LOSSES: Record<string, string> = {
  always: "no acknowledged write is lost",
  everysec: "at most two seconds of acknowledged writes are lost",
  no: "nothing is lost that was given to the system",
};

export const killedWithAof: readonly Trial[] = ["always", "everysec", "no"].map((appendfsync) => ({
  name: `kill-aof-${appendfsync}`,
  title:
    `kill -9, SIGTERM, SHUTDOWN while four clients write, appendfsync ${appendfsync}, rewrites ` +
    `under way: ${LOSSES[appendfsync]}, and every file loads`,
  unit: "rounds" as const,
  sizeOf: "keys",
  short: { amount: appendfsync === "no" ? 4 : 7, size: 3_000 },
  long: { amount: 200, size: 20_000 },
  msPerUnit: 2_500,
  run: (field: Field) => new Rounds(field, appendfsync).run(),
}));

class Rounds {
  readonly #history: KnownHistory;
  readonly #args: string[];
  readonly #counts = { midRewrite: 0, midLoad: 0, written: 0, lost: 0, lostWhileOff: 0 };
  readonly #ends = new Map<End, number>();
  #dir = "";

  constructor(readonly field: Field, readonly appendfsync: string) {
    this.#history = new KnownHistory(field.seed);
    this.#args = [
      ...["--appendonly", "yes", "--appendfsync", appendfsync],
      ...["--auto-aof-rewrite-min-size", "300kb", "--auto-aof-rewrite-percentage", "60"],
    ];
  }

  async run(): Promise<Figures> {
    const { field } = this;
    this.#dir = await field.folder();
    let server = await field.start(this.#args, this.#dir);
    {
      using client = await server.connect();
      await this.#history.fill(client, field.extent.size);
      if (this.appendfsync === "everysec") await client.call("WAITAOF", "1", "0", "0");
    }
    for (let number = 0; number < field.extent.amount; number++) {
      const random = field.random(number);
      const end = number < ENDS.length ? ENDS[(number * 5) % ENDS.length] : random.pick(ENDS);
      this.#ends.set(end, (this.#ends.get(end) ?? 0) + 1);
      server = await field.round(number, end, () => this.#round(server, end, random));
    }
    const { midRewrite, midLoad, written, lost, lostWhileOff } = this.#counts;
    return {
      rounds: field.extent.amount,
      "ended amid a rewrite": midRewrite,
      "killed amid loading": midLoad,
      "transactions answered": written,
      "answered and lost": lost,
      "answered while it was off, and not kept": lostWhileOff,
    };
  }

  async #round(server: ServerProcess, end: End, random: Random): Promise<ServerProcess> {
    const history = this.#history;
    const counts = this.#counts;
    const floor = await this.#writeUntilEnd(server, end, random);
    assertNoFaults(server);
    if (this.#names("temp-").length > 0) counts.midRewrite++;
    if (random.chance(0.2)) counts.midLoad += await this.#killWhileLoading(random);
    const answered = history.answeredUntil(Infinity);
    const again = await this.field.start(this.#args, this.#dir);
    using client = await again.connect();
    const kept = await history.demand(client, floor);
    const lost = Math.max(0, answered - kept);
    if (end === "kill while turned off and on") counts.lostWhileOff += lost;
    else counts.lost += lost;
    await this.#demandClean();
    assertNoFaults(again);
    return again;
  }

  /** Has clients write, and ends the server; answers how many transactions the next one has to have. */
  async #writeUntilEnd(server: ServerProcess, end: End, random: Random): Promise<number> {
    const history = this.#history;
    let isStopping = false;
    const writers = Array.from(
      { length: WRITERS },
      (_, i) => history.write(server.port, `w${i}`, () => isStopping),
    );
    if (end.endsWith("at a step")) await this.#untilStep(server, random);
    else {
      await pause(random.between(50, 900));
      if (random.chance(0.5)) await ask(server, "BGREWRITEAOF").catch(() => {});
      await pause(random.between(0, 150));
    }
    const promised = await this.#end(server, end, random);
    isStopping = true;
    for (const count of await Promise.all(writers)) this.#counts.written += count;
    return history.answeredUntil(promised);
  }

  /** Ends a server; answers until when what was answered has to be there, as `Date.now()` has it. */
  async #end(server: ServerProcess, end: End, random: Random): Promise<number> {
    const isKill = end.startsWith("kill");
    let promised = Infinity;
    if (end === "kill while turned off and on") promised = await this.#turnOffAndOn(server, random);
    const startedMs = Date.now();
    if (isKill) await server.stop("SIGKILL");
    else if (end.startsWith("SIGTERM")) server.child.kill("SIGTERM");
    else {
      using client = await server.connect();
      await client.send(end.startsWith("SHUTDOWN NOSAVE") ? "SHUTDOWN NOSAVE\r\n" : "SHUTDOWN\r\n");
      assertEquals((await server.ended()).code, 0, server.log);
    }
    if (end === "SIGTERM, then kill") {
      await pause(random.between(0, 60));
      await server.stop("SIGKILL");
    } else if (!isKill) assertEquals((await server.ended()).code, 0, server.log);
    const isSudden = isKill || end === "SIGTERM, then kill";
    const mayLack = this.appendfsync === "everysec" ||
      (this.appendfsync === "no" && lastRewriteMs(server) >= startedMs - HELD_WITHIN_MS);
    return isSudden && mayLack ? Math.min(promised, startedMs - EVERYSEC_MS) : promised;
  }

  /** Waits until a rewrite has come to a step that is drawn. */
  async #untilStep(server: ServerProcess, random: Random): Promise<void> {
    const step = random.pick(STEPS);
    await pause(random.between(0, 300));
    const from = server.log.length;
    // One may have begun by itself.
    await ask(server, "BGREWRITEAOF").catch(() => {});
    const patience = AbortSignal.timeout(STEP_WITHIN_MS);
    while (!server.log.slice(from).includes(step) && !patience.aborted) await pause(0);
    if (random.chance(0.5)) await pause(random.between(0, 12));
  }

  /**
   * CONFIG SET appendonly no, and yes again: until the first base is there what is answered meanwhile is in no
   * file. Answers until when what was answered has to be there.
   */
  async #turnOffAndOn(server: ServerProcess, random: Random): Promise<number> {
    const offMs = Date.now();
    await ask(server, "CONFIG", "SET", "appendonly", "no");
    await pause(random.between(0, 100));
    await ask(server, "CONFIG", "SET", "appendonly", "yes");
    if (random.chance(0.5)) {
      await pause(random.between(0, 150));
      return offMs;
    }
    await eventually(async () => {
      const info = await infoOf(server, "persistence");
      return info.aof_rewrite_in_progress === "0" && info.aof_rewrite_scheduled === "0";
    });
    return Infinity;
  }

  /** Kills a server while it loads its file; 1 when it was killed before it had. */
  async #killWhileLoading(random: Random): Promise<number> {
    const server = await this.field.spawn(this.#args, this.#dir);
    await pause(random.between(20, 250));
    await server.stop("SIGKILL");
    return server.log.includes("DB loaded from append only file") ? 0 : 1;
  }

  /** What nobody needs goes away. */
  async #demandClean(): Promise<void> {
    await eventually(() => this.#names("temp-").length === 0, {
      what: `temporary files to be cleared: ${this.#names("temp-")}`,
    });
    const folder = `${this.#dir}/appendonlydir`;
    // A rewrite may be under way: what is named at one moment is history and gone at the next.
    const manifest = () => Manifest.parse(Deno.readFileSync(`${folder}/appendonly.aof.manifest`));
    const loadable = () => manifest().loadable.map(({ name }) => name);
    const named = () => [...loadable(), ...manifest().history.map(({ name }) => name)];
    await eventually(() => {
      const names = named();
      const unnamed = this.#names("appendonly.aof.").filter((name) =>
        !names.includes(name) && !name.endsWith(".manifest")
      );
      const isWhole = loadable().every((name) => this.#names(name).length > 0);
      return isWhole && unnamed.length <= UNNAMED_MAX;
    }, { what: `${folder} to have nothing that nobody needs: ${this.#names("")}` });
  }

  /** Names in the folder, and in that of the append-only file, which begin so. */
  #names(start: string): string[] {
    return [this.#dir, `${this.#dir}/appendonlydir`]
      .flatMap((folder) => [...Deno.readDirSync(folder)].map(({ name }) => name))
      .filter((name) => name.startsWith(start));
  }
}

/** When the latest rewrite has begun, Unix ms, by the log; -Infinity for never. */
function lastRewriteMs({ log }: ServerProcess): number {
  const line = log.split("\n").findLast((each) => each.includes("on background rewrite"));
  const time = /\d+ \w+ \d{4} [\d:.]+/.exec(line ?? "")?.[0];
  return time === undefined ? -Infinity : Date.parse(time);
}
