/** What a script says of itself, in its first line or where it registers a function. */

import { splitWords } from "../config/parse.ts";
import { toLatin1 } from "../base/bytes.ts";
import { ReplyError } from "../resp/reply_error.ts";

/** Changes nothing; implies that it may run when memory is full. */
export const SCRIPT_NO_WRITES = 1 << 0;
export const SCRIPT_ALLOW_OOM = 1 << 1;
export const SCRIPT_ALLOW_STALE = 1 << 2;
export const SCRIPT_NO_CLUSTER = 1 << 3;
export const SCRIPT_ALLOW_CROSS_SLOT = 1 << 5;
/** Has no first line that says anything: each command is judged by itself, as before there were flags. */
export const SCRIPT_WITHOUT_FLAGS = 1 << 4;

/** The names of flags, in the order in which FUNCTION LIST shows them. */
export const SCRIPT_FLAGS: readonly (readonly [name: string, bit: number])[] = [
  ["no-writes", SCRIPT_NO_WRITES],
  ["allow-oom", SCRIPT_ALLOW_OOM],
  ["allow-stale", SCRIPT_ALLOW_STALE],
  ["no-cluster", SCRIPT_NO_CLUSTER],
  ["allow-cross-slot-keys", SCRIPT_ALLOW_CROSS_SLOT],
];

/** The bit of a flag, 0 if there is none of that name. */
export function scriptFlag(name: string): number {
  return SCRIPT_FLAGS.find(([each]) => each === name)?.[1] ?? 0;
}

/** The first line of a script or library that begins with "#!". */
export interface Shebang {
  /** What is behind "#!": "lua". */
  readonly engine: string;
  /** The words behind it. */
  readonly options: readonly string[];
  /** Bytes before the line end. */
  readonly length: number;
}

/** Reads the first line if it begins with "#!": null when it does not, "broken" when it has no end or no words. */
export function readShebang(source: Uint8Array): Shebang | null | "no end" | "no words" {
  if (source[0] !== 0x23 || source[1] !== 0x21) return null;
  const length = source.indexOf(10);
  if (length < 0) return "no end";
  const words = splitWords(source, 0, length);
  if (words === null || words.length === 0) return "no words";
  const [engine, ...options] = words.map((word) => toLatin1(word));
  return { engine: engine.slice(2), options, length };
}

/** The flags of a script for EVAL, and how many bytes its first line has. @throws ReplyError */
export function scriptFlagsOf(source: Uint8Array): { flags: number; shebangBytes: number } {
  const shebang = readShebang(source);
  if (shebang === null) return { flags: SCRIPT_WITHOUT_FLAGS, shebangBytes: 0 };
  if (shebang === "no end") throw new ReplyError("ERR Invalid script shebang");
  if (shebang === "no words") throw new ReplyError("ERR Invalid engine in script shebang");
  if (shebang.engine !== "lua") {
    throw new ReplyError(`ERR Unexpected engine in script shebang: #!${shebang.engine}`);
  }
  let flags = 0;
  for (const option of shebang.options) {
    if (!option.startsWith("flags=")) {
      throw new ReplyError(`ERR Unknown lua shebang option: ${option}`);
    }
    const list = option.slice("flags=".length);
    for (const name of list === "" ? [] : list.split(",")) {
      const bit = scriptFlag(name);
      if (bit === 0) throw new ReplyError(`ERR Unexpected flag in script shebang: ${name}`);
      flags |= bit;
    }
  }
  return { flags, shebangBytes: shebang.length };
}
