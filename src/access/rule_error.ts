/** Why a rule cannot be applied, in the words of ACL SETUSER. */

const TEXTS = {
  syntax: "Syntax error",
  unknown: "Unknown command or category name in ACL",
  afterAllKeys:
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not " +
    "have any effect. Try 'resetkeys' to start with an empty list of patterns",
  afterAllChannels:
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and " +
    "does not have any effect. Try 'resetchannels' to start with an empty list of channels",
  noSuchPassword: "The password you are trying to remove from the user does not exist",
  badHash:
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal " +
    "characters",
  firstArgument: "Allowing first-arg of a subcommand is not supported",
  duplicate: "Duplicate user found. A user can only be defined once in config files",
} as const;

/** What is wrong with a rule. */
export type RuleProblem = keyof typeof TEXTS;

/** The text of a problem. */
export function problemText(problem: RuleProblem): string {
  return TEXTS[problem];
}

/** A rule that cannot be applied; its message has no code. */
export class RuleError extends Error {
  constructor(readonly problem: RuleProblem) {
    super(TEXTS[problem]);
  }
}
