/** The catalog of all commands, by which users know what they may do; see src/access/catalog.ts. */

import { CommandCatalog } from "../access/catalog.ts";
import { Command } from "../dispatch/command.ts";
import { commandTable } from "./index.ts";

let catalog: CommandCatalog | null = null;

/** The one catalog: it does not change. Made when it is first asked for. */
export function commandCatalog(): CommandCatalog {
  return catalog ??= new CommandCatalog(commandTable.map((definition) => new Command(definition)));
}
