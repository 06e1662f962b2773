/** LATENCY: how long things took. Spikes are kept by src/observe/latency.ts, times of commands by dispatch. */

import type { Call } from "../../dispatch/call.ts";
import { usedCommands } from "./info_sections.ts";
import { drawGraph, type LatencyEvent } from "../../observe/latency.ts";
import { cumulativeCounts } from "../../observe/latency_counts.ts";
import { type Command, defineCommand } from "../../dispatch/command.ts";
import { findByFullName } from "../command_docs.ts";
import { writeHelp } from "../help.ts";

const TIPS = ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

/**
 * `LATENCY LATEST`: for each event its name, and of the latest sample Unix time and ms, and the
 * longest ms since the last reset.
 *
 * @see {@link https://redis.io/docs/latest/commands/latency-latest/}
 */
export const latencyLatest = defineCommand({
  name: "latency|latest",
  group: "server",
  since: "2.8.13",
  summary: "Shows the latest spike of every event",
  complexity: "O(N), N events",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: TIPS,
  run: runLatencyLatest,
});

function runLatencyLatest({ server, reply }: Call): void {
  const { events } = server.latency;
  reply.array(events.size);
  for (const [name, { max, samples }] of events) {
    const { time, ms } = samples[samples.length - 1];
    reply.array(4);
    reply.bulkText(name);
    reply.integer(time);
    reply.integer(ms);
    reply.integer(max);
  }
}

/**
 * `LATENCY HISTORY event`: Unix time and ms of the kept samples, oldest first.
 *
 * @see {@link https://redis.io/docs/latest/commands/latency-history/}
 */
export const latencyHistory = defineCommand({
  name: "latency|history",
  group: "server",
  since: "2.8.13",
  summary: "Shows the kept spikes of an event",
  complexity: "O(1)",
  arity: 3,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: TIPS,
  args: "event",
  run: runLatencyHistory,
});

function runLatencyHistory({ server, words, reply }: Call): void {
  const samples = server.latency.events.get(words.text(2))?.samples ?? [];
  reply.array(samples.length);
  for (const { time, ms } of samples) {
    reply.array(2);
    reply.integer(time);
    reply.integer(ms);
  }
}

/**
 * `LATENCY GRAPH event`: the kept samples as a drawing.
 *
 * @see {@link https://redis.io/docs/latest/commands/latency-graph/}
 */
export const latencyGraph = defineCommand({
  name: "latency|graph",
  group: "server",
  since: "2.8.13",
  summary: "Draws the kept spikes of an event",
  complexity: "O(1)",
  arity: 3,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: TIPS,
  args: "event",
  run: runLatencyGraph,
});

function runLatencyGraph({ server, words, reply }: Call): void {
  const name = words.text(2);
  const event = server.latency.events.get(name);
  if (event === undefined) {
    return reply.error(`ERR No samples available for event '${name}'`);
  }
  reply.verbatim(drawGraph(name, event, server.clock.now()));
}

/**
 * `LATENCY RESET [event …]`: forgets samples; answers how many events had some.
 *
 * @see {@link https://redis.io/docs/latest/commands/latency-reset/}
 */
export const latencyReset = defineCommand({
  name: "latency|reset",
  group: "server",
  since: "2.8.13",
  summary: "Forgets the spikes of some or all events",
  complexity: "O(N), N events",
  arity: -2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:agg_sum"],
  args: "[event...]",
  run: runLatencyReset,
});

function runLatencyReset({ server, words, reply }: Call): void {
  const { events } = server.latency;
  let forgotten = 0;
  if (words.count === 2) {
    forgotten = events.size;
    events.clear();
  } else for (let i = 2; i < words.count; i++) if (events.delete(words.text(i))) forgotten++;
  reply.integer(forgotten);
}

/**
 * `LATENCY DOCTOR`: what the spikes say, in words.
 *
 * @see {@link https://redis.io/docs/latest/commands/latency-doctor/}
 */
export const latencyDoctor = defineCommand({
  name: "latency|doctor",
  group: "server",
  since: "2.8.13",
  summary: "Says in words what the spikes show",
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: TIPS,
  run: runLatencyDoctor,
});

function runLatencyDoctor({ server, reply }: Call): void {
  const { events, thresholdMs } = server.latency;
  if (thresholdMs === 0) {
    return reply.verbatim(
      "Spikes are not being recorded. CONFIG SET latency-monitor-threshold <milliseconds> begins to " +
        "record what takes longer.\n",
    );
  }
  if (events.size === 0) {
    return reply.verbatim(`Nothing has taken ${thresholdMs} ms or longer.\n`);
  }
  let text = "";
  for (const [name, event] of events) text += describe(name, event, server.clock.now());
  reply.verbatim(text);
}

const ADVICE: Readonly<Record<string, string>> = {
  "command": "Look for slow commands with SLOWLOG GET: long ranges, KEYS, large sorts.",
  "fast-command": "Commands of constant time should not be slow: the machine may be overloaded.",
  "expire-cycle": "Many keys reach their time at the same moment: spread their expiries.",
};

function describe(name: string, { max, samples }: LatencyEvent, nowMs: number): string {
  let sum = 0;
  for (const { ms } of samples) sum += ms;
  const seconds = Math.max(0, Math.floor(nowMs / 1000) - samples[0].time);
  const advice = ADVICE[name];
  return `${name}: ${samples.length} spikes in the last ${seconds} seconds, on average ` +
    `${(sum / samples.length).toFixed(0)} ms, at most ${max} ms.` +
    (advice === undefined ? "\n" : ` ${advice}\n`);
}

/**
 * `LATENCY HISTOGRAM [command …]`: for each command that was called, the calls and how many of them
 * took less than so many µs. A container stands for its subcommands.
 *
 * @see {@link https://redis.io/docs/latest/commands/latency-histogram/}
 */
export const latencyHistogram = defineCommand({
  name: "latency|histogram",
  group: "server",
  since: "7.0.0",
  summary: "Shows how the times of commands are spread",
  complexity: "O(N), N commands",
  arity: -2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: TIPS,
  args: "[command...]",
  run: runLatencyHistogram,
});

function runLatencyHistogram({ server, words, reply }: Call): void {
  const wanted = new Set<Command>();
  if (words.count === 2) { for (const command of usedCommands(server)) wanted.add(command); }
  for (let i = 2; i < words.count; i++) {
    const command = findByFullName(server.dispatcher.byName, words.text(i));
    if (command === undefined) continue;
    wanted.add(command);
    for (const subcommand of command.subcommands?.values() ?? []) wanted.add(subcommand);
  }
  const found = [...wanted].filter(({ latencyCounts }) => latencyCounts !== null);
  reply.map(found.length);
  for (const { fullName, calls, latencyCounts } of found) {
    const counts = [...cumulativeCounts(latencyCounts!, calls)];
    reply.bulkText(fullName);
    reply.map(2);
    reply.bulkText("calls");
    reply.integer(calls);
    reply.bulkText("histogram_usec");
    reply.map(counts.length);
    for (const [usec, below] of counts) {
      reply.integer(usec);
      reply.integer(below);
    }
  }
}

/** `LATENCY HELP`. */
export const latencyHelp = defineCommand({
  name: "latency|help",
  group: "server",
  since: "2.8.13",
  summary: "Lists the subcommands of LATENCY",
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run: (call) =>
    writeHelp(call, [
      ["DOCTOR", "Say in words what the spikes show."],
      ["GRAPH <event>", "Draw the spikes of an event."],
      ["HISTORY <event>", "Show time and length of the spikes of an event."],
      ["LATEST", "Show the latest and the longest spike of every event."],
      ["RESET [<event> ...]", "Forget the spikes of these events, or of all."],
      [
        "HISTOGRAM [<command> ...]",
        "Show how many calls of these commands, or of all, took less than 1, 2, 4, ...",
        "microseconds.",
      ],
    ]),
});

/** The container of the above. */
export const latency = defineCommand({
  name: "latency",
  group: "server",
  since: "2.8.13",
  summary: "Groups the commands about time that was lost",
  complexity: "Depends on the subcommand",
  arity: -2,
  subcommands: [
    latencyDoctor,
    latencyGraph,
    latencyHelp,
    latencyHistogram,
    latencyHistory,
    latencyLatest,
    latencyReset,
  ],
});
