/**
 * kill -9 under load: whatever a server was doing (a background save, SAVE, the save at its end, loading), the
 * next start has the dataset of an instant at which a save that had completed began, and clears what was left.
 */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { assertNoFaults } from "../support/replication_peers.ts";
import type { Random } from "../support/random.ts";
import { connect, type RespClient, textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { KnownHistory } from "./known_history.ts";
import { type Field, type Figures, pause, type Trial } from "./trial.ts";

const WRITERS = 4;
/** How long a round waits for a save that is to be over before the kill. */
const SAVES_WITHIN_MS = 8_000;
/** How the dataset is saved while it is written to. */
const WAYS = ["BGSAVE", "BGSAVE", "save points", "SAVE", "SIGTERM"] as const;
type Way = typeof WAYS[number];

export const killedUnderLoad: Trial = {
  name: "kill-under-load",
  title: "kill -9 while four clients write and the dataset is saved (BGSAVE, save points, SAVE, " +
    "SIGTERM): the next start has exactly the dataset of a save that had completed",
  unit: "rounds",
  sizeOf: "keys",
  short: { amount: 3, size: 4_000 },
  long: { amount: 75, size: 50_000 },
  msPerUnit: 3_500,
  run,
};

async function run(field: Field): Promise<Figures> {
  const dir = await field.folder();
  const history = new KnownHistory(field.seed);
  const counts = { midSave: 0, midLoad: 0, written: 0, kept: 0 };
  let server = await field.start([], dir);
  {
    using client = await server.connect();
    await history.fill(client, field.extent.size);
    assertEquals(textOf(await client.call("SAVE")), "OK");
  }
  for (let number = 0; number < field.extent.amount; number++) {
    const random = field.random(number);
    const way = random.pick(WAYS);
    server = await field.round(number, way, async () => {
      const { floor, written } = await killWhileSaving(server, history, way, random);
      counts.written += written;
      if (temporaryFiles(dir).length > 0) counts.midSave++;
      if (random.chance(0.2)) counts.midLoad += await killWhileLoading(field, dir, random);
      const again = await field.start([], dir);
      using client = await again.connect();
      const before = history.length;
      counts.kept += await history.demand(client, floor) - before;
      await eventually(() => temporaryFiles(dir).length === 0, {
        what: `temporary files to be cleared: ${temporaryFiles(dir)}`,
      });
      assertNoFaults(again);
      return again;
    });
  }
  return {
    rounds: field.extent.amount,
    "killed amid a save": counts.midSave,
    "killed amid loading": counts.midLoad,
    "transactions answered": counts.written,
    "of a completed save": counts.kept,
  };
}

/** Has clients write and the server save, then kills it; `floor` is what had been saved for certain. */
async function killWhileSaving(
  server: ServerProcess,
  history: KnownHistory,
  way: Way,
  random: Random,
): Promise<{ floor: number; written: number }> {
  let isStopping = false;
  const writers = Array.from(
    { length: WRITERS },
    (_, i) => history.write(server.port, `w${i}`, () => isStopping),
  );
  const saves = new Saves(history);
  const saving = saves.run(server.port, way, () => isStopping);
  const savesFirst = random.below(3);
  const patience = AbortSignal.timeout(SAVES_WITHIN_MS);
  while (saves.completed < savesFirst && !patience.aborted) await pause(10);
  await pause(random.between(0, 600));
  if (way === "SIGTERM") {
    server.child.kill("SIGTERM");
    await pause(random.between(0, 250));
  }
  await server.stop("SIGKILL");
  isStopping = true;
  const counts = await Promise.all(writers);
  await saving;
  return { floor: saves.floor, written: counts.reduce((sum, count) => sum + count, 0) };
}

/** Kills a server while it loads its file; 1 when it was killed before it had. */
async function killWhileLoading(field: Field, dir: string, random: Random): Promise<number> {
  const server = await field.spawn([], dir);
  await pause(random.between(20, 250));
  await server.stop("SIGKILL");
  return server.log.includes("DB loaded from disk") ? 0 : 1;
}

/** Has a server save, and knows which part of the history has been saved for certain. */
class Saves {
  floor: number;
  /** How many saves have been seen to be over. */
  completed = 0;
  /** Length of the history at the last look before the next save began, by how many had begun. */
  readonly #lengths = new Map<number, number>();

  constructor(private readonly history: KnownHistory) {
    this.floor = history.length;
  }

  async run(port: number, way: Way, isStopping: () => boolean): Promise<void> {
    const connection = await connect(port).catch(() => null);
    if (connection === null) return;
    using client = connection;
    try {
      if (way === "save points") await client.call("CONFIG", "SET", "save", "1 1");
      while (!isStopping()) {
        await this.#look(client);
        if (way === "BGSAVE") await client.call("BGSAVE");
        if (way === "SAVE") {
          const before = await this.history.lengthOn(client);
          await client.call("SAVE");
          this.floor = before;
          this.completed++;
        }
        await pause(5);
      }
    } catch (error) {
      // The end of the server is the end of the connection.
      if (!/closed the connection|reset|Broken pipe/i.test((error as Error).message)) throw error;
    }
  }

  async #look(client: RespClient): Promise<void> {
    const length = await this.history.lengthOn(client);
    const info = textOf(await client.call("INFO", "persistence"));
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1]);
    assertEquals(/^rdb_last_bgsave_status:(\w+)/m.exec(info)?.[1], "ok");
    const begun = field("rdb_saves");
    this.completed = begun - field("rdb_bgsave_in_progress");
    this.floor = Math.max(this.floor, this.#lengths.get(this.completed - 1) ?? 0);
    this.#lengths.set(begun, length);
  }
}

function temporaryFiles(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name)
    .filter((name) => name.startsWith("temp-"));
}
