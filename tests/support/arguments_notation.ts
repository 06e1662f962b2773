/** The notation of src/commands/arguments_syntax.ts, written from arguments: its parser reversed. */

import type { Argument } from "../../src/commands/arguments_syntax.ts";

/** Arguments as one line of notation. */
export function notationOf(args: readonly Argument[]): string {
  return args.map(argumentNotation).join(" ");
}

function argumentNotation(arg: Argument): string {
  const flags = arg.flags ?? [];
  const isTokenRepeated = flags.includes("multiple_token");
  let text = bodyNotation(arg);
  if (arg.type !== "pure-token" && arg.token !== undefined) {
    text = `${arg.token}${isTokenRepeated ? "..." : ""} ${text}`;
  }
  const index = arg.key_spec_index ?? 0;
  if (index > 0 || (arg.type !== "key" && arg.key_spec_index === 0)) text += `#${index}`;
  if (flags.includes("multiple") && !isTokenRepeated) text += "...";
  if (arg.since !== undefined || arg.deprecated_since !== undefined) text += `@${arg.since ?? ""}`;
  if (arg.deprecated_since !== undefined) text += `-${arg.deprecated_since}`;
  return flags.includes("optional") ? `[${text}]` : text;
}

function bodyNotation({ name, type, token = "", arguments: members = [] }: Argument): string {
  const quotedName = /^[a-z0-9][\w-]*$/.test(name) ? name : `"${name}"`;
  const defaultType = name === "key" || name === "pattern" ? name : "string";
  switch (type) {
    case "pure-token": {
      const isWord = /^[A-Z][\w-]*$/.test(token);
      if (isWord && token.toLowerCase() === name) return token;
      return `${quotedName}:${isWord ? token : `"${token}"`}`;
    }
    case "oneof":
      return `${quotedName}:(${members.map(argumentNotation).join(" | ")})`;
    case "block":
      return `${quotedName}:(${notationOf(members)})`;
    default:
      return type === defaultType ? quotedName : `${quotedName}:${type}`;
  }
}
