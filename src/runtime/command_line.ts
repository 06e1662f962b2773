/**
 * The command line of this process as `ps` shows it. On Linux it lies in the memory of the process; its owner may
 * write over it, as programs in C do with their `argv`, so that a password in it can be read no longer than the
 * start takes.
 */

import { latin1 } from "../base/bytes.ts";
import { nodeFs } from "./builtin_modules.ts";

/** Fields of /proc/self/stat behind the name of the program: where the words of the command line begin and end. */
const BEGIN_FIELD = 45;
const END_FIELD = 46;

/** Puts a title in the place of the command line, cut to its length. Does nothing where that cannot be done. */
export function overwriteCommandLine(title: string): void {
  const files = nodeFs();
  let memory: number | null = null;
  try {
    const [begin, end] = commandLineAt(files.readFileSync("/proc/self/stat", "latin1"));
    const text = new Uint8Array(end - begin);
    text.set(latin1(title).subarray(0, Math.max(0, text.length - 1)));
    memory = files.openSync("/proc/self/mem", "r+");
    files.writeSync(memory, text, 0, text.length, begin);
  } catch {
    // No such files, or not for this process to write to: `ps` goes on with what was typed.
  } finally {
    if (memory !== null) files.closeSync(memory);
  }
}

/** @throws Error when there are no such addresses */
function commandLineAt(stat: string): [begin: number, end: number] {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const begin = Number(fields[BEGIN_FIELD]);
  const end = Number(fields[END_FIELD]);
  if (!(begin > 0 && end > begin && end - begin < 1 << 22)) throw new Error("No command line");
  return [begin, end];
}
