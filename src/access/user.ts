/**
 * A user: whether and with which passwords one may come as it, and the selectors that say what it may do.
 *
 * What dispatch asks first is prepared here: for each command one byte that says yes, no, or that the words
 * have to be looked at (`access`). It is made anew with every change of a user, which is rare.
 */

import { latin1 } from "../base/bytes.ts";
import { sha256 } from "../base/sha256.ts";
import type { CatalogCommand, CommandCatalog } from "./catalog.ts";
import { Selector } from "./selector.ts";

/** No selector allows the command. */
export const ACCESS_DENIED = 0;
/** A selector allows it with all keys and channels that it could name. */
export const ACCESS_ALLOWED = 1;
/** It depends on keys, channels or the first argument. */
export const ACCESS_DEPENDS = 2;

/** The name of the user that a client is at first. */
export const DEFAULT_USER = "default";

/** The hash by which rules know a password (a byte string): SHA-256 in hexadecimal digits. */
export function passwordHash(password: string): string {
  return sha256(latin1(password)).toHex();
}

export class User {
  isOn = false;
  /** Any password is right. */
  isNoPass = false;
  /** Shown, and no more: payloads are sanitized always. */
  skipsSanitizing = false;
  /** SHA-256 of each, in hexadecimal digits. */
  passwords: readonly string[] = [];
  /** The first is what rules without brackets are about. Not to be changed where they are: see `copy`. */
  selectors: readonly [Selector, ...Selector[]];
  /** ACCESS_* for each command, by its number. */
  access = new Uint8Array(0);
  /** Whether all is allowed, so that nobody needs to ask. */
  isUnrestricted = false;

  /** A user who may do nothing, but for channels where new users may use all of them. */
  constructor(readonly name: string, readonly catalog: CommandCatalog, allChannels: boolean) {
    this.selectors = [new Selector(catalog, allChannels)];
    this.prepare();
  }

  /** Another one of this name who may do the same, to try rules on. */
  draft(): User {
    const draft = new User(this.name, this.catalog, false);
    draft.become(this);
    return draft;
  }

  /** Takes over all that is said of another user, but for the name. */
  become(other: User): void {
    this.isOn = other.isOn;
    this.isNoPass = other.isNoPass;
    this.skipsSanitizing = other.skipsSanitizing;
    this.passwords = other.passwords;
    const [root, ...others] = other.selectors;
    this.selectors = [root.copy(), ...others.map((each) => each.copy())];
    this.prepare();
  }

  /** Puts what the selectors say into `access`: to be called after each change. */
  prepare(): void {
    const { catalog } = this;
    this.access = new Uint8Array(catalog.futureId + 1);
    for (const command of catalog.all) this.access[command.id] = this.#accessTo(command);
    const isAll = ({ allowsFuture, allKeys, allChannels }: Selector) =>
      allowsFuture && allKeys && allChannels;
    this.access[catalog.futureId] = this.selectors.some(isAll)
      ? ACCESS_ALLOWED
      : this.selectors.some(({ allowsFuture }) => allowsFuture)
      ? ACCESS_DEPENDS
      : ACCESS_DENIED;
    this.isUnrestricted = this.access.every((access) => access === ACCESS_ALLOWED);
  }

  #accessTo({ id, isFree, hasKeys, channelUse }: CatalogCommand): number {
    let access = ACCESS_DENIED;
    for (const selector of this.selectors) {
      if (selector.allCommands || isFree || selector.allowed[id] !== 0) {
        const allowsKeys = !hasKeys || selector.allKeys;
        const allowsChannels = channelUse === null || selector.allChannels;
        if (allowsKeys && allowsChannels) return ACCESS_ALLOWED;
        access = ACCESS_DEPENDS;
      } else if (selector.firstArguments.has(id)) access = ACCESS_DEPENDS;
    }
    return access;
  }

  /** Whether one may come as this user with a password; `isSame` compares in constant time. */
  accepts(
    password: string,
    isSame: (given: Uint8Array, secret: Uint8Array) => boolean,
  ): boolean {
    if (!this.isOn) return false;
    if (this.isNoPass) return true;
    const given = latin1(passwordHash(password));
    let isRight = false;
    // All are compared, so that the time does not tell which one it was.
    for (const hash of this.passwords) isRight = isSame(given, latin1(hash)) || isRight;
    return isRight;
  }

  /** The words that GETUSER calls flags. */
  flags(): string[] {
    const flags = [this.isOn ? "on" : "off"];
    if (this.isNoPass) flags.push("nopass");
    flags.push(this.skipsSanitizing ? "skip-sanitize-payload" : "sanitize-payload");
    return flags;
  }

  /** Rules that make a user like this one out of a new one; see `Selector.describe`. */
  #describe(isForFile: boolean): string {
    const [root, ...others] = this.selectors;
    return [
      ...this.flags(),
      ...this.passwords.map((hash) => `#${hash}`),
      root.describe(isForFile),
      ...others.map((each) => `(${each.describe(isForFile, true)})`),
    ].join(" ");
  }

  /** What ACL LIST shows of it. */
  get line(): string {
    return `user ${this.name} ${this.#describe(false)}`;
  }

  /** The line of a file that makes it again. */
  get fileLine(): string {
    return `user ${this.name} ${this.#describe(true)}`;
  }
}
