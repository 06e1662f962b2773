/**
 * Writes the engine as a module: a .wasm is part of a program in a different way on each runtime, a
 * string is so everywhere. Used by build.sh; takes the .wasm and the module to write.
 *
 * LZF, because the server has it at hand: the runtime's zlib takes Deno more than 50 ms to load.
 */

import { lzfCompress } from "../../src/rdb/lzf.ts";

const [source, target] = Deno.args;
const engine = Deno.readFileSync(source);
const packed = new Uint8Array(engine.length);
const length = lzfCompress(engine, 0, engine.length, packed, 0, packed.length);
const text = Array.from(packed.subarray(0, length), (byte) => String.fromCharCode(byte));
const base64 = btoa(text.join(""));
Deno.writeTextFileSync(
  target,
  `/** The engine of scripts in LZF and base64; made by tools/lua/build.sh. */
export const LUA_WASM =
  "${base64}";

/** Its size in bytes. */
export const LUA_WASM_BYTES = ${engine.length};
`,
);
