/** `tsredis help [TOOL]`, and the page that `tsredis TOOL --help` prints. */

import {
  EXIT_FAILED,
  EXIT_INTERRUPTED,
  EXIT_USAGE,
  EXIT_WELL,
  type Tool,
  type ToolOption,
  UsageError,
} from "./tool.ts";

const COMMON_CODES: readonly (readonly [number, string])[] = [
  [EXIT_USAGE, "the command line is not understood"],
  [EXIT_FAILED, "it cannot be done: a file is missing or may not be read, a disk is full"],
  [EXIT_INTERRUPTED, "ended by Ctrl-C; nothing half-done is left"],
];

/** The tool that tells of all; `tools` answers them once all are known. */
export function helpOf(tools: () => readonly Tool[]): Tool {
  return {
    name: "help",
    operands: "[TOOL]",
    operandsMin: 0,
    operandsMax: 1,
    summary: "lists the tools, or tells how to use one of them",
    options: [],
    description: "Lists the tools, or tells how to use one of them.",
    exitCodes: [[EXIT_WELL, "printed"]],
    run: ({ host, operands: [name] }) => {
      host.print(name === undefined ? overviewText(tools()) : usageText(named(name, tools())));
      return Promise.resolve(EXIT_WELL);
    },
  };
}

function named(name: string, tools: readonly Tool[]): Tool {
  const tool = tools.find((tool) => tool.name === name);
  if (tool === undefined) throw new UsageError(`there is no tool '${name}'`);
  return tool;
}

/** What `tsredis help` prints. */
function overviewText(tools: readonly Tool[]): string {
  return `Usage: tsredis [redis.conf] [--directive value ...]     runs the server
${toolLines(tools)}
'tsredis --help' tells more of the server, 'tsredis help TOOL' of a tool. A
configuration file that has the name of a tool is given as ./NAME.
`;
}

/** The tools, a line each. */
function toolLines(tools: readonly Tool[]): string {
  const width = 8 + Math.max(...tools.map(({ name }) => name.length));
  return tools
    .map(({ name, summary }) => `       ${`tsredis ${name}`.padEnd(width + 2)}${summary}\n`)
    .join("");
}

/** What `tsredis TOOL --help` prints. */
export function usageText(tool: Tool): string {
  const codes = [...tool.exitCodes, ...COMMON_CODES].map(([code, meaning]) =>
    `  ${String(code).padEnd(5)}${meaning}\n`
  );
  const options = [...tool.options, { name: "help", help: "print this" }];
  const width = Math.max(...options.map((option) => spelt(option).length));
  return `Usage: tsredis ${tool.name} [option ...] ${tool.operands}

${tool.description.trim()}

Options:
${options.map((option) => `  ${spelt(option).padEnd(width + 2)}${option.help}\n`).join("")}
Exit codes:
${codes.join("")}`;
}

function spelt({ name, value }: ToolOption): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}
