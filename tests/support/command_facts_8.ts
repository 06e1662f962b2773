/** What Redis 8 answers to COMMAND DOCS of commands that 7.2 has too, where options came that are here as well. */

import type { CommandFact } from "./command_facts.ts";

const VALUE_CONDITIONS = ["IFEQ", "IFNE", "IFDEQ", "IFDNE"].map((token) => ({
  name: `${token.toLowerCase()}-${token.includes("D") ? "digest" : "value"}`,
  type: "string" as const,
  token,
  since: "8.4.0",
}));
const POLICY = {
  name: "condition",
  type: "oneof" as const,
  since: "8.2.0",
  flags: ["optional" as const],
  arguments: ["KEEPREF", "DELREF", "ACKED"].map((token) => ({
    name: token.toLowerCase(),
    type: "pure-token" as const,
    token,
  })),
};

/** By full name: makes the fields that differ out of those of 7.2. */
export const CHANGES_OF_8: Readonly<
  Record<string, (fact: CommandFact) => Partial<CommandFact>>
> = {
  // 8.4; digests are integers there, which they are not, and strings since 8.8.
  set: ({ arguments: before = [], history = [] }) => ({
    arguments: before.map((argument) =>
      argument.name === "condition"
        ? { ...argument, arguments: [...argument.arguments!, ...VALUE_CONDITIONS] }
        : argument
    ),
    history: [...history, ["8.4.0", ""]],
  }),
  // 8.2, whose history says nothing of it.
  bitop: ({ arguments: [operation, ...rest] = [] }) => ({
    arguments: [{
      name: operation.name,
      type: "oneof" as const,
      arguments: ["AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE"].map((token) => ({
        name: token.toLowerCase(),
        type: "pure-token" as const,
        token,
      })),
    }, ...rest],
    history: [["8.2.0", ""]],
  }),
  // 8.2.
  xadd: ({ arguments: [key, nomkstream, ...rest] = [], history = [] }) => ({
    arguments: [key, nomkstream, POLICY, ...rest],
    history: [...history, ["8.2.0", ""]],
  }),
  xtrim: ({ arguments: [key, trim] = [], history = [] }) => ({
    arguments: [key, { ...trim, arguments: [...trim.arguments!, POLICY] }],
    history: [...history, ["8.2.0", ""]],
  }),
};
