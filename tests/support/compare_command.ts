/**
 * Compares a definition with what a real server says of the same command.
 *
 * The comparison is made on the replies of COMMAND INFO and COMMAND DOCS, so it covers the writers of
 * those replies as well. Of summaries, history and notes on keys the words are ours: compared is that
 * they are there, and the versions. Not compared: complexities, and the subcommands that the real server
 * has and we have not.
 */

import { equal } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import type { Command } from "../../src/dispatch/command.ts";
import { writeCommandDocs, writeCommandInfo } from "../../src/commands/command_docs.ts";
import { aclCategoryFacts, factOf } from "./command_facts.ts";
import { type Reply, replyOf } from "./reply_tree.ts";

/** The last version of the facts: only newer commands may be missing there. */
const FACTS_MAJOR_MINOR = 7.0;

/** Differences of a command and its subcommands from the real server's, a line for each. */
export function compareCommand(command: Command): string[] {
  const names = [latin1(command.fullName)];
  const byName = new Map([[command.fullName, command]]);
  const info = replyOf((sink) => writeCommandInfo(sink, byName, names)) as Reply[];
  const docs = replyOf((sink) => writeCommandDocs(sink, byName, names)) as Docs;
  return compareWithFacts(info[0] as Info, docs[command.fullName]);
}

type Info = [
  name: string,
  arity: number,
  flags: string[],
  firstKey: number,
  lastKey: number,
  step: number,
  categories: string[],
  tips: string[],
  keySpecs: Reply[],
  subcommands: Info[],
];
type Docs = { [name: string]: { [field: string]: Reply } & { subcommands?: Docs } };

function compareWithFacts(info: Info, docs: Docs[string]): string[] {
  const [name, arity, flags, firstKey, lastKey, step, categories, tips, keySpecs, inner] = info;
  const subcommands = inner.flatMap((each) => compareWithFacts(each, docs.subcommands![each[0]]));
  const differences: string[] = [];
  if (docs.summary === "") differences.push(`${name}: has no summary`);

  const fact = factOf(name);
  if (fact === undefined) {
    const isNewer = parseFloat(docs.since as string) > FACTS_MAJOR_MINOR;
    if (!isNewer) differences.push(`${name}: the real server has no such command`);
    return [...differences, ...subcommands];
  }

  const compare = (what: string, ours: unknown, theirs: unknown) => {
    if (equal(ours, theirs)) return;
    differences.push(`${name}: ${what} ${JSON.stringify(ours)}, not ${JSON.stringify(theirs)}`);
  };
  if (docs.summary === fact.summary) differences.push(`${name}: summary is not in our own words`);
  compare("arity", arity, fact.arity);
  compare("flags", flags.toSorted(), fact.flags);
  compare("key range", [firstKey, lastKey, step], [fact.first_key, fact.last_key, fact.step]);
  compare("categories", categories.toSorted(), fact.acl_categories);
  compare("tips", tips, fact.tips);
  const specs = keySpecs as Spec[];
  compare("key specifications", specs.map(withoutNotes), fact.key_specs.map(withoutNotes));
  compare("notes on keys", specs.map(hasNotes), fact.key_specs.map(hasNotes));
  for (const [i, { notes }] of specs.entries()) {
    if (notes !== undefined && notes === fact.key_specs[i]?.notes) {
      differences.push(`${name}: a note is not in our own words`);
    }
  }
  const history = (docs.history ?? []) as [version: string, text: string][];
  compare(
    "history",
    history.map(([version]) => version),
    fact.history?.map(([since]) => since) ?? [],
  );
  for (const [, text] of history) {
    const isTheirs = fact.history?.some(([, theirs]) => theirs === text);
    if (text === "" || isTheirs) differences.push(`${name}: history is not in our own words`);
  }
  compare("since", docs.since, fact.since);
  compare("group", docs.group, fact.group);
  compare("doc flags", docs.doc_flags, fact.doc_flags);
  compare("deprecated since", docs.deprecated_since, fact.deprecated_since);
  compare("replaced by", quotedCommands(docs.replaced_by), quotedCommands(fact.replaced_by));
  compare("arguments", docs.arguments, fact.arguments);
  compare("ACL CAT", categoriesListing(name), categories.map((each) => each.slice(1)).toSorted());
  compare("is a container", inner.length > 0, fact.subcommands !== undefined);
  return [...differences, ...subcommands];
}

type Spec = { notes?: string; [field: string]: unknown };

function withoutNotes({ notes: _, ...spec }: Spec): Spec {
  return spec;
}

function hasNotes({ notes }: Spec): boolean {
  return notes !== undefined;
}

/** The words in backquotes, sorted: the commands and options that replace an old command. */
function quotedCommands(text: Reply | undefined): string[] {
  const words = String(text ?? "").match(/`[^`]+`/g) ?? [];
  return words.map((word) => word.replace("!", "")).toSorted(); // "!GET" is a slip of theirs
}

function categoriesListing(name: string): string[] {
  return Object.keys(aclCategoryFacts).filter((each) => aclCategoryFacts[each].includes(name))
    .toSorted();
}
