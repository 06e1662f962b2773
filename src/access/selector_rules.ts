/**
 * Applies a rule to a selector. A table of what there is:
 *
 *   +cmd  -cmd  +cmd|sub  -cmd|sub  +@category  -@category      commands, one after the other
 *   +cmd|first-argument                                         of a command that has no subcommands
 *   allcommands = +@all   nocommands = -@all                    and forget what was said before
 *   ~pattern  %R~pattern  %W~pattern  %RW~pattern               keys
 *   allkeys = ~*          resetkeys
 *   &pattern              allchannels = &*   resetchannels      channels
 *
 * @see {@link https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/}
 */

import { latin1 } from "../base/bytes.ts";
import type { CatalogCommand } from "./catalog.ts";
import { categoryBit } from "./categories.ts";
import { RuleError } from "./rule_error.ts";
import { keyPattern, MAY_ALL, MAY_READ, MAY_WRITE, type Selector } from "./selector.ts";

/** Whether a text has white space or a zero byte: such names and patterns could not be written to a file. */
export function hasSpaces(text: string): boolean {
  return /[ \t\n\v\f\r\0]/.test(text);
}

/** Changes the selector as the rule (latin1) says. @throws RuleError, and then it is as it was */
export function applySelectorRule(selector: Selector, rule: string): void {
  switch (rule.toLowerCase()) {
    case "allkeys":
    case "~*":
      selector.allKeys = true;
      selector.keyPatterns = [];
      return;
    case "resetkeys":
      selector.allKeys = false;
      selector.keyPatterns = [];
      return;
    case "allchannels":
    case "&*":
      selector.allChannels = true;
      selector.channelPatterns = [];
      return;
    case "resetchannels":
      selector.allChannels = false;
      selector.channelPatterns = [];
      return;
    case "allcommands":
    case "+@all":
      return setAllCommands(selector, true);
    case "nocommands":
    case "-@all":
      return setAllCommands(selector, false);
  }
  switch (rule[0]) {
    case "~":
    case "%":
      return addKeyPattern(selector, rule);
    case "&":
      return addChannelPattern(selector, rule.slice(1));
    case "+":
    case "-":
      return changeCommands(selector, rule);
  }
  throw new RuleError("syntax");
}

function setAllCommands(selector: Selector, isAllowed: boolean): void {
  selector.allCommands = isAllowed;
  selector.allowed.fill(isAllowed ? 1 : 0);
  selector.firstArguments = new Map();
  selector.commandRules = [];
}

function addKeyPattern(selector: Selector, rule: string): void {
  if (selector.allKeys) throw new RuleError("afterAllKeys");
  const { rights, text } = readKeyRule(rule);
  if (hasSpaces(text)) throw new RuleError("syntax");
  const known = selector.keyPatterns.some((each) => each.text === text);
  selector.keyPatterns = known
    ? selector.keyPatterns.map((each) =>
      each.text === text ? keyPattern(text, each.rights | rights) : each
    )
    : [...selector.keyPatterns, keyPattern(text, rights)];
}

/** The rights and the pattern of `~pattern` or `%RW~pattern`. */
function readKeyRule(rule: string): { rights: number; text: string } {
  if (rule[0] === "~") return { rights: MAY_ALL, text: rule.slice(1) };
  let rights = 0;
  let at = 1;
  for (; at < rule.length && rule[at] !== "~"; at++) {
    const right = /r/i.test(rule[at]) ? MAY_READ : /w/i.test(rule[at]) ? MAY_WRITE : 0;
    if (right === 0 || (rights & right) !== 0) throw new RuleError("syntax");
    rights |= right;
  }
  // Redis takes a pattern without any right, and ends when it has to show it.
  if (rights === 0) throw new RuleError("syntax");
  return { rights, text: rule.slice(at + 1) };
}

function addChannelPattern(selector: Selector, text: string): void {
  if (selector.allChannels) throw new RuleError("afterAllChannels");
  if (hasSpaces(text)) throw new RuleError("syntax");
  if (selector.channelPatterns.some((each) => each.text === text)) return;
  selector.channelPatterns = [...selector.channelPatterns, { text, bytes: latin1(text) }];
}

// -- commands --------------------------------------------------------------------------------------

function changeCommands(selector: Selector, rule: string): void {
  const isAllowed = rule[0] === "+";
  const name = rule.slice(1);
  if (name[0] === "@") return changeCategory(selector, name, isAllowed);
  const command = selector.catalog.find(name);
  if (command !== null) {
    changeCommand(selector, command, isAllowed);
    remember(selector, command.fullName, isAllowed);
  } else if (isAllowed && name.includes("|")) allowFirstArgument(selector, name);
  else throw new RuleError("unknown");
}

function changeCategory(selector: Selector, name: string, isAllowed: boolean): void {
  const bit = categoryBit(name.slice(1));
  if (bit === 0) throw new RuleError("unknown");
  changeAll(selector, selector.catalog.idsOf(bit), isAllowed);
  remember(selector, name, isAllowed);
}

/** Of a container, all its subcommands change with it. */
function changeCommand(selector: Selector, command: CatalogCommand, isAllowed: boolean): void {
  const subcommands = [...command.subcommands?.values() ?? []];
  changeAll(selector, [command.id, ...subcommands.map(({ id }) => id)], isAllowed);
}

/** What was said of their first arguments is forgotten. */
function changeAll(selector: Selector, ids: readonly number[], isAllowed: boolean): void {
  const { allowed, firstArguments } = selector;
  for (const id of ids) allowed[id] = isAllowed ? 1 : 0;
  if (!isAllowed) selector.allCommands = false;
  if (ids.some((id) => firstArguments.has(id))) {
    selector.firstArguments = new Map(
      [...firstArguments].filter(([id]) => !ids.includes(id)),
    );
  }
}

/** `+select|0`: an older way to say more than a command's name. */
function allowFirstArgument(selector: Selector, name: string): void {
  const at = name.lastIndexOf("|");
  const command = selector.catalog.find(name.slice(0, at));
  if (command === null) throw new RuleError("unknown");
  if (command.parent !== null) throw new RuleError("firstArgument");
  const argument = name.slice(at + 1);
  if (argument === "") throw new RuleError("syntax");
  if (command.subcommands !== null) throw new RuleError("unknown");
  if (hasSpaces(argument)) throw new RuleError("syntax");
  const { id } = command;
  const { firstArguments } = selector;
  const known = firstArguments.get(id) ?? [];
  const folded = argument.toLowerCase();
  if (!known.includes(folded)) {
    selector.firstArguments = new Map([...firstArguments, [id, [...known, folded]]]);
  }
  remember(selector, name, true);
}

/**
 * Puts a rule behind the others. What it says again, or (of a container) for all subcommands, is not kept
 * twice.
 */
function remember(selector: Selector, name: string, isAllowed: boolean): void {
  const folded = name.toLowerCase();
  const others = selector.commandRules.filter((rule) => {
    const old = rule.slice(1);
    return old !== folded && !old.startsWith(`${folded}|`);
  });
  selector.commandRules = [...others, (isAllowed ? "+" : "-") + folded];
}
