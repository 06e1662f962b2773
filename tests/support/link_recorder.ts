/**
 * Writes down what goes through a LinkProxy, in the form that replication_transcript.ts reads: the counterpart of that
 * file. Bytes are put together to items of the protocol, whatever pieces they came in.
 */

import { toLatin1 } from "../../src/base/bytes.ts";
import type { Direction, Link, LinkWatcher } from "./replication_proxy.ts";
import { wordsOf } from "./replication_transcript.ts";

const HEAD = [
  'How to read: "R->M" is what the replica sends to its master, "R<-M" what the master sends. \\r \\n \\xNN',
  "are escapes, everything else is the byte itself; one protocol item a line. The number in front is",
  "seconds. Behind # are remarks: what a client did meanwhile, and the replication offset after the item",
  "(the sum of the bytes of the stream since the offset that +FULLRESYNC or PSYNC named).",
];

/** Characters of a snapshot in a line. */
const RDB_COLUMNS = 100;
const INDENT = " ".repeat(22);

export class LinkRecorder implements LinkWatcher {
  readonly #lines: string[] = [];
  readonly #startMs = performance.now();
  readonly #items = new Map<Link, LinkItems>();

  /** LinkWatcher. */
  opened(link: Link): void {
    this.#items.set(link, new LinkItems((text) => this.#lines.push(`${this.#time()}  ${text}`)));
    if (link.index > 0) this.#event(link, "opens");
  }

  /** LinkWatcher. */
  passed(link: Link, direction: Direction, bytes: Uint8Array): void {
    this.#items.get(link)!.take(direction, toLatin1(bytes));
  }

  /** LinkWatcher. */
  closed(link: Link): void {
    this.#event(link, "closes");
  }

  #event({ index }: Link, what: string): void {
    const number = `#${index + 1}`.padEnd(13);
    this.#lines.push(`${this.#time()}  ${number}# (connection ${index + 1} ${what})`);
  }

  #time(): string {
    return ((performance.now() - this.#startMs) / 1000).toFixed(3).padStart(7);
  }

  /** What a client did, or what was seen. */
  note(text: string): void {
    this.#lines.push(`# ${text}`);
  }

  /** All that was recorded up to now, under a title and what is to be known of it. */
  transcript(title: string, about: string): string {
    return [title, about, "", ...HEAD, "", ...this.#lines, ""].join("\n");
  }
}

/** One connection: its bytes as items. */
class LinkItems {
  readonly #pending: Record<Direction, string> = { toMaster: "", toReplica: "" };
  /** What comes next from the master. */
  #next: "lines" | "rdb" | "stream" = "lines";
  /** How a snapshot ends: at this mark, or after so many bytes. */
  #mark = "";
  #length = 0;
  /** NaN where the replica and the master count none. */
  #offset = NaN;
  /** What PSYNC has asked for. */
  #asked = NaN;

  constructor(readonly write: (text: string) => void) {}

  take(direction: Direction, text: string): void {
    this.#pending[direction] += text;
    const isToMaster = direction === "toMaster";
    while (isToMaster ? this.#request() : this.#answer());
  }

  #request(): boolean {
    const item = this.#cut("toMaster", itemLength(this.#pending.toMaster));
    if (item === "") return false;
    const words = wordsOf(item);
    if (words[0]?.toUpperCase() === "PSYNC") this.#asked = Number(words[2]) - 1;
    this.write(`R->M  ${escaped(item)}`);
    return true;
  }

  #answer(): boolean {
    if (this.#next === "rdb") return this.#snapshot();
    const item = this.#cut("toReplica", itemLength(this.#pending.toReplica));
    if (item === "") return false;
    const remark = this.#next === "stream" ? this.#counted(item) : this.#understood(item);
    this.write(`R<-M  ${escaped(item)}${remark === "" ? "" : `      # ${remark}`}`);
    return true;
  }

  #counted(item: string): string {
    this.#offset += item.length;
    return Number.isNaN(this.#offset) ? "" : `offset ${this.#offset}`;
  }

  /** Draws the conclusions of a line before the stream; answers the remark on it. */
  #understood(item: string): string {
    const full = /^\+FULLRESYNC (\w+) (\d+)/.exec(item);
    if (full !== null) {
      this.#offset = Number(full[2]);
      return `full resync: replid ${full[1]}, offset ${full[2]}`;
    }
    if (item.startsWith("+CONTINUE")) {
      this.#offset = this.#asked;
      this.#next = "stream";
    } else if (item.startsWith("$EOF:")) {
      this.#mark = item.slice(5, 45);
      this.#next = "rdb";
      return "RDB without length: ends at the 40-byte mark";
    } else if (item.startsWith("$")) {
      this.#length = Number(item.slice(1));
      this.#next = "rdb";
      return "RDB of this length";
    }
    return "";
  }

  #snapshot(): boolean {
    const { toReplica } = this.#pending;
    const length = this.#mark === "" ? this.#length : toReplica.indexOf(this.#mark);
    if (length < 0 || toReplica.length < length) return false;
    const rdb = this.#cut("toReplica", length);
    const text = escaped(rdb).replaceAll(" ", "\\x20");
    const lines = text.match(new RegExp(`.{1,${RDB_COLUMNS}}`, "g"))!;
    this.write([`R<-M      # RDB payload, ${length} bytes`, ...lines].join(`\n${INDENT}`));
    if (this.#mark !== "") {
      this.#cut("toReplica", this.#mark.length);
      this.write(`R<-M  ${this.#mark}      # the mark again: end of the RDB`);
    }
    this.#next = "stream";
    return true;
  }

  #cut(direction: Direction, length: number): string {
    const text = this.#pending[direction];
    this.#pending[direction] = text.slice(length);
    return text.slice(0, length);
  }
}

/** The length of the first item, a line or an array of words; 0 if not all of it is there. */
function itemLength(text: string): number {
  if (text[0] === "\n") return 1;
  let end = text.indexOf("\r\n") + 2;
  if (end === 1 || text[0] !== "*") return end === 1 ? 0 : end;
  for (let left = Number(text.slice(1, end)); left > 0; left--) {
    const size = text.indexOf("\r\n", end) + 2;
    if (size === 1) return 0;
    end = size + Number(text.slice(end + 1, size)) + 2;
  }
  return end <= text.length ? end : 0;
}

const SHORT: Record<string, string | undefined> = {
  "\r": "\\r",
  "\n": "\\n",
  "\t": "\\t",
  "\\": "\\\\",
};

function escaped(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x1f\\\x7f-\xff]/g,
    (byte) => SHORT[byte] ?? `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
