/**
 * From `tsredis NAME …` to a tool's exit code: finds the tool, reads options and operands, prints help, says what went
 * wrong. The first word alone decides: it is a tool's name, exactly, or the words are the server's. (So a configuration
 * file of that name is given as ./NAME.)
 */

import { parseArgs } from "@std/cli/parse-args";
import { problemOf, SystemError } from "../runtime/system_error.ts";
import { usageText } from "./help.ts";
import {
  EXIT_FAILED,
  EXIT_INTERRUPTED,
  EXIT_USAGE,
  EXIT_WELL,
  Interrupted,
  isReaderGone,
  type Tool,
  type ToolCall,
  ToolFailure,
  type ToolHost,
  UsageError,
} from "./tool.ts";

/** The tool that the words behind the program's name ask for, if they do. */
export function toolOf(args: readonly string[], tools: readonly Tool[]): Tool | null {
  return tools.find(({ name }) => name === args[0]) ?? null;
}

/** Runs a tool with the words behind its name; answers the exit code. Rejects only where the program has a fault. */
export async function runTool(
  tool: Tool,
  words: readonly string[],
  host: ToolHost,
): Promise<number> {
  try {
    if (asksForHelp(words, tool)) {
      host.print(usageText(tool));
      return EXIT_WELL;
    }
    return await tool.run(readCall(tool, words, host));
  } catch (error) {
    return exitCodeOf(error, tool, host);
  }
}

function exitCodeOf(error: unknown, tool: Tool, host: ToolHost): number {
  if (error instanceof Interrupted) {
    host.remark("Interrupted.\n");
    return EXIT_INTERRUPTED;
  }
  if (isReaderGone(error)) return EXIT_FAILED;
  const isUsage = error instanceof UsageError;
  if (!isUsage && !(error instanceof ToolFailure) && !(error instanceof SystemError)) throw error;
  host.remark(`tsredis ${tool.name}: ${problemOf(error)}\n`);
  if (isUsage) host.remark(`'tsredis help ${tool.name}' tells how to use it.\n`);
  return isUsage ? EXIT_USAGE : EXIT_FAILED;
}

/** Whether --help stands where an option may: not as the value of another, nor behind --. */
function asksForHelp(words: readonly string[], tool: Tool): boolean {
  const takesValue = new Set(tool.options.filter(hasValue).map(({ name }) => `--${name}`));
  for (let i = 0; i < words.length && words[i] !== "--"; i++) {
    if (words[i] === "--help" || words[i] === "-h") return true;
    if (takesValue.has(words[i])) i++;
  }
  return false;
}

function hasValue(option: { readonly value?: string }): boolean {
  return option.value !== undefined;
}

/** @throws UsageError */
function readCall(tool: Tool, words: readonly string[], host: ToolHost): ToolCall {
  const strings = tool.options.filter(hasValue).map(({ name }) => name);
  const booleans = tool.options.filter((option) => !hasValue(option)).map(({ name }) => name);
  refuseMistakes(tool, words, strings, booleans);
  const parsed = parseArgs([...words], { string: ["_", ...strings], boolean: booleans });
  const operands = parsed._.map(String);
  if (operands.length < tool.operandsMin) {
    throw new UsageError(`${tool.operands} ${tool.operandsMin > 1 ? "are" : "is"} missing.`);
  }
  if (operands.length > tool.operandsMax) {
    throw new UsageError(`one word too many: ${operands[tool.operandsMax]}`);
  }
  const values = parsed as unknown as Record<string, string | boolean | undefined>;
  return {
    host,
    operands,
    option: (name) => typeof values[name] === "string" ? values[name] : null,
    has: (name) => values[name] === true,
  };
}

/** What parseArgs would let pass: unknown options, options without their value, with one too many, or given twice. */
function refuseMistakes(
  tool: Tool,
  words: readonly string[],
  strings: readonly string[],
  booleans: readonly string[],
): void {
  const seen = new Set<string>();
  for (let i = 0; i < words.length && words[i] !== "--"; i++) {
    if (!words[i].startsWith("-") || words[i] === "-") continue;
    const [, name, value] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(words[i]) ?? [];
    const takesValue = name !== undefined && strings.includes(name);
    if (!takesValue && (name === undefined || !booleans.includes(name))) {
      throw new UsageError(`unknown option ${words[i]}${meant(tool, name ?? words[i].slice(1))}`);
    }
    if (!takesValue && value !== undefined) throw new UsageError(`--${name} takes no value`);
    if (seen.has(name)) throw new UsageError(`--${name} is given twice`);
    seen.add(name);
    if (!takesValue) continue;
    // A value that begins with a dash is given as --name=VALUE.
    const given = value ?? (words[i + 1]?.startsWith("-") ? "" : words[++i] ?? "");
    if (given === "") throw new UsageError(`--${name} needs a value`);
  }
}

/** "; do you mean --x?" where an option begins alike, or is alike but for a letter or two. */
function meant(tool: Tool, typed: string): string {
  const near = tool.options.find(({ name }) => name.startsWith(typed) && typed !== "") ??
    tool.options.find(({ name }) => isAlike(name, typed));
  return near === undefined ? "" : `; do you mean --${near.name}?`;
}

/** Whether two words share their letters but for two at most. */
function isAlike(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 2) return false;
  const left = [...b];
  let shared = 0;
  for (const letter of a) {
    const at = left.indexOf(letter);
    if (at < 0) continue;
    left.splice(at, 1);
    shared++;
  }
  return Math.max(a.length, b.length) - shared <= 2 && shared > 2;
}
