/**
 * The commands as rules see them: each has a number, by which selectors keep what they allow. The catalog
 * is of all commands under their own names, whatever `rename-command` makes of them, so that rules mean
 * the same everywhere.
 */

/** How a command uses the channels that it names; null where it names none that need a right. */
export type ChannelUse = "publish" | "subscribe" | "psubscribe";

// What a command needs beside the right to run it.
/** Rights for keys. */
export const NEEDS_KEYS = 1 << 0;
/** Rights for channels. */
export const NEEDS_CHANNELS = 1 << 1;
/** Not even the right to run it. */
export const NEEDS_NOTHING = 1 << 2;

/** What the catalog is told of a command. */
export interface CatalogEntry {
  /** "get", or "config|get". */
  readonly fullName: string;
  /** Bits of ACL_CATEGORIES. */
  readonly categoryBits: number;
  /** Needs no right to be run (AUTH, HELLO, RESET, QUIT). */
  readonly isFree: boolean;
  /** May name keys. */
  readonly hasKeys: boolean;
  readonly channelUse: ChannelUse | null;
  /** By lower-case name without the container's; null if it is no container. */
  readonly subcommands: ReadonlyMap<string, CatalogEntry> | null;
}

/** A command in the catalog. */
export interface CatalogCommand extends CatalogEntry {
  readonly id: number;
  /** The container of a subcommand; else null. */
  readonly parent: CatalogCommand | null;
  readonly subcommands: ReadonlyMap<string, CatalogCommand> | null;
}

export class CommandCatalog {
  /** By number; a container comes before its subcommands. */
  readonly all: readonly CatalogCommand[];
  /** NEEDS_* of each, by its number; the last is for commands that are not in the catalog. */
  readonly needs: Uint8Array;
  readonly #byName = new Map<string, CatalogCommand>();
  readonly #byCategory = new Map<number, readonly number[]>();

  constructor(entries: Iterable<CatalogEntry>) {
    const all: CatalogCommand[] = [];
    const add = (entry: CatalogEntry, parent: CatalogCommand | null): CatalogCommand => {
      const subcommands = entry.subcommands === null ? null : new Map<string, CatalogCommand>();
      const { fullName, categoryBits, isFree, hasKeys, channelUse } = entry;
      const command: CatalogCommand = {
        id: all.length,
        fullName,
        categoryBits,
        isFree,
        hasKeys,
        channelUse,
        parent,
        subcommands,
      };
      all.push(command);
      this.#byName.set(fullName, command);
      for (const [name, each] of entry.subcommands ?? []) {
        subcommands!.set(name, add(each, command));
      }
      return command;
    };
    for (const entry of entries) add(entry, null);
    this.all = all;
    this.needs = Uint8Array.of(...all.map(needsOf), NEEDS_KEYS | NEEDS_CHANNELS);
  }

  /**
   * The number that stands for all commands that are not in the catalog: they are allowed to whom all
   * commands are, and to nobody else.
   */
  get futureId(): number {
    return this.all.length;
  }

  /** The numbers of all commands that change with a category: those in it, and all of a container in it. */
  idsOf(categoryBit: number): readonly number[] {
    let ids = this.#byCategory.get(categoryBit);
    if (ids === undefined) {
      const isIn = ({ categoryBits }: CatalogEntry) => (categoryBits & categoryBit) !== 0;
      ids = this.all.filter((each) => isIn(each) || (each.parent !== null && isIn(each.parent)))
        .map(({ id }) => id);
      this.#byCategory.set(categoryBit, ids);
    }
    return ids;
  }

  /** The number of a command. */
  idOf(fullName: string): number {
    return this.#byName.get(fullName)?.id ?? this.futureId;
  }

  /** The command or subcommand ("config|get") of this name, in any case; null if there is none. */
  find(name: string): CatalogCommand | null {
    return this.#byName.get(name.toLowerCase()) ?? null;
  }
}

function needsOf({ isFree, hasKeys, channelUse }: CatalogEntry): number {
  return (isFree ? NEEDS_NOTHING : 0) | (hasKeys ? NEEDS_KEYS : 0) |
    (channelUse === null ? 0 : NEEDS_CHANNELS);
}
