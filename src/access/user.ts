/**
 * A user: whether and with which passwords one may come as it, and the selectors that say what it may do.
 *
 * What dispatch asks first is prepared here: for each command one byte that says yes, no, or that the words
 * have to be looked at (`access`). It is made anew with every change of a user, which is rare.
 */

import { latin1 } from "../base/bytes.ts";
import { sha256 } from "../base/sha256.ts";
import { type CommandCatalog, NEEDS_CHANNELS, NEEDS_KEYS, NEEDS_NOTHING } from "./catalog.ts";
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
  /** The first is what rules without brackets are about. Changed in a draft only: users may share them. */
  selectors: readonly [Selector, ...Selector[]];
  /** ACCESS_* for each command, by its number; where nothing stands, all is to be looked at. */
  access: Uint8Array = new Uint8Array(0);
  /** Whether all is allowed, so that nobody needs to ask. */
  isUnrestricted = false;

  /** A user who may do nothing, but for channels where new users may use all of them. */
  constructor(readonly name: string, readonly catalog: CommandCatalog, allChannels: boolean) {
    this.selectors = [new Selector(catalog, allChannels)];
  }

  /** Another one of this name who may do the same, to try rules on. */
  draft(): User {
    const draft = new User(this.name, this.catalog, false);
    draft.become(this);
    const [root, ...others] = this.selectors;
    draft.selectors = [root.copy(), ...others.map((each) => each.copy())];
    return draft;
  }

  /** Takes over all that is said of another user, but for the name. */
  become(other: User): void {
    this.isOn = other.isOn;
    this.isNoPass = other.isNoPass;
    this.skipsSanitizing = other.skipsSanitizing;
    this.passwords = other.passwords;
    this.selectors = other.selectors;
    this.access = other.access;
    this.isUnrestricted = other.isUnrestricted;
  }

  /** Puts what the selectors say into a new `access`: to be called after each change. */
  prepare(): void {
    const { needs } = this.catalog;
    const access = new Uint8Array(needs.length);
    for (const selector of this.selectors) {
      const { allowed, allCommands, allKeys, allChannels, firstArguments } = selector;
      const lacks = (allKeys ? 0 : NEEDS_KEYS) | (allChannels ? 0 : NEEDS_CHANNELS);
      for (let id = 0; id < access.length; id++) {
        if (access[id] === ACCESS_ALLOWED) continue;
        if (!allCommands && allowed[id] === 0 && (needs[id] & NEEDS_NOTHING) === 0) continue;
        access[id] = (needs[id] & lacks) === 0 ? ACCESS_ALLOWED : ACCESS_DEPENDS;
      }
      for (const id of firstArguments.keys()) {
        if (access[id] === ACCESS_DENIED) access[id] = ACCESS_DEPENDS;
      }
    }
    this.access = access;
    this.isUnrestricted = access.every((each) => each === ACCESS_ALLOWED);
  }

  /** Whether one may come as this user with a password; `isSame` compares in constant time. */
  accepts(
    password: string,
    isSame: (given: Uint8Array, secret: Uint8Array) => boolean,
  ): boolean {
    if (this.isOn && this.isNoPass) return true;
    const given = latin1(passwordHash(password));
    let isRight = false;
    // All are compared, so that the time does not tell which one it was, or whether the user is on.
    for (const hash of this.passwords) isRight = isSame(given, latin1(hash)) || isRight;
    return isRight && this.isOn;
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

/** Who may do nothing, and whom no password fits: it takes as long to find that out as of a user that there is. */
export function nobody(catalog: CommandCatalog): User {
  const user = new User(DEFAULT_USER, catalog, false);
  user.passwords = ["0".repeat(64)];
  user.prepare();
  return user;
}
