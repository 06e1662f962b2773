/** The tools of the executable, in the order in which `tsredis help` lists them. */

import { helpOf } from "./help.ts";
import type { Tool } from "./tool.ts";

export const tools: readonly Tool[] = [helpOf(() => tools)];
