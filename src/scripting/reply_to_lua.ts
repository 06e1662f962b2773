/**
 * What a command has answered, as values of Lua: between the reply of a call and the script that made it.
 *
 *     RESP2                RESP3 (after redis.setresp(3))
 *     integer   number     double     {double = number}
 *     bulk      string     map        {map = {key = value …}}
 *     null      false      null       nil
 *     array     table      set        {set = {element = true …}}
 *     status    {ok = …}   boolean    boolean
 *     error     {err = …}  big number {big_number = …}
 *                          verbatim   {verbatim_string = {string = …, format = …}}
 *
 * Attributes are passed over.
 *
 * @see {@link https://redis.io/docs/latest/develop/programmability/lua-api/#data-type-conversion}
 */

import { parseDouble } from "../base/doubles.ts";
import { toLatin1 } from "../base/bytes.ts";
import type { LuaState } from "./lua_state.ts";

/** Replies nested deeper than this are none that a command gives. */
const DEPTH_ROOM = 8;

export class ReplyToLua {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(readonly lua: LuaState) {}

  /** Pushes the reply that begins at `at`; answers where it ends. */
  push(bytes: Uint8Array, at = 0): number {
    this.#bytes = bytes;
    this.#at = at;
    this.lua.checkStack(DEPTH_ROOM);
    this.#value();
    return this.#at;
  }

  #value(): void {
    const { lua } = this;
    const type = this.#bytes[this.#at++];
    switch (type) {
      case 0x3a: // ":"
        return lua.pushNumber(this.#integer());
      case 0x24: // "$"
        return this.#bulk();
      case 0x2b: // "+"
        return this.#lineIn("ok");
      case 0x2d: // "-"
        return this.#error();
      case 0x2a: // "*"
        return this.#array();
      case 0x25: // "%"
        return this.#map();
      case 0x7e: // "~"
        return this.#set();
      case 0x5f: // "_"
        this.#lineEnd();
        return lua.pushNil();
      case 0x23: { // "#"
        lua.pushBoolean(this.#bytes[this.#at] === 0x74);
        this.#lineEnd();
        return;
      }
      case 0x2c: { // ","
        lua.newTable(0, 1);
        lua.pushNumber(doubleOf(this.#line()));
        return lua.setField(-2, "double");
      }
      case 0x28: // "("
        return this.#lineIn("big_number");
      case 0x3d: // "="
        return this.#verbatim();
      case 0x7c: // "|"
        return this.#afterAttributes();
    }
    throw new Error(`Cannot read a reply that begins with byte ${type}`);
  }

  /** Reads up to the line's end, which it passes. */
  #integer(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    const isNegative = bytes[at] === 0x2d;
    if (isNegative) at++;
    let value = 0;
    for (; bytes[at] !== 13; at++) value = value * 10 + bytes[at] - 48;
    this.#at = at + 2;
    return isNegative ? -value : value;
  }

  /** Passes the line; answers where it ends. */
  #lineEnd(): number {
    let at = this.#at;
    while (this.#bytes[at] !== 13 || this.#bytes[at + 1] !== 10) at++;
    this.#at = at + 2;
    return at;
  }

  #line(): string {
    const from = this.#at;
    return toLatin1(this.#bytes, from, this.#lineEnd() - from);
  }

  #lineIn(field: string): void {
    const from = this.#at;
    const end = this.#lineEnd();
    this.lua.newTable(0, 1);
    this.lua.pushBytes(this.#bytes, from, end - from);
    this.lua.setField(-2, field);
  }

  #bulk(): void {
    const length = this.#integer();
    if (length < 0) return this.lua.pushBoolean(false);
    this.lua.pushBytes(this.#bytes, this.#at, length);
    this.#at += length + 2;
  }

  /** Errors of commands are counted where they happen, not once more where a script passes them on. */
  #error(): void {
    pushError(this.lua, "-" + this.#line());
    this.lua.pushBoolean(true);
    this.lua.setField(-2, "ignore_error_stats_update");
  }

  #array(): void {
    const { lua } = this;
    const count = this.#integer();
    if (count < 0) return lua.pushBoolean(false);
    lua.checkStack(DEPTH_ROOM);
    lua.newTable(count, 0);
    for (let i = 1; i <= count; i++) {
      this.#value();
      lua.rawSetIndex(-2, i);
    }
  }

  #map(): void {
    const { lua } = this;
    const pairs = this.#integer();
    lua.checkStack(DEPTH_ROOM);
    lua.newTable(0, 1);
    lua.newTable(0, pairs);
    for (let i = 0; i < pairs; i++) {
      this.#value();
      this.#value();
      lua.rawSet(-3);
    }
    lua.setField(-2, "map");
  }

  #set(): void {
    const { lua } = this;
    const count = this.#integer();
    lua.checkStack(DEPTH_ROOM);
    lua.newTable(0, 1);
    lua.newTable(0, count);
    for (let i = 0; i < count; i++) {
      this.#value();
      lua.pushBoolean(true);
      lua.rawSet(-3);
    }
    lua.setField(-2, "set");
  }

  #verbatim(): void {
    const { lua } = this;
    const length = this.#integer();
    lua.checkStack(DEPTH_ROOM);
    lua.newTable(0, 1);
    lua.newTable(0, 2);
    lua.pushBytes(this.#bytes, this.#at + 4, length - 4);
    lua.setField(-2, "string");
    lua.pushBytes(this.#bytes, this.#at, 3);
    lua.setField(-2, "format");
    lua.setField(-2, "verbatim_string");
    this.#at += length + 2;
  }

  #afterAttributes(): void {
    const { lua } = this;
    for (let left = this.#integer() * 2; left > 0; left--) {
      this.#value();
      lua.pop();
    }
    this.#value();
  }
}

/** A number of RESP3, of which there is also a "nan". */
function doubleOf(text: string): number {
  return parseDouble(text);
}

/**
 * Pushes an error as a table with `err`. `text` begins with "-" and a code, or has none and gets ERR; of a
 * code alone, ERR comes before it.
 */
export function pushError(lua: LuaState, text: string): void {
  let shown = text;
  if (text.startsWith("-")) {
    shown = text.slice(1);
    if (!shown.includes(" ")) shown = `ERR ${shown}`;
  } else shown = `ERR ${text}`;
  lua.newTable(0, 2);
  lua.pushText(shown.replace(/[\r\n]+$/, ""));
  lua.setField(-2, "err");
}
