/**
 * A selector: commands that are allowed, and keys and channels that they may name. A user has one of
 * these, and may have more (`( … )`): what one of them allows as a whole is allowed.
 *
 * Dispatch asks `allowsKey` and `allowsChannel` where the bits that a user has prepared do not say it
 * all; see user.ts. What changes a selector is in selector_rules.ts.
 */

import { latin1 } from "../base/bytes.ts";
import { equalBytes } from "../base/bytes.ts";
import { globMatch } from "../base/glob.ts";
import type { CommandCatalog } from "./catalog.ts";

/** The content of a key may reach the client. */
export const MAY_READ = 1 << 0;
/** A key may be changed. */
export const MAY_WRITE = 1 << 1;
export const MAY_ALL = MAY_READ | MAY_WRITE;

/** A pattern of keys, and what may be done to those that match. */
export interface KeyPattern {
  /** latin1. */
  readonly text: string;
  readonly bytes: Uint8Array;
  /** MAY_*. */
  readonly rights: number;
}

/** A pattern of channels. */
export interface ChannelPattern {
  readonly text: string;
  readonly bytes: Uint8Array;
}

export class Selector {
  allKeys = false;
  allChannels: boolean;
  /** All commands, without a look at the bits. */
  allCommands = false;
  /** 1 for each command that is allowed, by its number; the last is for commands to come. */
  readonly allowed: Uint8Array;
  /** By number of a command that is not allowed: first arguments, in lower case, with which it is. */
  firstArguments: ReadonlyMap<number, readonly string[]> = new Map();
  keyPatterns: readonly KeyPattern[] = [];
  channelPatterns: readonly ChannelPattern[] = [];
  /** The rules about commands behind `+@all` or `-@all`, with their signs, in order. */
  commandRules: readonly string[] = [];

  /** Allows nothing, but for channels where new users may use all of them. */
  constructor(readonly catalog: CommandCatalog, allChannels: boolean) {
    this.allChannels = allChannels;
    this.allowed = new Uint8Array(catalog.futureId + 1);
  }

  /** Another one that allows the same. */
  copy(): Selector {
    const copy = new Selector(this.catalog, this.allChannels);
    copy.allKeys = this.allKeys;
    copy.allCommands = this.allCommands;
    copy.allowed.set(this.allowed);
    copy.firstArguments = this.firstArguments;
    copy.keyPatterns = this.keyPatterns;
    copy.channelPatterns = this.channelPatterns;
    copy.commandRules = this.commandRules;
    return copy;
  }

  /** Whether all commands are allowed that are not in the catalog. */
  get allowsFuture(): boolean {
    return this.allowed[this.catalog.futureId] !== 0;
  }

  /** Whether these rights (MAY_*, 0 for any) are given to a key. */
  allowsKey(bytes: Uint8Array, start: number, length: number, rights: number): boolean {
    if (this.allKeys) return true;
    for (const pattern of this.keyPatterns) {
      if ((pattern.rights & rights) !== rights) continue;
      const { bytes: glob } = pattern;
      if (globMatch(glob, 0, glob.length, bytes, start, length, false)) return true;
    }
    return false;
  }

  /** Whether these rights are given to every key there may be. */
  allowsAnyKey(rights: number): boolean {
    return this.allKeys ||
      this.keyPatterns.some((pattern) =>
        (pattern.rights & rights) === rights && pattern.text === "*"
      );
  }

  /** Whether a channel may be used; a pattern only if it stands here itself. */
  allowsChannel(bytes: Uint8Array, start: number, length: number, isPattern: boolean): boolean {
    return this.allChannels ||
      isAllowedChannel(this.channelPatterns, bytes, start, length, isPattern);
  }

  /**
   * Rules that make a selector like this one, as ACL LIST shows them. Shown by Redis, not all of them could be read
   * again: those of a file can, between brackets (`isNested`) or not.
   */
  describe(isForFile = false, isNested = false): string {
    const word = isForFile && isNested ? nestedWord : (text: string) => text;
    const parts = this.allKeys ? ["~*"] : this.#keyRules(isForFile).map(word);
    if (this.allChannels) parts.push("&*");
    else {
      parts.push("resetchannels");
      for (const { text } of this.channelPatterns) parts.push(word(`&${text}`));
    }
    parts.push(this.allowsFuture ? "+@all" : "-@all", ...this.commandRules.map(word));
    return parts.join(" ");
  }

  /** `~*` would be read as all keys, behind which no further pattern is taken. */
  #keyRules(isForFile: boolean): string[] {
    return this.keyPatterns.map(keyRule).map((rule) => rule === "~*" && isForFile ? "%RW~*" : rule);
  }

  /** The rules about commands. */
  describeCommands(): string {
    return [this.allowsFuture ? "+@all" : "-@all", ...this.commandRules].join(" ");
  }

  /** The rules about keys. */
  describeKeys(): string {
    return this.allKeys ? "~*" : this.keyPatterns.map(keyRule).join(" ");
  }

  /** The rules about channels. */
  describeChannels(): string {
    return this.allChannels ? "&*" : this.channelPatterns.map(({ text }) => `&${text}`).join(" ");
  }
}

/** Whether one of these patterns allows a channel, or (`isPattern`) is the pattern itself. */
export function isAllowedChannel(
  patterns: readonly ChannelPattern[],
  bytes: Uint8Array,
  start: number,
  length: number,
  isPattern: boolean,
): boolean {
  return patterns.some(({ bytes: glob }) =>
    isPattern
      ? equalBytes(glob, 0, glob.length, bytes, start, length)
      : globMatch(glob, 0, glob.length, bytes, start, length, false)
  );
}

/** A pattern of keys from its text. */
export function keyPattern(text: string, rights: number): KeyPattern {
  return { text, bytes: latin1(text), rights };
}

function keyRule({ text, rights }: KeyPattern): string {
  return (rights === MAY_ALL ? "~" : rights === MAY_READ ? "%R~" : "%W~") + text;
}

/**
 * A selector in brackets is split with quotes, so what has some is quoted itself; so is what would seem to be its
 * end.
 */
function nestedWord(text: string): string {
  return /["']|\)$/.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text;
}
