/** Finds the command that words of an append-only file call, without a server. */

import { commandTable } from "../../commands/index.ts";
import { Command } from "../../dispatch/command.ts";
import type { Words } from "../../resp/words.ts";

export class CommandNames {
  #table: ReadonlyMap<string, Command> | null = null;

  /** Made when it is first asked for: a snapshot needs none of it. */
  get #byName(): ReadonlyMap<string, Command> {
    return this.#table ??= new Map(commandTable.map((each) => [each.name, new Command(each)]));
  }

  /** The command, a subcommand where there are such; null when there is none of that name. */
  find(words: Words): Command | null {
    const command = this.#byName.get(words.text(0).toLowerCase());
    if (command === undefined) return null;
    if (command.subcommands === null || words.count < 2) return command;
    return command.subcommands.get(words.text(1).toLowerCase()) ?? null;
  }
}

/** Whether a call has as many words as its command takes. */
export function hasArity({ arity }: Command, { count }: Words): boolean {
  return arity > 0 ? count === arity : count >= -arity;
}
