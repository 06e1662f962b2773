/**
 * The command line of the tools that measure beside redis-server: what all of them understand is read, checked and
 * explained here, and each names what it adds.
 */

import { parseArgs } from "@std/cli/parse-args";
import { type Contestants, contestants, onBun, reportName, UsageError } from "./tool.ts";

/** The options of every such tool, for its help; `file` is what the report of a whole run is called. */
export function commonHelp(file: string, rounds: number): string {
  return `  --rounds N          rounds of every measurement (${rounds})
  --runtime NAME      what runs tsredis: deno (deno task start), bun (an executable made for this),
                      or both, one after the other
  --server COMMAND    how tsredis is started otherwise; e.g. ./tsredis
  --reference COMMAND what it is compared with (redis-server)
  --note TEXT         a remark for the report
  --write, --no-write write ${file} (on Bun, ${reportName(file, "Bun 1")}), or not; without either,
                      only a run of everything writes it`;
}

export type RuntimeName = "deno" | "bun";

/** What `--runtime` may name. */
const RUNTIMES: Record<string, readonly RuntimeName[]> = {
  deno: ["deno"],
  bun: ["bun"],
  both: ["deno", "bun"],
};

/** What the options in common say. */
export interface CommonOptions extends Contestants {
  quick: boolean;
  rounds: number;
  /** What runs the subject, one run of the tool each; on Bun that is an executable made for it. */
  runtimes: readonly RuntimeName[];
  note?: string;
  /** Whether the report is to be kept beside the tool. */
  write: boolean;
}

/** What a tool adds. */
export interface Vocabulary<Flag extends string, Value extends string> {
  /** Options without a value. Of these, `quick` makes a run of one round that is not kept. */
  readonly flags?: readonly Flag[];
  /** Options with a value: with one of them it is no run of everything. */
  readonly values: readonly Value[];
  /** Rounds when nothing is said of them. */
  readonly rounds: number;
}

/** The options of a tool's own, as typed. */
export type Words<Flag extends string, Value extends string> =
  & { readonly [name in Flag]: boolean }
  & { readonly [name in Value]?: string };

const COMMON_VALUES = ["rounds", "runtime", "server", "reference", "note"] as const;

/** Reads a command line; null when help was asked for. Throws UsageError. */
export function readWords<Value extends string, Flag extends string = never>(
  line: readonly string[],
  { flags = [], values, rounds }: Vocabulary<Flag, Value>,
): { common: CommonOptions; words: Words<Flag, Value> } | null {
  const parsed = parseArgs([...line], {
    boolean: [...flags, "write", "no-write", "help"],
    string: [...values, ...COMMON_VALUES],
    alias: { h: "help" },
    unknown: refuseUnknown,
  }) as Record<string, unknown>;
  if (parsed.help) return null;
  const quick = parsed.quick === true;
  const isWhole = !quick && [...values, "reference"].every((name) => parsed[name] === undefined);
  const common = parsed as { [name in typeof COMMON_VALUES[number]]?: string };
  return {
    common: {
      ...contestants(common),
      quick,
      rounds: common.rounds === undefined
        ? (quick ? 1 : rounds)
        : positive("rounds", common.rounds),
      runtimes: runtimesOf(common),
      note: common.note,
      write: parsed.write === true || (isWhole && parsed["no-write"] !== true),
    },
    words: parsed as Words<Flag, Value>,
  };
}

function runtimesOf(words: { runtime?: string; server?: string }): readonly RuntimeName[] {
  const { runtime = "deno", server } = words;
  if (words.runtime !== undefined && server !== undefined) {
    throw new UsageError("--runtime and --server exclude each other");
  }
  if (!Object.hasOwn(RUNTIMES, runtime)) {
    throw new UsageError(
      `--runtime: no ${runtime}; there are ${Object.keys(RUNTIMES).join(", ")}`,
    );
  }
  return RUNTIMES[runtime];
}

/** Has a tool run with each of the runtimes in turn. */
export async function onEachRuntime<T extends CommonOptions>(
  options: T,
  workDir: string,
  run: (options: T, workDir: string) => Promise<void>,
): Promise<void> {
  for (const runtime of options.runtimes) {
    const both = runtime === "bun" ? await onBun(options, workDir) : options;
    await run({ ...options, ...both }, workDir);
  }
}

/** The items named in a comma-separated list, in their own order; all of them without a list. Throws UsageError. */
export function choose<T>(
  option: string,
  list: string | undefined,
  items: readonly T[],
  nameOf: (item: T) => string,
): T[] {
  if (list === undefined) return [...items];
  const wanted = new Set(list.toLowerCase().split(","));
  const chosen = items.filter((item) => wanted.delete(nameOf(item)));
  if (wanted.size > 0) {
    throw new UsageError(
      `--${option}: no ${[...wanted].join(", ")}; there are ${items.map(nameOf).join(", ")}`,
    );
  }
  return chosen;
}

/** A number of at least 1. Throws UsageError. */
export function positive(option: string, word: string): number {
  if (!/^[1-9]\d*$/.test(word)) {
    throw new UsageError(`--${option}: ${word} is not a positive number`);
  }
  return Number(word);
}

/** For parseArgs: an argument that is none. */
export function refuseUnknown(word: string): never {
  throw new UsageError(`unknown argument ${word}; --help lists them`);
}
