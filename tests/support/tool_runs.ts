/** Running a tool of the executable in this process, and what it says. */

import { runtime } from "../../src/runtime/here.ts";
import type { HostProcess, Runtime } from "../../src/runtime/runtime.ts";
import { openToolDataset } from "../../src/tool_dataset.ts";
import { runTool, toolOf } from "../../src/tools/command_line.ts";
import { tools } from "../../src/tools/index.ts";
import { ToolHost } from "../../src/tools/tool.ts";

export interface ToolRun {
  readonly exitCode: number;
  /** Standard output. */
  readonly output: string;
  /** Standard error. */
  readonly remarks: string;
}

export interface ToolRunOptions {
  /** Whether standard error is a terminal. Default: false. */
  isTerminal?: boolean;
  /** Called with the host before the tool begins. */
  onHost?: (host: ToolHost) => void;
  /** In place of this process's runtime. */
  runtime?: Partial<Runtime>;
}

/** Runs `tsredis` with these words, the first of which is a tool's name. */
export async function runToolWith(
  words: readonly string[],
  options: ToolRunOptions = {},
): Promise<ToolRun> {
  const tool = toolOf(words, tools);
  if (tool === null) throw new Error(`${words[0]} is no tool`);
  const decoder = new TextDecoder();
  let output = "";
  let remarks = "";
  const said: Partial<HostProcess> = {
    writeStandardOutput: (bytes) => void (output += decoder.decode(bytes)),
    writeStandardError: (bytes) => void (remarks += decoder.decode(bytes)),
    isErrorTerminal: () => options.isTerminal === true,
    terminalColumns: () => 100,
  };
  const process = new Proxy(runtime.process, {
    get(own, name) {
      if (name in said) return said[name as keyof HostProcess];
      const value = Reflect.get(own, name, own);
      return typeof value === "function" ? value.bind(own) : value;
    },
  });
  const used = { ...runtime, ...options.runtime, process };
  const host = new ToolHost(used, (onRemark) => openToolDataset(used, Math.random, onRemark));
  options.onHost?.(host);
  const exitCode = await runTool(tool, words.slice(1), host);
  return { exitCode, output, remarks };
}
