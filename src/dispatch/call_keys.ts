/**
 * Where the keys of a call are. Beside the path: COMMAND GETKEYS asks for all there is to know, tracking
 * of what clients read for the places alone.
 */

import type { Words } from "../resp/words.ts";
import { type Command, FLAG_MOVABLEKEYS } from "./command.ts";
import { type KeyPosition, keysFromSpecs } from "./key_specs.ts";

/**
 * The keys of a call, `words` being all of it with the name(s) first; null when they cannot be told
 * because the words make no sense. Does not look at arity. A command's `findKeys` is asked where its
 * specifications fail, or where they say that what is done to the keys varies.
 */
export function getKeys(command: Command, words: Words): KeyPosition[] | null {
  const { keys = [], findKeys } = command.definition;
  const varies = keys.some((spec) => spec.flags.includes("variable_flags"));
  if (varies && findKeys !== undefined) return findKeys(words);
  return keysFromSpecs(keys, words) ??
    (findKeys === undefined ? null : findKeys(words));
}

/**
 * The keys that a call uses if it is run, to ask for rights: those of `getKeys`, but where that, as Redis, takes
 * another word for the key than the command does.
 */
export function getUsedKeys(command: Command, words: Words): KeyPosition[] | null {
  const { findUsedKeys } = command.definition;
  return findUsedKeys === undefined ? getKeys(command, words) : findUsedKeys(words);
}

/** Calls `visit` with the index of each word that is a key; with none where the words make no sense. */
export function forEachKey(command: Command, words: Words, visit: (index: number) => void): void {
  if ((command.flagBits & FLAG_MOVABLEKEYS) !== 0) {
    for (const { index } of getKeys(command, words) ?? []) visit(index);
    return;
  }
  const { firstKey, keyStep } = command;
  if (firstKey === 0) return;
  const last = command.lastKey < 0 ? words.count + command.lastKey : command.lastKey;
  for (let i = firstKey; i <= last && i < words.count; i += keyStep) visit(i);
}
