/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { evalReadOnly, evalScript, evalsha, evalshaReadOnly } from "./eval.ts";
import { fcall, fcallReadOnly } from "./fcall.ts";
import { functions } from "./function.ts";
import { script } from "./script.ts";

export const scriptingCommands: readonly CommandDefinition[] = [
  evalReadOnly,
  evalScript,
  evalsha,
  evalshaReadOnly,
  fcall,
  fcallReadOnly,
  functions,
  script,
];
