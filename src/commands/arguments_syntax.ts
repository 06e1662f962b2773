/**
 * A compact notation for the arguments of a command, and its parser.
 *
 * Beside the path: definitions write their arguments in it, command_docs.ts parses it when COMMAND
 * DOCS is asked, never before. It reads like the syntax line of a manual page and expresses all that
 * COMMAND DOCS of Redis 7.0 says of arguments:
 *
 *     key value [condition:(NX | XX)] [GET] [expiration:(EX seconds:integer | KEEPTTL)]
 *
 *     name             a string; called "key" or "pattern": a key or a pattern
 *     name:type        string, integer, double, key, pattern, unix-time
 *     key#1            found by the key specification with that index (0 unless said)
 *     TOKEN            a word that stands for itself; its name is the word in lower case
 *     name:TOKEN       the same with another name
 *     TOKEN name       an argument that follows a word
 *     name:(a | b)     one of several
 *     name:(a b)       several in a row
 *     [ ... ]          optional
 *     name...          once or more often
 *     TOKEN... name    once or more often, the word each time
 *     ...@6.2.0        since that version; @2.4.0-2.8.12 deprecated since the second (@-2.8.12: only)
 *     "ip:port"        quotes: a name or a token made of other characters than letters, digits, _ -
 *
 * The order of suffixes is `name:type#1...@6.2.0`. White space separates; line breaks are white
 * space, so a long command is written over several lines.
 *
 *     list  := item*                 item := '[' arg ']' | arg
 *     arg   := TOKEN ['...'] plain | plain
 *     plain := TOKEN end | name [':' (type | TOKEN | '(' list ')' | '(' item ('|' item)+ ')')] end
 *     end   := ['#' digits] ['...'] ['@' version ['-' version]]
 */

/** The types of COMMAND DOCS. */
export type ArgumentType =
  | "string"
  | "integer"
  | "double"
  | "key"
  | "pattern"
  | "unix-time"
  | "pure-token"
  | "oneof"
  | "block";

/** Properties of an argument, in the order of COMMAND DOCS. */
export type ArgumentFlag = "optional" | "multiple" | "multiple_token";

/** An argument as COMMAND DOCS describes it; fields that do not apply are absent. */
export interface Argument {
  name: string;
  type: ArgumentType;
  key_spec_index?: number;
  token?: string;
  since?: string;
  deprecated_since?: string;
  flags?: ArgumentFlag[];
  arguments?: Argument[];
}

const WORD_TYPES: readonly string[] = [
  "string",
  "integer",
  "double",
  "key",
  "pattern",
  "unix-time",
];

/** Parses the notation; throws an Error that shows the place when it is malformed. */
export function parseArguments(notation: string): Argument[] {
  const parser = new Parser(notation);
  const list = parser.list();
  if (!parser.atEnd()) parser.fail("nothing to close here");
  return list;
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skipSpace();
  }

  atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  fail(what: string): never {
    const before = this.#text.slice(0, this.#at);
    const after = this.#text.slice(this.#at);
    throw new Error(`Cannot parse arguments: ${what}: "${before}<here>${after}"`);
  }

  /** Items up to the end, a closing bracket or a bar. */
  list(): Argument[] {
    const items: Argument[] = [];
    while (!this.atEnd() && !/[\])|]/.test(this.#text[this.#at])) items.push(this.#item());
    return items;
  }

  #item(): Argument {
    if (!this.#take("[")) return this.#argument();
    const item = this.#argument();
    if (!this.#take("]")) this.fail("expected ]");
    item.flags = ["optional", ...(item.flags ?? [])];
    return item;
  }

  #argument(): Argument {
    const token = this.#match(/[A-Z][\w-]*/y);
    if (token === undefined) return this.#named();

    // A token belongs to the argument behind it, unless there is none or that is a token too.
    const end = this.#at;
    const repeated = this.#takeAdjacent("...");
    this.#skipSpace();
    if (/["a-z0-9]/.test(this.#text[this.#at] ?? "")) {
      const arg = this.#named();
      if (arg.token !== undefined) this.fail(`${token} stands before another token`);
      arg.token = token;
      if (repeated) arg.flags = ["multiple", "multiple_token"];
      return arg;
    }
    this.#at = end;
    return this.#end({ name: token.toLowerCase(), type: "pure-token", token });
  }

  #named(): Argument {
    const name = this.#quoted() ?? this.#match(/[a-z0-9][\w-]*/y);
    if (name === undefined) this.fail("expected an argument");
    if (!this.#takeAdjacent(":")) {
      return this.#end({ name, type: name === "key" || name === "pattern" ? name : "string" });
    }
    if (this.#take("(")) return this.#group(name);

    const token = this.#quoted() ?? this.#match(/[A-Z][\w-]*/y);
    if (token !== undefined) return this.#end({ name, type: "pure-token", token });
    const type = this.#match(/[a-z-]+/y);
    if (type === undefined || !WORD_TYPES.includes(type)) this.fail("expected a type");
    return this.#end({ name, type: type as ArgumentType });
  }

  #group(name: string): Argument {
    const members = this.list();
    if (members.length === 0) this.fail("expected an argument");
    let type: ArgumentType = "block";
    while (this.#take("|")) {
      if (type === "block" && members.length > 1) this.fail("more than one argument before |");
      type = "oneof";
      members.push(this.#item());
    }
    if (!this.#takeAdjacent(")")) this.fail("expected )");
    return this.#end({ name, type, arguments: members });
  }

  /** The suffixes, up to the white space that ends an argument. */
  #end(arg: Argument): Argument {
    const { arguments: members, ...result } = arg;
    const index = this.#match(/#(\d+)/y);
    if (index !== undefined) result.key_spec_index = Number(index.slice(1));
    else if (arg.type === "key") result.key_spec_index = 0;
    if (this.#takeAdjacent("...")) result.flags = ["multiple"];
    const versions = this.#match(/@[\d.]*(-[\d.]+)?/y);
    if (versions !== undefined) {
      const [since, deprecatedSince] = versions.slice(1).split("-");
      if (since !== "") result.since = since;
      if (deprecatedSince !== undefined) result.deprecated_since = deprecatedSince;
    }
    if (!this.atEnd() && !/[\s\])|]/.test(this.#text[this.#at])) this.fail("expected white space");
    this.#skipSpace();
    return members === undefined ? result : { ...result, arguments: members };
  }

  #quoted(): string | undefined {
    return this.#match(/"[^"]*"/y)?.slice(1, -1);
  }

  /** Consumes what matches, but no white space behind it: a suffix may follow. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text)?.[0];
    if (match !== undefined) this.#at += match.length;
    return match;
  }

  #takeAdjacent(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #take(text: string): boolean {
    const taken = this.#takeAdjacent(text);
    if (taken) this.#skipSpace();
    return taken;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }
}
