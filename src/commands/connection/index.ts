/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { auth, hello, quit, reset } from "./auth.ts";
import { client } from "./client.ts";
import { echo, ping } from "./ping.ts";
import { select } from "./select.ts";

export const connectionCommands: readonly CommandDefinition[] = [
  auth,
  client,
  echo,
  hello,
  ping,
  quit,
  reset,
  select,
];
