/**
 * Writes the engine as a module: a .wasm is part of a program in a different way on each runtime, a
 * string is so everywhere. Used by build.sh; takes the .wasm and the module to write.
 */

import { deflateRawSync } from "node:zlib";

const [source, target] = Deno.args;
const engine = Deno.readFileSync(source);
const packed = deflateRawSync(engine, { level: 9 });
Deno.writeTextFileSync(
  target,
  `/** The engine of scripts, deflated, in base64; made by tools/lua/build.sh. */
export const LUA_WASM =
  "${packed.toString("base64")}";

/** Its size once inflated. */
export const LUA_WASM_BYTES = ${engine.length};
`,
);
