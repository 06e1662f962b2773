/**
 * Replies as the comparing tests handle them: every type of the wire kept apart (a null bulk is not
 * a null array, a set is not an array) in one uniform shape, and a one-line rendering, which is what
 * gets compared and what a person reads when two servers disagree.
 */

import type { Reply as ClientReply } from "../support/resp_client.ts";

/** One reply. `text` holds the bytes of a scalar, `items` the elements of an aggregate. */
export interface Reply {
  kind:
    | "status"
    | "error"
    | "integer"
    | "bulk"
    | "nil"
    | "double"
    | "boolean"
    | "bigNumber"
    | "verbatim"
    | "array"
    | "set"
    | "map"
    | "push"
    | "attribute"
    /** Not of the wire: the connection ended, or nothing came in time. */
    | "silence";
  text: string;
  /** Elements of an aggregate; of a map, keys and values in turn. */
  items: Reply[];
}

/** A reply that never came; `why` says what was seen instead. */
export function silence(why: string): Reply {
  return { kind: "silence", text: why, items: [] };
}

/** A reply of the test client in the form that is compared here. */
export function fromClient(reply: ClientReply): Reply {
  switch (reply.kind) {
    case "integer":
      return { kind: "integer", text: String(reply.value), items: [] };
    case "boolean":
      return { kind: "boolean", text: reply.value ? "t" : "f", items: [] };
    case "null":
      return { kind: "nil", text: reply.form, items: [] };
    case "array":
    case "set":
    case "push":
      return { kind: reply.kind, text: "", items: reply.items.map(fromClient) };
    case "map":
    case "attribute":
      return {
        kind: reply.kind,
        text: "",
        items: reply.entries.flatMap(([name, value]) => [fromClient(name), fromClient(value)]),
      };
    default:
      return { kind: reply.kind, text: reply.text, items: [] };
  }
}

/** A word between quotes, with what is not printable ASCII escaped as redis-cli does. */
export function quote(text: string): string {
  return '"' + escape(text, '"\\') + '"';
}

/** Escapes what is not printable ASCII, and the characters of `also`. */
function escape(text: string, also: string): string {
  let out = "";
  for (const char of text) {
    const code = char.charCodeAt(0);
    if (also.includes(char)) out += "\\" + char;
    else if (char === "\n") out += "\\n";
    else if (char === "\r") out += "\\r";
    else if (char === "\t") out += "\\t";
    else if (code < 32 || code > 126) out += "\\x" + code.toString(16).padStart(2, "0");
    else out += char;
  }
  return out;
}

/**
 * A reply on one line: `+OK`, `-ERR …`, `:1`, `"bulk"`, `(nil)`, `[a, b]`, and of RESP3 `,1.5`,
 * `#t`, `~[a, b]`, `{k => v}`. Two replies are the same exactly if their renderings are.
 */
export function render(reply: Reply): string {
  switch (reply.kind) {
    case "status":
      return "+" + escape(reply.text, "");
    case "error":
      return "-" + escape(reply.text, "");
    case "integer":
      return ":" + reply.text;
    case "bulk":
      return quote(reply.text);
    case "nil":
      return reply.text === "$-1" ? "(nil)" : reply.text === "*-1" ? "(nil array)" : "(null)";
    case "double":
      return "," + reply.text;
    case "boolean":
      return "#" + reply.text;
    case "bigNumber":
      return "(" + reply.text;
    case "verbatim":
      return "=" + quote(reply.text);
    case "array":
      return "[" + reply.items.map(render).join(", ") + "]";
    case "set":
      return "~[" + reply.items.map(render).join(", ") + "]";
    case "push":
      return ">[" + reply.items.map(render).join(", ") + "]";
    case "map":
      return "{" + renderPairs(reply.items).join(", ") + "}";
    case "attribute":
      return "|{" + renderPairs(reply.items).join(", ") + "}";
    case "silence":
      return `(no reply: ${reply.text})`;
  }
}

/** The renderings of each two neighbours of a flat list of keys and values. */
export function renderPairs(items: Reply[]): string[] {
  const pairs: string[] = [];
  for (let i = 0; i < items.length; i += 2) {
    const value = items[i + 1];
    pairs.push(render(items[i]) + " => " + (value === undefined ? "(none)" : render(value)));
  }
  return pairs;
}
