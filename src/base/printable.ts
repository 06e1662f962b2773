/** Text from outside on its way into lines that people and programs read: the log, INFO, MONITOR. */

/** What ends or hides a line: control bytes, also those above ASCII, and the two line ends of Unicode. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\0-\x1f\x7f-\x9f\u2028\u2029]/;
const ALL_CONTROLS = new RegExp(CONTROLS, "g");

const NAMED: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The text in one line: control characters are shown as \n, \r, \t or \xHH. */
export function oneLine(text: string): string {
  return CONTROLS.test(text) ? text.replace(ALL_CONTROLS, shown) : text;
}

function shown(control: string): string {
  const code = control.charCodeAt(0);
  return NAMED[control] ??
    (code > 0xff ? "\\u" + code.toString(16) : "\\x" + code.toString(16).padStart(2, "0"));
}

const ESCAPES: Record<string, string> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\x07": "\\a",
  "\b": "\\b",
};

/** Latin1 text in double quotes, what cannot be printed as \xHH. */
export function quoted(text: string): string {
  let out = '"';
  for (const c of text) {
    const escape = ESCAPES[c];
    if (escape !== undefined) out += escape;
    else if (c >= " " && c <= "~") out += c;
    else out += "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0");
  }
  return out + '"';
}
