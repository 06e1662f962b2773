/** `@std/path` where JSR cannot be reached: the npm copy with types of ours. */

// @ts-types="./path.d.ts"
export * from "deno-std/path/mod.js";
