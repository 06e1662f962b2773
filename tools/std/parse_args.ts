/** `@std/cli/parse-args` where JSR cannot be reached: the npm copy with types of ours. */

// @ts-types="./parse_args.d.ts"
export * from "deno-std/cli/parse_args.js";
