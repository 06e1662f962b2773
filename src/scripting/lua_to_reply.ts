/**
 * What a script returns, as a reply: the other direction of reply_to_lua.ts, whose tables it knows by their
 * one field. Any other table is an array that ends before its first nil.
 */

import { toLatin1 } from "../base/bytes.ts";
import type { OpenLength, ReplyWriter } from "../resp/reply_writer.ts";
import {
  type LuaState,
  MEANS_BIG_NUMBER,
  MEANS_DOUBLE,
  MEANS_ERROR,
  MEANS_MAP,
  MEANS_SET,
  MEANS_STATUS,
  MEANS_VERBATIM,
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

/** Writes the value that was taken, and drops it if it is a table. */
export class LuaToReply {
  #depth = 0;
  #lua!: LuaState;
  #reply!: ReplyWriter;
  #scriptResp = 2;

  /** @param scriptResp the protocol that the script has chosen: true is 1 in RESP2 */
  write(lua: LuaState, reply: ReplyWriter, scriptResp: number): void {
    this.#lua = lua;
    this.#reply = reply;
    this.#scriptResp = scriptResp;
    this.#depth = 0;
    this.#taken(lua.takenType);
  }

  #taken(type: number): void {
    const lua = this.#lua;
    const reply = this.#reply;
    if (this.#depth >= DEPTH_MAX || (type === TYPE_TABLE && !lua.hasRoom(5))) {
      if (type === TYPE_TABLE) lua.pop();
      return reply.error("ERR reached lua stack limit");
    }
    switch (type) {
      case TYPE_STRING:
        return reply.bulk(lua.memory, lua.takenAddress, lua.takenLength);
      case TYPE_NUMBER:
        return this.#integer(lua.takenNumber);
      case TYPE_BOOLEAN:
        return this.#boolean(lua.takenNumber !== 0);
      case TYPE_TABLE:
        this.#depth++;
        this.#table();
        this.#depth--;
        return;
      default:
        reply.null();
    }
  }

  #integer(value: number): void {
    const whole = Math.trunc(value);
    if (Number.isSafeInteger(whole)) return this.#reply.integer(whole);
    const isInRange = whole >= -(2 ** 63) && whole < 2 ** 63;
    this.#reply.bigInteger(isInRange ? BigInt(whole) : NO_INTEGER);
  }

  #boolean(value: boolean): void {
    const reply = this.#reply;
    if (this.#scriptResp !== 2) reply.boolean(value);
    else if (value) reply.integer(1);
    else reply.null();
  }

  #table(): void {
    const lua = this.#lua;
    const reply = this.#reply;
    switch (lua.pushMeaning()) {
      case MEANS_ERROR:
        lua.pop();
        writeError(lua, reply);
        break;
      case MEANS_STATUS:
        reply.status(this.#line());
        break;
      case MEANS_DOUBLE:
        lua.take();
        reply.double(lua.takenNumber);
        break;
      case MEANS_BIG_NUMBER:
        reply.bigNumber(this.#line());
        break;
      case MEANS_VERBATIM:
        this.#verbatim();
        break;
      case MEANS_MAP:
        this.#map();
        break;
      case MEANS_SET:
        this.#set();
        break;
      default:
        this.#array();
    }
    lua.pop();
  }

  /** Drops the string on the top: as one line. */
  #line(): string {
    const lua = this.#lua;
    const line = oneLine(lua.text(-1)!);
    lua.pop();
    return line;
  }

  /** Writes the table on the top, which has a text and its format, and drops it. */
  #verbatim(): void {
    const lua = this.#lua;
    lua.getField(-1, "format");
    const format = oneLine(lua.text(-1)!).padEnd(3).slice(0, 3);
    lua.pop();
    lua.getField(-1, "string");
    this.#reply.verbatim(lua.text(-1)!, format);
    lua.pop(2);
  }

  #map(): void {
    const lua = this.#lua;
    const open = this.#reply.openLength();
    let pairs = 0;
    lua.pushNil();
    while (lua.next(-2)) {
      lua.pushValue(-2);
      this.#taken(lua.take());
      this.#taken(lua.take());
      pairs++;
    }
    this.#reply.closeMap(open, pairs);
    lua.pop();
  }

  #set(): void {
    const lua = this.#lua;
    const open = this.#reply.openLength();
    let count = 0;
    lua.pushNil();
    while (lua.next(-2)) {
      lua.pop();
      lua.pushValue(-1);
      this.#taken(lua.take());
      count++;
    }
    this.#reply.closeSet(open, count);
    lua.pop();
  }

  #array(): void {
    const lua = this.#lua;
    const open: OpenLength = this.#reply.openLength();
    let count = 0;
    for (;;) {
      const type = lua.takeElement(count + 1);
      if (type === TYPE_NIL) break;
      this.#taken(type);
      count++;
    }
    this.#reply.closeArray(open, count);
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
