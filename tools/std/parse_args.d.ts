/**
 * `parseArgs` of `@std/cli` (version 1) for the options that this project uses. The package's own types
 * go further (collected and negatable options, aliases among the results); what they allow beyond this
 * is an error here.
 */

/** Options that take a value are undefined when they are missing and have no default. */
type Parsed<B extends string, S extends string, D> =
  & { [name in B]: boolean }
  & { [name in S]: name extends keyof D ? D[name] : string | undefined }
  & { _: (string | number)[] };

export interface ParseOptions<B extends string, S extends string, D> {
  boolean?: readonly B[];
  string?: readonly S[];
  alias?: Record<string, string | readonly string[]>;
  default?: D;
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

export function parseArgs<
  const B extends string = never,
  const S extends string = never,
  D extends { [name in S]?: string } = Record<never, never>,
>(args: string[], options?: ParseOptions<B, S, D>): Parsed<B, S, D>;
