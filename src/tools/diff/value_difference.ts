/** In what two values of the same type differ, part by part. */

import { quoted } from "../../base/printable.ts";
import type { ValuePart } from "./value_parts.ts";

/** What is told of a part: as a person reads it, with the two sides, null where it is not there. */
export interface PartDifference {
  readonly part: string;
  readonly a: string | null;
  readonly b: string | null;
}

/** Bytes of a content that are shown. */
const SHOWN_BYTES = 40;
/** Of a string: bytes shown before the first one that differs. */
const SHOWN_BEFORE = 8;

/** Compares the parts of B, which are given all, with those of A, which are shown one by one. */
export class ValueDifference {
  /** The first differences. */
  readonly found: PartDifference[] = [];
  /** How many there are. */
  count = 0;
  readonly #others = new Map<string, ValuePart>();
  #elements = 0;
  #otherElements = 0;
  #hasFirstElement = false;

  /** Shows at most `shown` of them; expiries differ when they are more than `toleranceMs` apart. */
  constructor(readonly shown: number, readonly toleranceMs: number) {}

  /** A part of the value in B. */
  other(part: ValuePart): void {
    if (part.kind === "element") this.#otherElements++;
    this.#others.set(`${part.kind} ${part.name}`, part);
  }

  /** A part of the value in A. */
  one(part: ValuePart): void {
    if (part.kind === "element") this.#elements++;
    const key = `${part.kind} ${part.name}`;
    const other = this.#others.get(key);
    if (other === undefined) return this.#add(part, contentOf(part), null);
    this.#others.delete(key);
    if (part.content !== other.content) {
      if (part.kind === "string") return this.#addString(part.content, other.content);
      return this.#add(part, contentOf(part), contentOf(other));
    }
    if (isSameTime(part.expiresAtMs, other.expiresAtMs, this.toleranceMs)) return;
    this.#add(
      part,
      `expires ${timeText(part.expiresAtMs)}`,
      `expires ${timeText(other.expiresAtMs)}`,
    );
  }

  /** All parts of A have been shown. */
  end(): void {
    for (const part of this.#others.values()) this.#add(part, null, contentOf(part));
    if (this.#elements === this.#otherElements) return;
    const part = "length";
    this.found.unshift({ part, a: String(this.#elements), b: String(this.#otherElements) });
    this.count++;
  }

  #add({ kind, name }: ValuePart, a: string | null, b: string | null): void {
    // Behind the first element that differs all may do so, because one more stands before them.
    if (kind === "element" && this.#hasFirstElement) return;
    this.#hasFirstElement ||= kind === "element";
    this.count++;
    if (this.found.length >= this.shown) return;
    this.found.push({
      part: kind === "element" ? `element ${name} on` : `${kind} ${name}`.trim(),
      a,
      b,
    });
  }

  #addString(a: string, b: string): void {
    let at = 0;
    while (at < a.length && a[at] === b[at]) at++;
    const from = Math.max(0, at - SHOWN_BEFORE);
    this.count++;
    this.found.push({
      part: `byte ${at} on`,
      a: `${shortened(a.slice(from))} (${a.length} bytes)`,
      b: `${shortened(b.slice(from))} (${b.length} bytes)`,
    });
  }
}

function contentOf({ content, isBytes }: ValuePart): string {
  return isBytes ? shortened(content) : content;
}

function shortened(text: string): string {
  return text.length <= SHOWN_BYTES ? quoted(text) : `${quoted(text.slice(0, SHOWN_BYTES))}…`;
}

/** Whether two expiries are at most so far apart; NaN is none. */
export function isSameTime(a: number, b: number, toleranceMs: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
  return Math.abs(a - b) <= toleranceMs;
}

/** An expiry for a person: the instant in UTC. */
export function timeText(ms: number): string {
  if (Number.isNaN(ms)) return "never";
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
