/**
 * The one user that there is, "default": what `requirepass` makes of it, in the terms of ACL rules.
 * Real servers write it into the file at each CONFIG REWRITE, so such a line is nothing unusual.
 */

import { latin1 } from "../base/bytes.ts";
import { sha256 } from "../base/sha256.ts";

/** The hash by which ACL rules know a password (a byte string): SHA-256 in hexadecimal digits. */
export function passwordHash(password: string): string {
  return sha256(latin1(password)).toHex();
}

/** Rules of the user, as ACL LIST shows them and a real server writes them into its file. */
export function defaultUserRules(requirepass: string | null): string[] {
  const hasPassword = requirepass !== null && requirepass !== "";
  return ["on", hasPassword ? "#" + passwordHash(requirepass) : "nopass", "~*", "&*", "+@all"];
}

/**
 * Whether the words behind `user` in a file say just what `requirepass` says: the default user, on,
 * with that password or none, allowed everything. Anything else would be dropped silently.
 */
export function saysRequirepass(words: readonly string[], requirepass: string | null): boolean {
  const [name, ...rules] = words;
  if (name !== "default") return false;
  // Payloads are always sanitized, whether a rule asks for it or not.
  const said = new Set(
    rules.map(plainRule).filter((rule) => !/^(skip-)?sanitize-payload$/.test(rule)),
  );
  const wanted = defaultUserRules(requirepass);
  return said.size === wanted.length && wanted.every((rule) => said.has(rule));
}

/** One spelling for rules that have several. */
function plainRule(rule: string): string {
  if (rule[0] === ">") return "#" + passwordHash(rule.slice(1));
  const folded = rule.toLowerCase();
  switch (folded) {
    case "allkeys":
      return "~*";
    case "allchannels":
      return "&*";
    case "allcommands":
      return "+@all";
    default:
      return folded;
  }
}
