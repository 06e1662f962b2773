/** Options whose value is a number. */

import { type ToolCall, UsageError } from "./tool.ts";

/** The number that an option was given, null where it was not. @throws UsageError */
export function numberOption(
  call: ToolCall,
  name: string,
  min: number,
  max: number,
): number | null {
  const text = call.option(name);
  if (text === null) return null;
  const number = Number(text);
  if (/^\d{1,15}$/.test(text) && number >= min && number <= max) return number;
  throw new UsageError(`--${name} is a number from ${min} to ${max}, not ${text}`);
}
