/**
 * Recorded replication links between real servers of many versions (tests/fixtures/replication), read
 * back into bytes. The head of each file explains how it is written.
 */

const folder = new URL("../fixtures/replication/", import.meta.url);

/** One line, or one RDB, of a transcript. */
export type Item =
  /** Bytes of the link; `remark` is what the recorder noted behind them. */
  | { kind: "bytes"; from: string; to: string; bytes: string; isRdb: boolean; remark: string }
  | { kind: "opens" | "closes"; connection: number }
  /** A line behind `#`: what a client did, what INFO said. */
  | { kind: "note"; text: string };

/** A part of a transcript under its own heading. */
export interface Section {
  /** Empty for what comes before the first heading. */
  title: string;
  items: Item[];
}

export interface Transcript {
  title: string;
  sections: Section[];
}

/** Bytes of a link, and where they went. */
export type Bytes = Extract<Item, { kind: "bytes" }>;

export function isBytes(item: Item): item is Bytes {
  return item.kind === "bytes";
}

/** The items of a section that belong to the link of replica R and its master M, and the notes. */
export function linkItems(section: Section): Item[] {
  return section.items.filter((item) =>
    !isBytes(item) || [item.from, item.to].sort().join() === "M,R"
  );
}

/** Reads a transcript, a file name without ".txt". */
export function readTranscript(name: string): Transcript {
  return parseTranscript(Deno.readTextFileSync(new URL(`${name}.txt`, folder)));
}

const BYTES = /^ *\d+\.\d+ {2}(\w+)(->|<-)(\w+) {2}(.*)$/;
const EVENT = /^ *\d+\.\d+ {2}#(\d+) +# \(connection \d+ (opens|closes)\)$/;
const RDB_HEAD = /^ {4}# RDB payload, (\d+) bytes$/;
/** What continues an RDB: its remarks, then its bytes. */
const CONTINUED = /^ {22}/;

export function parseTranscript(text: string): Transcript {
  const lines = text.split("\n");
  const sections: Section[] = [{ title: "", items: [] }];
  const title = lines[0];
  const head = lines.findIndex((line) => line.startsWith("How to read:"));
  let at = lines.indexOf("", head);
  while (at < lines.length) {
    const line = lines[at++];
    if (line.trim() === "") continue;
    const heading = /^# (?:---|===) (.*)$/.exec(line);
    if (heading !== null) {
      sections.push({ title: heading[1], items: [] });
      continue;
    }
    const { items } = sections[sections.length - 1];
    if (line.startsWith("#")) {
      items.push({ kind: "note", text: line.slice(1).trimStart() });
      continue;
    }
    const event = EVENT.exec(line);
    if (event !== null) {
      items.push({ kind: event[2] as "opens" | "closes", connection: Number(event[1]) });
      continue;
    }
    const found = BYTES.exec(line);
    if (found === null) throw new Error(`${title}: line ${at} is of no known form: ${line}`);
    const [, left, arrow, right, rest] = found;
    const [from, to] = arrow === "->" ? [left, right] : [right, left];
    const rdb = RDB_HEAD.exec(rest);
    if (rdb === null) {
      const [, escaped, remark = ""] = /^(.*?)(?: {6}# (.*))?$/s.exec(rest)!;
      items.push({ kind: "bytes", from, to, bytes: unescape(escaped), isRdb: false, remark });
      continue;
    }
    let escaped = "";
    while (at < lines.length && CONTINUED.test(lines[at])) {
      const continued = lines[at++].slice(22);
      if (!continued.startsWith("# ") || escaped !== "") escaped += continued;
    }
    const bytes = unescape(escaped);
    if (bytes.length !== Number(rdb[1])) {
      throw new Error(`${title}: an RDB of ${rdb[1]} bytes was read as ${bytes.length}`);
    }
    items.push({ kind: "bytes", from, to, bytes, isRdb: true, remark: "" });
  }
  return { title, sections: sections.filter(({ items }) => items.length > 0) };
}

function unescape(text: string): string {
  return text.replace(/\\(?:r|n|t|\\|x([0-9a-f]{2}))/g, (escape, hex) => {
    if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
    return { "\\r": "\r", "\\n": "\n", "\\t": "\t", "\\\\": "\\" }[escape as string]!;
  });
}

/** The words of one command, inline or as an array of RESP. */
export function wordsOf(bytes: string): string[] {
  if (bytes[0] !== "*") return bytes.trim().split(" ").filter((word) => word !== "");
  const words: string[] = [];
  let at = bytes.indexOf("\r\n") + 2;
  while (at < bytes.length) {
    const end = bytes.indexOf("\r\n", at);
    const size = Number(bytes.slice(at + 1, end));
    words.push(bytes.slice(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return words;
}
