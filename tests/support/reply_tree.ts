/**
 * A ReplySink that keeps what is written to it as plain values: arrays and sets as arrays, maps as
 * objects, strings as strings, errors as `{ error: text }`.
 */

import { toLatin1 } from "../../src/base/bytes.ts";
import type { ReplySink } from "../../src/commands/command_docs.ts";

/** A reply as a value. */
export type Reply = string | number | null | Reply[] | { [name: string]: Reply };

/** Runs `write` and gives back the one reply that it wrote; throws if it wrote less or more. */
export function replyOf(write: (sink: ReplySink) => void): Reply {
  const tree = new TreeSink();
  write(tree);
  return tree.reply();
}

interface Open {
  value: Reply[] | { [name: string]: Reply };
  missing: number;
  name: string | null;
}

class TreeSink implements ReplySink {
  readonly #root: Open = { value: [], missing: 1, name: null };
  readonly #open: Open[] = [this.#root];

  reply(): Reply {
    if (this.#open.length > 0) throw new Error("Cannot read the reply: it is not complete");
    return (this.#root.value as Reply[])[0];
  }

  array(n: number): void {
    this.#begin([], n);
  }
  set(n: number): void {
    this.#begin([], n);
  }
  map(n: number): void {
    this.#begin({}, 2 * n);
  }
  bulk(text: string): void {
    this.#put(text);
  }
  bytes(value: Uint8Array): void {
    this.#put(toLatin1(value));
  }
  status(text: string): void {
    this.#put(text);
  }
  int(n: number): void {
    this.#put(n);
  }
  null(): void {
    this.#put(null);
  }
  error(text: string): void {
    this.#put({ error: text });
    this.#close();
  }

  /** Opens `value` for the elements that follow; one without elements is complete at once. */
  #begin(value: Open["value"], missing: number): void {
    this.#put(value);
    this.#open.push({ value, missing, name: null });
    this.#close();
  }

  #put(value: Reply): void {
    const top = this.#open.at(-1);
    if (top === undefined) throw new Error("Cannot write: the reply is complete");
    if (Array.isArray(top.value)) top.value.push(value);
    else if (top.name === null) top.name = value as string;
    else {
      top.value[top.name] = value;
      top.name = null;
    }
    top.missing--;
    if (value === null || typeof value !== "object") this.#close();
  }

  #close(): void {
    while (this.#open.at(-1)?.missing === 0) this.#open.pop();
  }
}
