/**
 * The commands of a stream of writes as replication asks about them: what they are called, which version of Redis brought
 * them, and which keys they write. Beside the path: only where the stream is put into other words.
 */

import type { StreamCommand } from "../replication/bridge/translator.ts";
import type { Words } from "../resp/words.ts";
import { getUsedKeys } from "./call_keys.ts";
import type { Command } from "./command.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { type KeyFlag, type KeyPosition, keysFromSpecs } from "./key_specs.ts";

/** What a command that changes a key does to it. */
const WRITES: readonly KeyFlag[] = ["RW", "OW", "RM"];

export class StreamCommands {
  readonly #known = new Map<Command, StreamCommand>();

  constructor(readonly dispatcher: Dispatcher) {}

  /** The command or subcommand that these words name; null for none. */
  of(words: Words): StreamCommand | null {
    const { bytes, starts, lengths } = words;
    const command = this.dispatcher.find(bytes, starts[0], lengths[0]);
    if (command === null || command.subcommands === null) return command && this.#of(command);
    if (words.count === 1) return null;
    const subcommand = command.subcommands.get(words.text(1).toLowerCase());
    return subcommand === undefined ? null : this.#of(subcommand);
  }

  #of(command: Command): StreamCommand {
    let known = this.#known.get(command);
    if (known === undefined) {
      const { name, since } = command.definition;
      known = { name, since, keysOf: (words) => keysOf(command, words) };
      this.#known.set(command, known);
    }
    return known;
  }
}

function keysOf(command: Command, words: Words): ReturnType<StreamCommand["keysOf"]> {
  const keys = command.hasKeys ? getUsedKeys(command, words) ?? foundKeys(command, words) : [];
  return keys?.filter(({ flags }) => !flags.includes("not_key"))
    .map(({ index, flags }) => ({
      index,
      isWritten: WRITES.some((flag) => flags.includes(flag)),
    })) ??
    null;
}

/**
 * The keys of those specifications that find some: one that finds none (`PFMERGE key`, without sources) is no error to
 * the command. Null when none does.
 */
function foundKeys({ definition: { keys = [] } }: Command, words: Words): KeyPosition[] | null {
  const found = keys.flatMap((spec) => keysFromSpecs([spec], words) ?? []);
  return found.length === 0 ? null : found;
}
