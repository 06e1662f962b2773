/** Commands in the text of a master's stream, one character per byte, as far as they have come. */

/** A command and how many bytes it has. */
export interface StreamCommandText {
  readonly words: string[];
  readonly size: number;
}

/** The command that the text begins with; null when it is not whole. @throws Error for what is no command */
export function nextCommand(text: string): StreamCommandText | null {
  const head = lineAt(text, 0);
  if (head === null) return null;
  const count = numberIn(head, "*");
  const words: string[] = [];
  let at = head.length + 2;
  for (let i = 0; i < count; i++) {
    const line = lineAt(text, at);
    if (line === null) return null;
    const length = numberIn(line, "$");
    at += line.length + 2;
    if (text.length < at + length + 2) return null;
    if (text.slice(at + length, at + length + 2) !== "\r\n") {
      throw new Error("a word without its end");
    }
    words.push(text.slice(at, at + length));
    at += length + 2;
  }
  return { words, size: at };
}

/** The line that begins there; null when its end has not come. */
function lineAt(text: string, at: number): string | null {
  const end = text.indexOf("\r\n", at);
  if (end >= 0) return text.slice(at, end);
  if (text.length - at > 32) throw new Error(`no end of a line: ${text.slice(at, at + 32)}`);
  return null;
}

function numberIn(line: string, sign: string): number {
  if (line[0] !== sign || !/^\d{1,10}$/.test(line.slice(1))) {
    throw new Error(`not ${sign}<count>: ${line}`);
  }
  return Number(line.slice(1));
}
