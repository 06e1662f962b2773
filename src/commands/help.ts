/**
 * The answer of a container's HELP subcommand, in the layout that Redis gives it: a usage line, then
 * each subcommand with what it does, indented. Off the hot path; the sentences stand beside the
 * handlers.
 */

import type { Call } from "../dispatch/call.ts";

/** A subcommand with its arguments, and lines that say what it does. */
export type HelpEntry = readonly [usage: string, ...explanation: string[]];

/** Writes the HELP of a container under the name it was called by; the entry of HELP itself is added. */
export function writeHelp({ reply, words }: Call, entries: readonly HelpEntry[]): void {
  const container = words.text(0).toUpperCase();
  const lines = [`${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`];
  for (const [usage, ...explanation] of [...entries, HELP_ENTRY]) {
    lines.push(usage);
    for (const line of explanation) lines.push("    " + line);
  }
  reply.array(lines.length);
  for (const line of lines) reply.status(line);
}

const HELP_ENTRY: HelpEntry = ["HELP", "Show this text."];
