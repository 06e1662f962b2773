/** What a configuration asks for in vain, for the warnings of a start. */

import type { Config } from "./config.ts";
import { type DirectiveName, DIRECTIVES, type NotActing, notActing } from "./table.ts";

/**
 * What was set although nothing here looks at it: first what the start would have been refused for,
 * had it not been told to ignore that, then what does no harm.
 */
export function withoutEffect(config: Config): NotActing[] {
  const harmless = notActing().filter(({ name }) =>
    Object.hasOwn(DIRECTIVES, name) && !config.isDefault(name as DirectiveName)
  );
  return [...config.ignored, ...harmless];
}
