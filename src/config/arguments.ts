/**
 * The command line: `tsredis [redis.conf] [--directive value value ...] [-]`.
 *
 * Options have no grammar of their own: `--save 60 1` is the line `save "60" "1"`, read after the
 * file and standard input, so it wins. The word behind an option is always its value, even if it
 * starts with dashes; only `--save` may go without (then it means `--save ""`).
 */

import { parseArgs } from "@std/cli/parse-args";
import { resolve } from "@std/path";
import type { Runtime } from "../runtime/runtime.ts";
import type { Start } from "./config.ts";
import { quote } from "./kinds.ts";
import { fromText, lineWords } from "./parse.ts";
import { REDIS_VERSION, TSREDIS_VERSION } from "./version.ts";

/** What the command line asks for: to start, or to print a text and exit with a code. */
export type Action =
  | { readonly kind: "start"; readonly start: Start }
  | { readonly kind: "print"; readonly text: string; readonly exitCode: number };

/** Reads the words behind the program's name. The path of the file is made absolute. */
export function parseArguments(args: readonly string[], runtime: Runtime): Action {
  const { workingFolder } = runtime.process;
  return specialAction(args, runtime) ?? { kind: "start", start: readStart(args, workingFolder) };
}

/** What must be the first word, as everything behind an option is its value; or null. */
function specialAction(args: readonly string[], runtime: Runtime): Action | null {
  // Whatever else starts with a dash is a directive, which parseArgs cannot know: first word only.
  const first = parseArgs(args.slice(0, 1), {
    boolean: ["help", "version", "test-memory", "check-system"],
    alias: { help: "h", version: "v" },
  });
  if (first.version) return { kind: "print", text: versionText(runtime), exitCode: 0 };
  if (first.help) return { kind: "print", text: helpText(), exitCode: 1 };
  if (first["test-memory"]) return notIncluded("--test-memory", "Try memtester.");
  if (first["check-system"]) {
    return notIncluded("--check-system", "It looks for kernel bugs that tsredis does not touch.");
  }
  if (args.includes("--sentinel")) {
    return notIncluded("--sentinel", "A redis-sentinel can watch over tsredis servers.");
  }
  return null;
}

function notIncluded(option: string, remark: string): Action {
  return { kind: "print", text: `${option} is not part of tsredis. ${remark}\n`, exitCode: 1 };
}

function readStart(args: readonly string[], folder: string): Start {
  let file: string | null = null;
  let fromStdin = false;
  let options = "";
  let isNameNext = true; // the word behind an option's name is never a name
  let at = 0;
  if (args.length > 0 && args[0][0] !== "-") file = resolve(folder, args[at++]);
  for (; at < args.length; at++) {
    const arg = args[at];
    const isLast = at === args.length - 1;
    if (arg === "-" && (at === 0 || isLast)) {
      fromStdin = true;
    } else if (isNameNext && arg.startsWith("--")) {
      const line = fromText(arg.slice(2));
      options += (options === "" ? "" : "\n") + line + " ";
      // "--port 6380" in one word brings its value along.
      isNameNext = lineWords(fromText(arg))?.length !== 1;
      const isBareSave = line.toLowerCase() === "save";
      if (isBareSave && (isLast || args[at + 1].startsWith("--"))) {
        options += '""';
        isNameNext = true;
      }
    } else {
      options += quote(fromText(arg)) + " ";
      isNameNext = true;
    }
  }
  return { file, fromStdin, options };
}

/** The line that `--version` prints. */
export function versionText({ name, version }: Runtime): string {
  return `tsredis v=${TSREDIS_VERSION} redis=${REDIS_VERSION} ${name}=${version} bits=64\n`;
}

/** The page that `--help` prints. */
export function helpText(): string {
  return `Usage: tsredis [redis.conf] [--directive value ...] [-]
       tsredis -v | --version
       tsredis -h | --help
       tsredis help                           the tools for data files

Without arguments the server runs with its defaults on port 6379. What a
configuration file may say can be said as an option too. The file is read
first, then standard input if a lone - asks for it, then the options; what
comes later wins. Directives that would protect or keep data and are not
there yet end the start; --ignore-unsupported yes only warns of them.

For instance:
       tsredis --port 6380
       tsredis --port 6380 --slaveof localhost 6379
       tsredis --save 60 1 --save 300 10
       tsredis --save ""                     no snapshots
       tsredis /etc/tsredis/redis.conf --loglevel verbose
       echo 'maxmemory 128mb' | tsredis -
`;
}
