/** What a real server (redis 7.0.15) answers to COMMAND and COMMAND DOCS, as data. */

import { CHANGES_OF_7_2 } from "./command_facts_7_2.ts";
import { CHANGES_OF_8 } from "./command_facts_8.ts";
import type { Argument } from "../../src/commands/arguments_syntax.ts";

/** A command or subcommand of the real server. Lists without an order are sorted. */
export interface CommandFact {
  name: string;
  arity: number;
  flags: string[];
  first_key: number;
  last_key: number;
  step: number;
  acl_categories: string[];
  tips: string[];
  key_specs: { notes?: string; [field: string]: unknown }[];
  since: string;
  group: string;
  summary: string;
  complexity?: string;
  doc_flags?: string[];
  deprecated_since?: string;
  replaced_by?: string;
  history?: [version: string, text: string][];
  arguments?: Argument[];
  subcommands?: Record<string, CommandFact>;
}

const folder = new URL("../fixtures/facts/", import.meta.url);

/** The facts of all commands by name, each with its subcommands inside. */
export const commandFacts: Readonly<Record<string, CommandFact>> = JSON.parse(
  Deno.readTextFileSync(new URL("commands.json", folder)),
);

/** The full names of the commands in each ACL category. */
export const aclCategoryFacts: Readonly<Record<string, string[]>> = JSON.parse(
  Deno.readTextFileSync(new URL("acl_categories.json", folder)),
);

/** The facts of a command of 7.2, with the options of 8 that are here, by its full name ("config|get"); undefined if 7.0 lacks it. */
export function factOf(fullName: string): CommandFact | undefined {
  const top = commandFacts[fullName.split("|")[0]];
  const fact = fullName.includes("|") ? top?.subcommands?.[fullName] : top;
  if (fact === undefined) return undefined;
  const ofSeven: CommandFact = { ...fact, ...CHANGES_OF_7_2[fullName] };
  return { ...ofSeven, ...CHANGES_OF_8[fullName]?.(ofSeven) };
}

/** Every command and subcommand. */
export function allFacts(): CommandFact[] {
  return Object.values(commandFacts).flatMap((fact) => [
    fact,
    ...Object.values(fact.subcommands ?? {}),
  ]);
}
