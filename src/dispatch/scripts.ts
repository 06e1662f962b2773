/**
 * Runs scripts and functions: beside dispatch, which a script's commands go through once more. The languages's own
 * matters are in src/scripting; here is what a script may do when (as a replica, without memory), how its
 * commands are called and its changes kept together, and what becomes of one that runs for too long.
 *
 * A script that runs for longer than `busy-reply-threshold` is suspended again and again, so that others are
 * answered: with BUSY, but for the few commands that are allowed then. See "Suspended scripts" in NOTES.
 */

import { latin1 } from "../base/bytes.ts";
import { EXPIRE_IGNORED } from "../keyspace/expire_mode.ts";
import type { FunctionLibraries } from "../keyspace/function_libraries.ts";
import type { LibraryLoader } from "../rdb/loader.ts";
import { FOR_LOG, FOR_REPLICAS } from "../propagation/write_stream.ts";
import type { Words } from "../resp/words.ts";
import { OUT_OF_MEMORY, READ_ONLY, ReplyError, SAVE_FAILED } from "../resp/reply_error.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import {
  canSuspendScripts,
  EngineFault,
  type Interrupter,
  LuaError,
  type LuaState,
  STATUS_OK,
  STATUS_SUSPENDED,
  TYPE_TABLE,
} from "../scripting/lua_state.ts";
import { isCountedError, LuaToReply, whereOf, writeError } from "../scripting/lua_to_reply.ts";
import { REPL_ALL, REPL_AOF, REPL_REPLICAS, type ScriptHost } from "../scripting/redis_api.ts";
import { newScriptState } from "../scripting/sandbox.ts";
import {
  SCRIPT_ALLOW_OOM,
  SCRIPT_ALLOW_STALE,
  SCRIPT_NO_WRITES,
  SCRIPT_WITHOUT_FLAGS,
  scriptFlagsOf,
} from "../scripting/script_flags.ts";
import { checkAccess, denialText, DENIED_NOTHING } from "./access_check.ts";
import type { Call } from "./call.ts";
import { Client } from "./client.ts";
import {
  type Command,
  FLAG_DENYOOM,
  FLAG_MAY_REPLICATE,
  FLAG_NOSCRIPT,
  FLAG_STALE,
  FLAG_WRITE,
} from "./command.ts";
import {
  type Dispatcher,
  GATE_FEW_REPLICAS,
  GATE_LOG_FAILED,
  GATE_READ_ONLY,
  GATE_SAVE_FAILED,
  GATE_STALE,
} from "./dispatcher.ts";
import { Functions } from "./functions.ts";
import { type CachedScript, nameOfScript, ScriptCache } from "./script_cache.ts";
import { ScriptSuspension } from "./script_suspension.ts";

/** An engine that has grown beyond this is thrown away when the script is over: it never becomes smaller. */
const ENGINE_BYTES_KEPT = 64 << 20;
/** An engine as small as this is left to its own collector. */
const ENGINE_BYTES_USUAL = 1 << 20;
/** Of a larger one a piece of garbage is collected after so many scripts, lest it stays as large as it was once. */
const COLLECT_EVERY = 50;
/** Time that a script has before others get their turn again, once it runs for too long. */
const SLICE_MS = 5;
const NOBODY = 0;

const NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL.";

/** A script under way. */
export interface RunningScript {
  readonly lua: LuaState;
  /** The function's name, or the SHA-1. */
  readonly name: string;
  readonly isEval: boolean;
  readonly caller: Client;
  readonly command: Command;
  /** The request; a copy once the script is suspended. */
  words: Words;
  readonly isReadOnly: boolean;
  readonly allowsOom: boolean;
  /** By the monotonic clock. */
  readonly startedMs: number;
  /** A command that may change something was called. */
  hasWritten: boolean;
  isKilled: boolean;
  isTimedOut: boolean;
  /** When it was last let go on. */
  resumedMs: number;
  /** REPL_*: where its changes go. */
  replication: number;
}

export class Scripts implements ScriptHost, Interrupter {
  readonly cache = new ScriptCache();
  readonly functions: Functions;
  /** In whose name commands of scripts are called; it has no connection. */
  readonly client: Client;
  running: RunningScript | null = null;
  /** DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may call what is not for them. */
  mayCallAll = false;
  /** Whether the error that the last script has ended with was a command's, and counted as such. */
  isErrorCounted = false;
  #state: LuaState | null = null;
  #untilCollect = COLLECT_EVERY;
  #isClosed = false;
  readonly suspension: ScriptSuspension;
  /** What the hook of a killed script was set to is to be undone. */
  #isHookTight = false;
  readonly #toReply = new LuaToReply();
  readonly #whenOver = (end: number | EngineFault) => this.#endSuspended(end);

  constructor(readonly dispatcher: Dispatcher) {
    const { keyspace } = dispatcher.server;
    this.client = new Client(NOBODY, keyspace.databases[0], keyspace.steadyMs);
    this.functions = new Functions(this, keyspace.libraries);
    this.suspension = new ScriptSuspension(this);
    if (!canSuspendScripts()) {
      dispatcher.server.log.warning(
        "This runtime cannot suspend WebAssembly: while a script runs, nobody else is answered, however long it takes.",
      );
    }
  }

  get #server() {
    return this.dispatcher.server;
  }

  /** What scripts may allocate together, and functions the same again: as of when an engine is made. */
  get bytesMax(): number {
    return this.#server.config.value("lua-memory-limit");
  }

  /** Whether a script waits for others to have their turn: nothing else may change the data then. */
  get isSuspended(): boolean {
    return this.suspension.isUnderWay;
  }

  /** Bytes of the two engines. */
  get engineBytes(): number {
    return this.evalBytes + this.functions.engineBytes;
  }

  /** Bytes of scripts, their sources included; those of libraries are the keyspace's. */
  get memoryBytes(): number {
    return this.engineBytes + this.cache.memoryBytes;
  }

  /** Bytes that EVAL's scripts have allocated. */
  get evalBytes(): number {
    return this.#state?.bytesUsed ?? 0;
  }

  get #lua(): LuaState {
    return this.#state ??= newScriptState(this.bytesMax, this, this);
  }

  // -- EVAL ----------------------------------------------------------------------------------

  /** EVAL and its like: word 1 is the source, or (`byName`) the SHA-1 of it. @throws ReplyError */
  runScript(call: Call, byName: boolean, isReadOnly: boolean): void {
    const { words } = call;
    const keys = this.keyCount(call);
    const script = byName ? this.#named(words) : this.#given(words, true);
    const refusal = this.#refusal(call.client, script.flags, isReadOnly);
    if (refusal !== null) throw new ReplyError(refusal);
    const lua = this.#lua;
    if (script.state !== lua) this.#compile(script);
    this.enter(call, lua, script.ref, keys, script.sha, true, script.flags, isReadOnly);
  }

  /** The number of keys, word 2. @throws ReplyError */
  keyCount(call: Call, notANumber?: string): number {
    const keys = call.clampedInteger(2, notANumber);
    if (keys > call.words.count - 3) {
      throw new ReplyError("ERR Number of keys can't be greater than number of args");
    }
    if (keys < 0) throw new ReplyError("ERR Number of keys can't be negative");
    return keys;
  }

  #named({ bytes, starts, lengths }: Words): CachedScript {
    const script = this.cache.byName(bytes, starts[1], lengths[1]);
    if (script === null) throw new ReplyError(NO_SCRIPT);
    return script;
  }

  #given({ bytes, starts, lengths }: Words, isEvictable: boolean, index = 1): CachedScript {
    const start = starts[index];
    const length = lengths[index];
    const known = this.cache.bySource(bytes, start, length);
    if (known !== null) return known;
    const sha = nameOfScript(bytes, start, length);
    const source = bytes.slice(start, start + length);
    const script: CachedScript = {
      sha,
      shaBytes: latin1(sha),
      source,
      ...scriptFlagsOf(source),
      isEvictable,
      usedAt: 0,
      state: null,
      ref: 0,
    };
    this.#compile(script);
    this.cache.add(script);
    return script;
  }

  /** SCRIPT LOAD of word 2: the SHA-1. @throws ReplyError */
  load(words: Words): string {
    const script = this.#given(words, false, 2);
    this.cache.keep(script);
    return script.sha;
  }

  /** SCRIPT FLUSH. */
  flush(): void {
    this.cache.clear();
    this.#state = null;
  }

  #compile(script: CachedScript): void {
    const lua = this.#lua;
    const status = lua.load(script.source.subarray(script.shebangBytes), "@user_script");
    if (status !== STATUS_OK) {
      const text = lua.text(-1);
      lua.pop();
      throw new ReplyError(`ERR Error compiling script (new function): ${text}`);
    }
    script.ref = lua.ref();
    script.state = lua;
  }

  /** The flags of a script as dispatch is to see those of its command; 0 bits where nothing is known. */
  flagsOf(words: Words, byName: boolean): number | null {
    if (words.count < 2) return null;
    const { bytes, starts, lengths } = words;
    const script = byName
      ? this.cache.byName(bytes, starts[1], lengths[1])
      : this.cache.bySource(bytes, starts[1], lengths[1]);
    if (script !== null) return script.flags;
    if (byName) return null;
    try {
      return scriptFlagsOf(bytes.subarray(starts[1], starts[1] + lengths[1])).flags;
    } catch {
      return null;
    }
  }

  // -- running ---------------------------------------------------------------------------------

  /** Why a script may not run now; null when it may. */
  #refusal(client: Client, flags: number, isReadOnly: boolean): string | null {
    const gates = client.isMaster ? 0 : this.dispatcher.gateBits;
    const isStale = (gates & GATE_STALE) !== 0;
    if ((flags & SCRIPT_WITHOUT_FLAGS) !== 0) {
      return isStale
        ? "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
        : null;
    }
    if (isStale && (flags & SCRIPT_ALLOW_STALE) === 0) {
      return "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' " +
        "and 'allow-stale' flag is not set on the script.";
    }
    if ((flags & SCRIPT_NO_WRITES) === 0) {
      if ((gates & GATE_READ_ONLY) !== 0) {
        return "READONLY Can not run script with write flag on readonly replica";
      }
      if ((gates & GATE_SAVE_FAILED) !== 0) {
        return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist " +
          "to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts.";
      }
      if ((gates & GATE_LOG_FAILED) !== 0) {
        return "MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist " +
          "to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts. " +
          `AOF error: ${this.#server.aof.failure}`;
      }
      if (isReadOnly) return "ERR Can not execute a script with write flag using *_ro command.";
      if ((gates & GATE_FEW_REPLICAS) !== 0) {
        return "NOREPLICAS Not enough good replicas to write.";
      }
    }
    const mayExceed = (flags & (SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES)) !== 0;
    if (!mayExceed && !client.isMaster && this.dispatcher.isOverMemory) {
      return "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
    }
    return null;
  }

  /**
   * What adds the libraries of a dataset that is being loaded to these sources, one by one: answers what is wrong
   * with one, and then it has not been added, or null.
   */
  libraryLoader(sources: FunctionLibraries): LibraryLoader {
    const isServed = sources === this.#server.keyspace.libraries;
    const functions = isServed ? this.functions : new Functions(this, sources);
    return (code, replaces) => {
      try {
        functions.load(code, replaces, true);
        return null;
      } catch (error) {
        if (!(error instanceof ReplyError)) throw error;
        return error.text.replace(/^ERR /, "");
      }
    };
  }

  /** `#refusal` for functions. @throws ReplyError */
  checkFlags(client: Client, flags: number, isReadOnly: boolean): void {
    const refusal = this.#refusal(client, flags, isReadOnly);
    if (refusal !== null) throw new ReplyError(refusal);
  }

  /** Runs the function of reference `ref` with the request's keys and arguments, and answers the call. */
  enter(
    call: Call,
    lua: LuaState,
    ref: number,
    keys: number,
    name: string,
    isEval: boolean,
    flags: number,
    isReadOnly: boolean,
  ): void {
    const { client: caller, reply, words } = call;
    if (!lua.giveWords(words, 3, words.count - 3)) {
      throw new ReplyError(`ERR Error running script ${name}, not enough memory`);
    }
    call.preventPropagation();
    const hasFlags = (flags & SCRIPT_WITHOUT_FLAGS) === 0;
    const nowMs = call.startedMs;
    this.running = {
      lua,
      name,
      isEval,
      caller,
      command: call.command,
      words,
      isReadOnly: isReadOnly || (hasFlags && (flags & SCRIPT_NO_WRITES) !== 0),
      allowsOom: hasFlags && (flags & SCRIPT_ALLOW_OOM) !== 0,
      startedMs: nowMs,
      hasWritten: false,
      isKilled: false,
      isTimedOut: false,
      resumedMs: nowMs,
      replication: REPL_ALL,
    };
    this.#prepareClient(caller);
    let status: number;
    try {
      status = lua.enter(ref, keys, words.count - 3 - keys, isEval, this.#whenOver);
    } catch (error) {
      if (!(error instanceof EngineFault)) throw error;
      this.#fault(reply, error);
      return;
    }
    if (status === STATUS_SUSPENDED) this.suspension.park(call, this.running);
    else this.#finish(reply, status);
  }

  #prepareClient(caller: Client): void {
    const { client } = this;
    client.database = caller.database;
    client.caller = caller;
    client.tracker = caller.tracker;
    client.become(caller.user, true);
    client.noTouch = caller.noTouch;
    client.reply.resp = 2;
    client.reply.length = 0;
  }

  /** Answers with what the script has left on the stack, and ends it. */
  #finish(reply: ReplyWriter, status: number): void {
    const { lua, name } = this.running!;
    const isTable = (status === STATUS_OK ? lua.takenType : lua.type(-1)) === TYPE_TABLE;
    try {
      this.isErrorCounted = isTable && isCountedError(lua);
      if (status === STATUS_OK) this.#toReply.write(lua, reply, this.client.reply.resp);
      else if (isTable) writeError(lua, reply, whereOf(lua, name));
      else {
        const text = (lua.text(-1) ?? "execution failure").slice(0, 100);
        reply.error(`ERR Error running script ${name}, ${text}`);
      }
    } finally {
      // Of a value that was taken nothing is left there.
      if (isTable || status !== STATUS_OK) lua.top = 0;
      this.#ended();
    }
  }

  #ended(): void {
    const { lua } = this.running!;
    this.running = null;
    this.client.caller = this.client.tracker = null;
    if (this.#isHookTight) {
      this.#isHookTight = false;
      this.#forget(lua);
    } else if (--this.#untilCollect <= 0) {
      this.#untilCollect = COLLECT_EVERY;
      if (lua.bytesUsed > ENGINE_BYTES_USUAL) lua.collectStep(COLLECT_EVERY);
    }
    if (lua.memoryBytes > ENGINE_BYTES_KEPT) this.#forget(lua);
    else lua.makeReady();
  }

  /** Has engines made anew, within the limits of now; not while a script runs. */
  forgetEngines(): void {
    if (this.running !== null) return;
    this.#state = null;
    this.functions.forgetEngine();
  }

  /** Throws an engine away; scripts and libraries are compiled anew when they are next used. */
  #forget(lua: LuaState): void {
    if (lua === this.#state) this.#state = null;
    else this.functions.forgetEngine();
  }

  #fault(reply: ReplyWriter, fault: EngineFault): void {
    const { lua, name } = this.running!;
    this.running = null;
    this.client.caller = this.client.tracker = null;
    this.#forget(lua);
    this.#server.log.fault(`Cannot go on with script ${name}`, fault.cause ?? fault);
    reply.error(`ERR Error running script ${name}, ${fault.message}`);
  }

  // -- commands of scripts (ScriptHost) -------------------------------------------------------------

  callCommand(words: Words): ReplyWriter {
    const { dispatcher, client } = this;
    const running = this.running!;
    const { reply } = client;
    reply.length = 0;
    const command = this.#find(words);
    const refusal = command === null
      ? "Unknown Redis command called from script"
      : this.#commandRefusal(command, words);
    if (command === null || refusal !== null) {
      if (command !== null) command.rejectedCalls++;
      const text = /^[A-Z]{2,} /.test(refusal!) ? refusal! : `ERR ${refusal}`;
      this.#server.statistics.countError(text);
      reply.error(text);
      return reply;
    }
    if ((command.flagBits & FLAG_WRITE) !== 0) running.hasWritten = true;
    const { keyspace } = this.#server;
    // What our master has sent finds keys whatever their expiry says: a script of its, too.
    if (running.caller.isMaster) keyspace.expireMode = EXPIRE_IGNORED;
    const call = () => dispatcher.callForScript(client, command, words);
    if (running.replication === REPL_ALL) call();
    else keyspace.stream.limited(partsOf(running.replication), call);
    if (running.caller.isMaster) keyspace.expireMode = keyspace.roleExpireMode;
    return reply;
  }

  #find(words: Words): Command | null {
    const command = this.dispatcher.find(words.bytes, words.starts[0], words.lengths[0]);
    if (command === null || command.subcommands === null || words.count === 1) return command;
    return command.subcommands.get(words.text(1).toLowerCase()) ?? null;
  }

  /** Why the script's caller may not run this; null when it may. */
  #denial(command: Command, words: Words): string | null {
    const { client } = this;
    const denied = this.#server.access.check(client, command, words, "lua");
    if (denied === DENIED_NOTHING) return null;
    return `ERR ACL failure in script: ${denialText(denied, client.user!, command, words)}`;
  }

  #commandRefusal(command: Command, words: Words): string | null {
    const { arity, flagBits } = command;
    const { count } = words;
    if (arity > 0 ? count !== arity : count < -arity) {
      return "Wrong number of args calling Redis command from script";
    }
    if ((flagBits & FLAG_NOSCRIPT) !== 0 && !this.mayCallAll) {
      return "This Redis command is not allowed from script";
    }
    const { isReadOnly, caller, hasWritten, allowsOom } = this.running!;
    const gates = caller.isMaster ? 0 : this.dispatcher.gateBits;
    if ((gates & GATE_STALE) !== 0 && (flagBits & FLAG_STALE) === 0) {
      return "Can not execute the command on a stale replica";
    }
    const denial = this.#denial(command, words);
    if (denial !== null) return denial;
    if (isReadOnly && (flagBits & (FLAG_WRITE | FLAG_MAY_REPLICATE)) !== 0) {
      return "Write commands are not allowed from read-only scripts.";
    }
    // What has begun to change data is not stopped half-way.
    if (hasWritten) return null;
    if ((flagBits & FLAG_WRITE) !== 0) {
      if ((gates & GATE_READ_ONLY) !== 0) return READ_ONLY;
      if ((gates & GATE_SAVE_FAILED) !== 0) return SAVE_FAILED;
      if ((gates & GATE_LOG_FAILED) !== 0) return this.dispatcher.logFailedText;
      if ((gates & GATE_FEW_REPLICAS) !== 0) return "NOREPLICAS Not enough good replicas to write.";
    }
    const isFull = !allowsOom && !caller.isMaster && this.dispatcher.isOverMemory;
    return isFull && (flagBits & FLAG_DENYOOM) !== 0 ? OUT_OF_MEMORY : null;
  }

  setResp(resp: number): void {
    this.client.reply.resp = resp;
  }

  setReplication(parts: number): void {
    this.running!.replication = parts;
  }

  mayCall(words: Words): boolean | null {
    const command = this.#find(words);
    if (command === null) return null;
    const { user } = this.running!.caller;
    return user === null || checkAccess(user, command, words) === DENIED_NOTHING;
  }

  log(level: number, text: string): void {
    const { log } = this.#server;
    if (level === 0) log.debug(text);
    else if (level === 1) log.verbose(text);
    else if (level === 2) log.notice(text);
    else log.warning(text);
  }

  // -- scripts that run for too long (Interrupter) -----------------------------------------------------

  interrupt(lua: LuaState, canSuspend: boolean): boolean | "suspend" {
    const { running } = this;
    if (running === null || running.lua !== lua) {
      this.functions.checkLoadTime(lua);
      return true;
    }
    const { clock, config, log } = this.#server;
    if (running.isKilled) return this.#end(lua);
    const threshold = config.value("busy-reply-threshold");
    if (threshold <= 0) return true;
    const nowMs = clock.monotonic();
    if (!running.isTimedOut) {
      const elapsed = nowMs - running.startedMs;
      if (elapsed < threshold) return true;
      running.isTimedOut = true;
      log.warning(
        `Slow script detected: still in execution after ${
          Math.floor(elapsed)
        } milliseconds. You can ` +
          `try killing the script using the ${
            running.isEval ? "SCRIPT" : "FUNCTION"
          } KILL command. ` +
          `Script name is: ${running.name}.`,
      );
    } else if (nowMs - running.resumedMs < SLICE_MS) return true;
    return canSuspend ? "suspend" : true;
  }

  /** Ends a killed script: also where it catches errors, since it is asked again at once. */
  #end(lua: LuaState): never {
    this.#server.log.notice("Lua script killed by user with SCRIPT KILL.");
    lua.askEvery(1);
    this.#isHookTight = true;
    lua.pushErrorTable("Script killed by user with SCRIPT KILL...");
    throw new LuaError(null);
  }

  untilResumed(): Promise<void> {
    const { runtime, clock, keyspace } = this.#server;
    return new Promise((resolve) => {
      runtime.timers.afterOthers(() => {
        if (this.#isClosed) return; // it stays where it is, and goes with the engine
        const { running } = this;
        if (running !== null) running.resumedMs = clock.monotonic();
        keyspace.refreshTime();
        resolve();
      });
    });
  }

  #endSuspended(end: number | EngineFault): void {
    const running = this.running!;
    this.suspension.ended(running, (reply) => {
      if (end instanceof EngineFault) this.#fault(reply, end);
      else this.#finish(reply, end);
    });
  }

  /** The server ends: no script goes on. */
  close(): void {
    this.#isClosed = true;
  }

  /** SCRIPT KILL and FUNCTION KILL. @throws ReplyError when there is nothing to be killed */
  kill(isEval: boolean): void {
    const { running } = this;
    if (running === null) throw new ReplyError("NOTBUSY No scripts in execution right now.");
    if (running.caller.isMaster) {
      throw new ReplyError(
        "UNKILLABLE The busy script was sent by a master instance in the context of replication and " +
          "cannot be killed.",
      );
    }
    if (running.hasWritten) {
      throw new ReplyError(
        "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either " +
          "wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
      );
    }
    if (isEval !== running.isEval) throw new ReplyError(busyText(running.isEval));
    running.isKilled = true;
  }

  /** What others are told while a script is suspended. */
  get busyText(): string {
    return busyText(this.running?.isEval ?? true);
  }
}

/** BUSY, with the way out. */
export function busyText(isEval: boolean): string {
  return "BUSY Redis is busy running a script. You can only call " +
    `${isEval ? "SCRIPT" : "FUNCTION"} KILL or SHUTDOWN NOSAVE.`;
}

/** FOR_* of what a script has set for its commands. */
function partsOf(replication: number): number {
  return ((replication & REPL_AOF) !== 0 ? FOR_LOG : 0) |
    ((replication & REPL_REPLICAS) !== 0 ? FOR_REPLICAS : 0);
}
