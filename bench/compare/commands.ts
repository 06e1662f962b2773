/**
 * How long commands take that go through large data, each on its own: a million members, fields or keys, strings of
 * 100 MB. What is run on what is the matter of `large_data.ts`.
 *
 * Both servers hold the same data and are asked in turn. A run is timed from sending until the reply has arrived whole;
 * the first one is a cold one, as it mostly is for commands of this size.
 */

import { LARGE_GROUPS, type LargeCommand, type LargeGroup } from "./large_data.ts";
import type { Progress } from "./progress.ts";
import { commandRatio, type CommandResult, median } from "./results.ts";
import { type RunningServer, type ServerSpec, startServer } from "./servers.ts";

export interface CommandsOptions {
  rounds: number;
  /** A folder for data folders. */
  workDir: string;
}

/** DEBUG DIGEST and DEBUG RELOAD are among the commands. */
const OPTIONS = ["--enable-debug-command", "yes"];

/** About how long one run of a command takes on both servers, with its preparation. */
const RUN_MS = 900;

/** About how long each step takes, in milliseconds, for {@linkcode Progress}: filling, then the commands. */
export function expectedCommandsMs({ rounds }: Pick<CommandsOptions, "rounds">): number[] {
  return LARGE_GROUPS.flatMap(({ fillMs, commands }) => [
    fillMs,
    ...commands.map(() => RUN_MS * rounds),
  ]);
}

/** Names the columns of the lines that `measureCommands` reports. */
export const COMMANDS_HEAD = row("redis ms", "tsredis ms", "ratio", "command");

/** Times every command and reports each on standard error as it ends. */
export async function measureCommands(
  reference: ServerSpec,
  subject: ServerSpec,
  options: CommandsOptions,
  progress: Progress,
): Promise<CommandResult[]> {
  const results: CommandResult[] = [];
  for (const group of LARGE_GROUPS) {
    // Fresh servers for each group, which has its own data: what others left behind costs it nothing.
    const servers = [await start(reference, options), await start(subject, options)];
    try {
      results.push(...await measureGroup(servers, group, options.rounds, progress));
    } finally {
      for (const server of servers) await server.stop();
    }
  }
  return results;
}

function start({ label, command }: ServerSpec, { workDir }: CommandsOptions) {
  const dir = Deno.makeTempDirSync({ dir: workDir });
  return startServer({ label, command: [...command, ...OPTIONS] }, dir);
}

async function measureGroup(
  servers: RunningServer[],
  group: LargeGroup,
  rounds: number,
  progress: Progress,
): Promise<CommandResult[]> {
  progress.begin(`filling: ${group.title}`);
  for (const server of servers) await group.fill(server);
  progress.end(group.fillMs);
  const results: CommandResult[] = [];
  for (const command of group.commands) {
    progress.begin(command.title);
    const times: number[][] = [[], []];
    for (let round = 0; round < rounds; round++) {
      for (const [side, server] of servers.entries()) {
        times[side].push(await timedRun(server, command));
      }
    }
    const result = { title: command.title, referenceMs: times[0], subjectMs: times[1] };
    results.push(result);
    progress.end(RUN_MS * rounds, lineOf(result));
  }
  return results;
}

async function timedRun(server: RunningServer, command: LargeCommand): Promise<number> {
  const run = await command.prepare(server);
  const startedAt = performance.now();
  await run();
  return performance.now() - startedAt;
}

function lineOf(result: CommandResult): string {
  const { title, referenceMs, subjectMs } = result;
  const ratio = commandRatio(result).toFixed(2);
  return row(median(referenceMs).toFixed(1), median(subjectMs).toFixed(1), ratio, title);
}

function row(reference: string, subject: string, ratio: string, title: string): string {
  return `${reference.padStart(10)} ${subject.padStart(10)} ${ratio.padStart(6)}  ${title}`;
}
