/**
 * What a script returns, as a reply: the other direction of reply_to_lua.ts, whose tables it knows by their
 * one field. Any other table is an array that ends before its first nil.
 */

import { toLatin1 } from "../base/bytes.ts";
import type { OpenLength, ReplyWriter } from "../resp/reply_writer.ts";
import {
  type LuaState,
  TYPE_BOOLEAN,
  TYPE_NIL,
  TYPE_NUMBER,
  TYPE_STRING,
  TYPE_TABLE,
} from "./lua_state.ts";

/** What casting a double that no 64-bit integer equals gives. */
const NO_INTEGER = -(2n ** 63n);

/** Tables nested deeper are an error: the stack of neither language would hold them. */
const DEPTH_MAX = 1000;

/** Writes the value on the top, and drops it. */
export class LuaToReply {
  #depth = 0;

  constructor(
    readonly lua: LuaState,
    readonly reply: ReplyWriter,
    /** The protocol that the script has chosen: true is 1 in RESP2. */
    readonly scriptResp: number,
  ) {}

  write(): void {
    const { lua, reply } = this;
    if (this.#depth >= DEPTH_MAX || !lua.hasRoom(5)) {
      lua.pop();
      return reply.error("ERR reached lua stack limit");
    }
    switch (lua.type(-1)) {
      case TYPE_STRING:
        reply.bulk(lua.view(-1)!);
        break;
      case TYPE_NUMBER:
        this.#integer(lua.toNumber(-1));
        break;
      case TYPE_BOOLEAN:
        this.#boolean(lua.toBoolean(-1));
        break;
      case TYPE_TABLE:
        this.#depth++;
        this.#table();
        this.#depth--;
        return;
      default:
        reply.null();
    }
    lua.pop();
  }

  #integer(value: number): void {
    const whole = Math.trunc(value);
    if (Number.isSafeInteger(whole)) return this.reply.integer(whole);
    const isInRange = whole >= -(2 ** 63) && whole < 2 ** 63;
    this.reply.bigInteger(isInRange ? BigInt(whole) : NO_INTEGER);
  }

  #boolean(value: boolean): void {
    const { reply } = this;
    if (this.scriptResp !== 2) reply.boolean(value);
    else if (value) reply.integer(1);
    else reply.null();
  }

  #table(): void {
    const { lua, reply } = this;
    if (this.#field("err", TYPE_STRING)) {
      lua.pop();
      writeError(lua, reply);
    } else if (this.#field("ok", TYPE_STRING)) {
      reply.status(oneLine(lua.text(-1)!));
      lua.pop();
    } else if (this.#field("double", TYPE_NUMBER)) {
      reply.double(lua.toNumber(-1));
      lua.pop();
    } else if (this.#field("big_number", TYPE_STRING)) {
      reply.bigNumber(oneLine(lua.text(-1)!));
      lua.pop();
    } else if (!this.#verbatim()) {
      if (this.#field("map", TYPE_TABLE)) this.#map();
      else if (this.#field("set", TYPE_TABLE)) this.#set();
      else this.#array();
    }
    lua.pop();
  }

  /** Pushes a field of the table on the top if it is of that type; else nothing. */
  #field(name: string, type: number): boolean {
    const { lua } = this;
    lua.getField(-1, name);
    if (lua.type(-1) === type) return true;
    lua.pop();
    return false;
  }

  #verbatim(): boolean {
    const { lua, reply } = this;
    if (!this.#field("verbatim_string", TYPE_TABLE)) return false;
    let isWritten = false;
    if (this.#field("format", TYPE_STRING)) {
      const format = lua.text(-1)!.padEnd(3, "\0").slice(0, 3);
      lua.pop();
      if (this.#field("string", TYPE_STRING)) {
        reply.verbatim(lua.text(-1)!, format);
        lua.pop();
        isWritten = true;
      }
    }
    lua.pop();
    return isWritten;
  }

  #map(): void {
    const { lua, reply } = this;
    const open = reply.openLength();
    let pairs = 0;
    lua.pushNil();
    while (lua.next(-2)) {
      lua.pushValue(-2);
      this.write();
      this.write();
      pairs++;
    }
    reply.closeMap(open, pairs);
    lua.pop();
  }

  #set(): void {
    const { lua, reply } = this;
    const open = reply.openLength();
    let count = 0;
    lua.pushNil();
    while (lua.next(-2)) {
      lua.pop();
      lua.pushValue(-1);
      this.write();
      count++;
    }
    reply.closeSet(open, count);
    lua.pop();
  }

  #array(): void {
    const { lua, reply } = this;
    const open: OpenLength = reply.openLength();
    let count = 0;
    for (;;) {
      lua.rawGetIndex(-1, count + 1);
      if (lua.type(-1) === TYPE_NIL) break;
      this.write();
      count++;
    }
    lua.pop();
    reply.closeArray(open, count);
  }
}

/** Whether what is on the top is an error that a command has given, and that was counted then. */
export function isCountedError(lua: LuaState): boolean {
  if (lua.type(-1) !== TYPE_TABLE) return false;
  lua.getField(-1, "ignore_error_stats_update");
  const isCounted = lua.type(-1) === TYPE_BOOLEAN && lua.toBoolean(-1);
  lua.pop();
  return isCounted;
}

/** Writes the error in the table on the top, with `where` behind it. */
export function writeError(lua: LuaState, reply: ReplyWriter, where = ""): void {
  lua.getField(-1, "err");
  const text = oneLine((lua.text(-1) ?? "(null)").replace(/[\r\n]+$/, "")) + where;
  lua.pop();
  reply.error(text);
}

/** A text of Lua that ends at a zero byte, as C's do, with line ends as spaces. */
function oneLine(text: string): string {
  const end = text.indexOf("\0");
  return (end < 0 ? text : text.slice(0, end)).replace(/[\r\n]/g, " ");
}

/** " script: name, on @user_script:1." for the error in the table on the top; empty if it is not known. */
export function whereOf(lua: LuaState, scriptName: string): string {
  if (lua.type(-1) !== TYPE_TABLE) return "";
  lua.getField(-1, "source");
  const source = lua.view(-1);
  const sourceText = source === null ? null : toLatin1(source);
  lua.pop();
  lua.getField(-1, "line");
  const line = lua.text(-1);
  lua.pop();
  if (sourceText === null || line === null) return "";
  return ` script: ${scriptName}, on ${sourceText}:${line}.`;
}
