/** What the charts draw with. Numbers are rounded to a tenth: finer than a screen, and the files stay small. */

/** A text that begins at `x`, unless its class says otherwise; "" is the plain class. */
export function text(x: number, y: number, style: string, content: string): string {
  const named = style === "" ? "" : ` class="${style}"`;
  return `<text${named} x="${round(x)}" y="${round(y)}">${content}</text>`;
}

/** A horizontal line. */
export function level(left: number, width: number, y: number, style: string): string {
  return `<line class="${style}" x1="${round(left)}" x2="${round(left + width)}" y1="${
    round(y)
  }" y2="${round(y)}"/>`;
}

/** A vertical line. */
export function upright(x: number, top: number, height: number, style: string): string {
  return `<line class="${style}" x1="${round(x)}" x2="${round(x)}" y1="${round(top)}" y2="${
    round(top + height)
  }"/>`;
}

export function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
