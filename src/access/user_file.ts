/**
 * The text of the file that `aclfile` names: a line for each user, `user <name> <rule> …`, and empty
 * ones. It is read whole before anything of it is of effect; all errors are told at once.
 */

import { RuleError } from "./rule_error.ts";
import { hasSpaces } from "./selector_rules.ts";
import { applyRule, joinSelectors, UnmatchedBracket } from "./user_rules.ts";
import { User } from "./user.ts";
import type { Users } from "./users.ts";

/** The users of a file, and what is wrong with it: sentences with a space behind each, empty if nothing. */
export interface ParsedUsers {
  readonly users: readonly User[];
  readonly errors: string;
}

/** Reads users out of a file's text (latin1); `file` is its name as errors show it. */
export function parseUserFile(
  text: string,
  file: string,
  { catalog, context }: Users,
): ParsedUsers {
  const users = new Map<string, User>();
  let errors = "";
  text.split("\n").forEach((untrimmed, i) => {
    const line = untrimmed.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
    if (line === "") return;
    const at = `${file}:${i + 1}`;
    const [keyword, name, ...rules] = line.split(" ");
    if (keyword !== "user" || name === undefined) {
      errors += `${at} should start with user keyword followed by the username. `;
    } else if (hasSpaces(name)) {
      errors += `'${at}: username '${name}' contains invalid characters. `;
    } else if (users.has(name)) {
      errors += `WARNING: Duplicate user '${name}' found on line ${i + 1}. `;
    } else {
      const user = new User(name, catalog, context.allChannels);
      users.set(name, user);
      errors += applyLine(user, rules, at, context);
      user.prepare();
    }
  });
  return { users: [...users.values()], errors };
}

/** Applies the rules of a line; answers with what is wrong with them. */
function applyLine(user: User, words: string[], at: string, context: Users["context"]): string {
  let rules: string[];
  try {
    rules = joinSelectors(words);
  } catch (error) {
    if (!(error instanceof UnmatchedBracket)) throw error;
    return `${at}: Unmatched parenthesis in selector definition.`;
  }
  let errors = "";
  let isTold = false;
  for (const untrimmed of rules) {
    const rule = untrimmed.replace(/^[\t\r\n]+|[\t\r\n]+$/g, "");
    try {
      applyRule(user, rule, context);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      // A name that is unknown is no secret; of other rules only the first is told of, without itself.
      if (error.problem === "unknown") {
        errors += `${at}: Error in applying operation '${rule}': ${error.message}. `;
      } else if (!isTold) {
        errors += `${at}: ${error.message}. `;
        isTold = true;
      }
    }
  }
  return errors;
}

/** The text of a file of these users. */
export function userFileText(users: readonly User[]): string {
  return users.map(({ fileLine }) => `${fileLine}\n`).join("");
}
