/** `@std/assert` where JSR cannot be reached: the npm copy, which has no types, with ours. */

// @ts-types="./assert.d.ts"
export * from "deno-std/assert/mod.js";
