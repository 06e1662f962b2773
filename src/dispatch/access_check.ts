/**
 * Whether a user may run a command with these words: the one question about rights, asked by the gates, by
 * EXEC, by scripts, for blocked clients that are served, and by ACL DRYRUN.
 *
 * Most calls are answered by a byte that the user has for the command (access/user.ts). Where keys or
 * channels decide, they are found where they lie, and each selector is tried until one allows all. See "Rights" in
 * NOTES.
 */

import { ACCESS_ALLOWED, type User } from "../access/user.ts";
import { MAY_READ, type Selector } from "../access/selector.ts";
import { getUsedKeys } from "./call_keys.ts";
import type { Command } from "./command.ts";
import { type KeyPosition, rightsFor } from "./key_specs.ts";
import type { Words } from "../resp/words.ts";

/** What is refused. The order is that in which one is told before the other. */
export const DENIED_NOTHING = 0;
export const DENIED_COMMAND = 1;
export const DENIED_KEY = 2;
export const DENIED_CHANNEL = 3;

/** The word that the last refusal is about: a key or channel; 0 for the command itself. */
export let deniedWord = 0;

/** What a selector has refused, likewise. */
let selectorWord = 0;
/** The keys of the call that is being looked at, once they were asked for. */
let keys: readonly KeyPosition[] | null = null;
const NO_KEYS: readonly KeyPosition[] = [];

/** DENIED_*: what keeps the user from this call; `deniedWord` tells more. */
export function checkAccess(user: User, command: Command, words: Words): number {
  return user.access[command.accessId] === ACCESS_ALLOWED
    ? DENIED_NOTHING
    : tryAll(user.selectors, command, words);
}

function tryAll(selectors: readonly Selector[], command: Command, words: Words): number {
  keys = null;
  let denied = DENIED_COMMAND;
  let word = 0;
  for (const selector of selectors) {
    selectorWord = 0;
    const verdict = tryOne(selector, command, words);
    if (verdict === DENIED_NOTHING) return DENIED_NOTHING;
    if (verdict > denied || (verdict === denied && selectorWord > word)) {
      denied = verdict;
      word = selectorWord;
    }
  }
  deniedWord = word;
  return denied;
}

function tryOne(selector: Selector, command: Command, words: Words): number {
  if (!allowsCommand(selector, command, words)) return DENIED_COMMAND;
  if (!selector.allKeys && command.hasKeys && !allowsKeys(selector, command, words)) {
    return DENIED_KEY;
  }
  if (!selector.allChannels && command.channelUse !== null) {
    if (!allowsChannels(selector, command, words)) return DENIED_CHANNEL;
  }
  return DENIED_NOTHING;
}

function allowsCommand(selector: Selector, command: Command, words: Words): boolean {
  const { accessId } = command;
  if (selector.allCommands || command.isFree || selector.allowed[accessId] !== 0) return true;
  const first = selector.firstArguments.get(accessId);
  return first !== undefined && words.count > 1 && first.includes(words.text(1).toLowerCase());
}

function allowsKeys(selector: Selector, command: Command, words: Words): boolean {
  const { bytes, starts, lengths, count } = words;
  const { plainRights } = command;
  if (plainRights >= 0) {
    const last = command.lastKey < 0 ? count + command.lastKey : command.lastKey;
    // Words that make no sense name no keys: the command says what is wrong with them.
    if (last >= count) return true;
    for (let i = command.firstKey; i <= last; i += command.keyStep) {
      if (selector.allowsKey(bytes, starts[i], lengths[i], plainRights)) continue;
      selectorWord = i;
      return false;
    }
    return true;
  }
  keys ??= getUsedKeys(command, words) ?? NO_KEYS;
  for (const { index, flags } of keys) {
    if (selector.allowsKey(bytes, starts[index], lengths[index], rightsFor(flags))) continue;
    selectorWord = index;
    return false;
  }
  return true;
}

function allowsChannels(selector: Selector, command: Command, words: Words): boolean {
  const { bytes, starts, lengths } = words;
  const isPattern = command.channelUse === "psubscribe";
  const last = command.channelUse === "publish" ? 1 : words.count - 1;
  for (let i = 1; i <= last; i++) {
    if (selector.allowsChannel(bytes, starts[i], lengths[i], isPattern)) continue;
    selectorWord = i;
    return false;
  }
  return true;
}

/**
 * Whether a selector allows this call and to read every key beside: what names of keys that a command makes up
 * as it runs need (SORT). True for who is no user.
 */
export function mayReadAllKeys(user: User | null, command: Command, words: Words): boolean {
  if (user === null || user.isUnrestricted) return true;
  keys = null;
  return user.selectors.some((selector) =>
    selector.allowsAnyKey(MAY_READ) && tryOne(selector, command, words) === DENIED_NOTHING
  );
}

/** What is told of a refusal, without a code. With `names`, the key or channel is named. */
export function denialText(
  denied: number,
  user: User,
  command: Command,
  words: Words,
  names = false,
): string {
  if (denied === DENIED_COMMAND) {
    return `User ${user.name} has no permissions to run the '${command.fullName}' command`;
  }
  const what = denied === DENIED_KEY ? "key" : "channel";
  return names
    ? `User ${user.name} has no permissions to access the '${words.text(deniedWord)}' ${what}`
    : `No permissions to access a ${what}`;
}

/** What EXEC answers where rights have changed since the command was queued. */
export function execDenialText(denied: number): string {
  const reason = denied === DENIED_COMMAND
    ? "no permission to execute the command or subcommand"
    : denied === DENIED_KEY
    ? "no permission to touch the specified keys"
    : "no permission to access one of the channels used as arguments";
  return "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC " +
    `call. This command is no longer allowed for the following reason: ${reason}`;
}
