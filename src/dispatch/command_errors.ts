/** The error texts of requests that name no command, or give one the wrong number of words. */

import { toLatin1 } from "../base/bytes.ts";
import type { Words } from "../resp/words.ts";
import type { Command } from "./command.ts";

/** No command has this name. */
export function unknownCommand(words: Words): string {
  const name = shownText(words, 0, 128);
  let shown = "";
  for (let i = 1; i < words.count && shown.length < 128; i++) {
    shown += `'${shownText(words, i, 128 - shown.length)}' `;
  }
  return `ERR unknown command '${name}', with args beginning with: ${shown}`;
}

/** The beginning of a word as error texts show it: up to a zero byte. */
export function shownText(words: Words, index: number, lengthMax: number): string {
  return toLatin1(words.bytes, words.starts[index], Math.min(words.lengths[index], lengthMax))
    .replace(/\0[^]*$/, "");
}

/** The container has no such subcommand. Its name is as it was called, which `rename-command` changes. */
export function unknownSubcommand(words: Words): string {
  return `ERR unknown subcommand '${shownText(words, 1, 128)}'. ` +
    `Try ${shownText(words, 0, 128).toUpperCase()} HELP.`;
}

/** The command is there, the number of words is not what it takes. */
export function wrongArity(command: Command): string {
  return `ERR wrong number of arguments for '${command.fullName}' command`;
}
