/** The parts of README.md that tools write, each between its two marks. */

/**
 * The text with another content between the marks of a part:
 *
 *     <!-- name: printed by … -->
 *     <!-- end of name -->
 *
 * Throws when it does not have the marks.
 */
export function replacePart(text: string, name: string, content: string): string {
  const begin = new RegExp(`^<!-- ${name}: printed by .* -->\\n`, "m").exec(text);
  const to = text.indexOf(`<!-- end of ${name} -->`);
  if (begin === null || to < begin.index) {
    throw new Error(`README.md lacks the marks of its part "${name}"`);
  }
  return `${text.slice(0, begin.index + begin[0].length)}\n${content}\n${text.slice(to)}`;
}
