/**
 * `redis.*`: what scripts and functions can ask of the server. What it does is the host's (`ScriptHost`,
 * which dispatch is); here are the arguments, the conversions and the texts of errors.
 *
 * @see {@link https://redis.io/docs/latest/develop/programmability/lua-api/}
 */

import { hex, sha1, SHA1_BYTES } from "../base/sha1.ts";
import { REDIS_VERSION } from "../config/version.ts";
import { Words } from "../resp/words.ts";
import { type CommandRunner, type LuaFunction, type LuaState, TYPE_STRING } from "./lua_state.ts";

/** The parts of `redis.set_repl`. */
export const REPL_AOF = 1;
export const REPL_REPLICAS = 2;
/** Both. */
export const REPL_ALL = REPL_AOF | REPL_REPLICAS;

const LOG_LEVELS = { LOG_DEBUG: 0, LOG_VERBOSE: 1, LOG_NOTICE: 2, LOG_WARNING: 3 };

/** The server as scripts see it. */
export interface ScriptHost extends CommandRunner {
  /** Chooses the protocol of the replies to come. */
  setResp(resp: number): void;
  /** Chooses where changes to come are sent: REPL_*. */
  setReplication(parts: number): void;
  /** Whether the caller may run this command; null when there is none of that name. */
  mayCall(words: Words): boolean | null;
  /** Writes to the server's log: 0 (debug) to 3 (warning). */
  log(level: number, text: string): void;
}

/** Ends the script, or the protected call it is in, with a table as error. */
function raise(lua: LuaState, text: string): never {
  lua.pushErrorTable(text);
  return lua.raise();
}

export class RedisApi {
  readonly #words = new Words();

  constructor(readonly lua: LuaState, readonly host: ScriptHost) {
    lua.commands = host;
  }

  /** Pushes the table that is `redis` to scripts. */
  pushTable(): void {
    const { lua, host } = this;
    lua.newTable(0, 32);
    lua.pushCommandFunction(false);
    lua.setField(-2, "call");
    lua.pushCommandFunction(true);
    lua.setField(-2, "pcall");
    lua.register({
      setresp: () => this.#setResp(),
      sha1hex: sha1Hex,
      error_reply: errorReply,
      status_reply: statusReply,
      set_repl: () => this.#setReplication(),
      acl_check_cmd: () => this.#mayCall(),
    });
    this.#setNumbers({
      REPL_NONE: 0,
      REPL_AOF,
      REPL_SLAVE: REPL_REPLICAS,
      REPL_REPLICA: REPL_REPLICAS,
      REPL_ALL,
    });
    setLogAndVersion(lua, host);
  }

  /** Adds what only EVAL's scripts have to the table on the top: leftovers of the debugger and of older versions. */
  addEvalFunctions(): void {
    this.lua.register({
      // Without a debugger there are no stops and nobody to show anything to.
      breakpoint: (lua) => {
        lua.pushBoolean(false);
        return 1;
      },
      debug: () => 0,
      replicate_commands: (lua) => {
        lua.pushBoolean(true);
        return 1;
      },
    });
  }

  #setNumbers(numbers: Readonly<Record<string, number>>): void {
    setNumbers(this.lua, numbers);
  }

  #setResp(): number {
    const { lua } = this;
    if (lua.top !== 1) raise(lua, "redis.setresp() requires one argument.");
    const resp = Math.trunc(lua.toNumber(1));
    if (resp !== 2 && resp !== 3) raise(lua, "RESP version must be 2 or 3.");
    this.host.setResp(resp);
    return 0;
  }

  #setReplication(): number {
    const { lua } = this;
    if (lua.top !== 1) raise(lua, "redis.set_repl() requires one argument.");
    const parts = Math.trunc(lua.toNumber(1));
    if (!(parts >= 0 && parts <= (REPL_AOF | REPL_REPLICAS))) {
      raise(
        lua,
        "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
      );
    }
    this.host.setReplication(parts);
    return 0;
  }

  #mayCall(): number {
    const { lua } = this;
    const count = lua.readWords(this.#words);
    if (count === 0) raise(lua, "Please specify at least one argument for this redis lib call");
    if (count < 0) raise(lua, "Lua redis lib command arguments must be strings or integers");
    const may = this.host.mayCall(this.#words);
    if (may === null) raise(lua, "Invalid command passed to redis.acl_check_cmd()");
    lua.pushBoolean(may);
    return 1;
  }
}

/** Sets numbers as fields of the table on the top. */
function setNumbers(lua: LuaState, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    lua.pushNumber(value);
    lua.setField(-2, name);
  }
}

/** Adds to the table on the top what libraries have already while they are loaded. */
export function setLogAndVersion(lua: LuaState, host: ScriptHost): void {
  setNumbers(lua, LOG_LEVELS);
  const [major, minor, patch] = REDIS_VERSION.split(".").map(Number);
  setNumbers(lua, { REDIS_VERSION_NUM: (major << 16) | (minor << 8) | patch });
  lua.pushText(REDIS_VERSION);
  lua.setField(-2, "REDIS_VERSION");
  lua.register({ log: log(host) });
}

function log(host: ScriptHost): LuaFunction {
  return (lua) => {
    const { top } = lua;
    if (top < 2) raise(lua, "redis.log() requires two arguments or more.");
    if (!lua.isNumber(1)) raise(lua, "First argument must be a number (log level).");
    const level = Math.trunc(lua.toNumber(1));
    if (!(level >= 0 && level <= 3)) raise(lua, "Invalid debug level.");
    const parts: string[] = [];
    for (let i = 2; i <= top; i++) {
      const text = lua.text(i);
      if (text !== null) parts.push(text);
    }
    host.log(level, parts.join(" "));
    return 0;
  };
}

const digest = new Uint8Array(SHA1_BYTES);

function sha1Hex(lua: LuaState): number {
  if (lua.top !== 1) raise(lua, "wrong number of arguments");
  const bytes = lua.bytes(1) ?? new Uint8Array(0);
  sha1(bytes, 0, bytes.length, digest);
  lua.pushText(hex(digest));
  return 1;
}

const WRONG_ARGUMENTS = "wrong number or type of arguments";

function errorReply(lua: LuaState): number {
  if (lua.top !== 1 || lua.type(1) !== TYPE_STRING) {
    lua.pushErrorTable(WRONG_ARGUMENTS);
    return 1;
  }
  const [text] = lua.text(1)!.split("\0", 1); // as C reads it
  lua.pushErrorTable(text.startsWith("-") ? text : `-${text}`);
  return 1;
}

function statusReply(lua: LuaState): number {
  if (lua.top !== 1 || lua.type(1) !== TYPE_STRING) {
    lua.pushErrorTable(WRONG_ARGUMENTS);
    return 1;
  }
  lua.newTable(0, 1);
  lua.pushValue(1);
  lua.setField(-2, "ok");
  return 1;
}
