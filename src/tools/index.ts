/** The tools of the executable, in the order in which `tsredis help` lists them. */

import { checkTool } from "./check/check.ts";
import { convertTool } from "./convert/convert.ts";
import { diffTool } from "./diff/diff.ts";
import { helpOf } from "./help.ts";
import { replayTool } from "./replay/replay.ts";
import type { Tool } from "./tool.ts";

export const tools: readonly Tool[] = [
  checkTool,
  convertTool,
  diffTool,
  replayTool,
  helpOf(() => tools),
];
