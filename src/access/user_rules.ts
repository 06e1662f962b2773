/**
 * Applies rules to a user, in their order:
 *
 *   on  off                                     whether one may come as this user
 *   >password  <password  #hash  !hash          adds a password, takes it back
 *   nopass  resetpass                           any password is right; there are none
 *   ( rule … )  clearselectors                  adds a selector; takes all of these back
 *   sanitize-payload  skip-sanitize-payload
 *   reset                                       as a new user
 *
 * Everything else is about the first selector: see selector_rules.ts.
 */

import { latin1, toLatin1 } from "../base/bytes.ts";
import { splitWords } from "../config/parse.ts";
import { problemText, RuleError } from "./rule_error.ts";
import { Selector } from "./selector.ts";
import { applySelectorRule } from "./selector_rules.ts";
import { passwordHash, type User } from "./user.ts";

/** What rules are applied with. */
export interface RuleContext {
  /** `acl-pubsub-default allchannels`: what is new allows all channels. */
  readonly allChannels: boolean;
}

/** A rule that is no good: the rule, and what is wrong with it. */
export class BadRule extends Error {
  constructor(readonly rule: string, readonly error: RuleError) {
    super(`Error in ACL SETUSER modifier '${rule}': ${error.message}`);
  }
}

/** A bracket without its counterpart. */
export class UnmatchedBracket extends Error {
  constructor(readonly rule: string) {
    super(`Unmatched parenthesis in acl selector starting at '${rule}'.`);
  }
}

/**
 * Changes the user as these rules (latin1) say, and prepares it.
 *
 * @throws BadRule or UnmatchedBracket, after which the user is good for nothing: rules are tried on a draft
 */
export function applyRules(user: User, rules: readonly string[], context: RuleContext): void {
  for (const rule of joinSelectors(rules)) {
    try {
      applyRule(user, rule, context);
    } catch (error) {
      throw error instanceof RuleError ? new BadRule(rule, error) : error;
    }
  }
  user.prepare();
}

/** Puts selectors together that are spread over several words. @throws UnmatchedBracket */
export function joinSelectors(rules: readonly string[]): string[] {
  const joined: string[] = [];
  let open: string | null = null;
  let beginning = "";
  for (const rule of rules) {
    if (open !== null) open += ` ${rule}`;
    else if (rule.startsWith("(") && !rule.endsWith(")")) open = beginning = rule;
    else {
      joined.push(rule);
      continue;
    }
    if (open !== beginning && rule.endsWith(")")) {
      joined.push(open);
      open = null;
    }
  }
  if (open !== null) throw new UnmatchedBracket(beginning);
  return joined;
}

/** One rule; without `prepare`. @throws RuleError, and then the user is as it was */
export function applyRule(user: User, rule: string, context: RuleContext): void {
  switch (rule.toLowerCase()) {
    case "":
      return;
    case "on":
      user.isOn = true;
      return;
    case "off":
      user.isOn = false;
      return;
    case "skip-sanitize-payload":
      user.skipsSanitizing = true;
      return;
    case "sanitize-payload":
      user.skipsSanitizing = false;
      return;
    case "nopass":
    case "resetpass":
      user.isNoPass = rule.toLowerCase() === "nopass";
      user.passwords = [];
      return;
    case "clearselectors":
      user.selectors = [user.selectors[0]];
      return;
    case "reset":
      return reset(user, context);
  }
  switch (rule[0]) {
    case ">":
    case "#":
      return addPassword(user, hashOf(rule));
    case "<":
    case "!":
      return removePassword(user, hashOf(rule));
    case "(":
      if (rule.endsWith(")")) return addSelector(user, rule.slice(1, -1), context);
  }
  applySelectorRule(user.selectors[0], rule);
}

function reset(user: User, { allChannels }: RuleContext): void {
  user.isOn = user.isNoPass = user.skipsSanitizing = false;
  user.passwords = [];
  user.selectors = [new Selector(user.catalog, allChannels)];
}

/** The hash that a rule gives, or that of the password that it gives. */
function hashOf(rule: string): string {
  const given = rule.slice(1);
  if (rule[0] === ">" || rule[0] === "<") return passwordHash(given);
  if (!/^[0-9a-f]{64}$/.test(given)) throw new RuleError("badHash");
  return given;
}

function addPassword(user: User, hash: string): void {
  user.isNoPass = false;
  if (!user.passwords.includes(hash)) user.passwords = [...user.passwords, hash];
}

function removePassword(user: User, hash: string): void {
  if (!user.passwords.includes(hash)) throw new RuleError("noSuchPassword");
  user.passwords = user.passwords.filter((each) => each !== hash);
}

function addSelector(user: User, text: string, { allChannels }: RuleContext): void {
  const words = splitWords(latin1(text));
  // Redis takes one whose quotes do not match for an empty one.
  if (words === null || text.includes("\0")) throw new RuleError("syntax");
  const selector = new Selector(user.catalog, allChannels);
  for (const word of words) applySelectorRule(selector, toLatin1(word));
  user.selectors = [...user.selectors, selector];
}

/** What is wrong with an error of `applyRules`, without the rule. */
export function problemOfRules(error: BadRule | UnmatchedBracket): string {
  return error instanceof BadRule ? problemText(error.error.problem) : error.message;
}
