/**
 * Finds the command of a request, passes it through the gates in Redis's order, queues it in a
 * transaction or runs it, and keeps the statistics. The middle of the path: connections above hand in
 * words, handlers below do the work.
 *
 * The hot path is `execute`: a command whose gates are all open costs one test of two bit sets.
 */

import {
  Command,
  type CommandDefinition,
  FLAG_ADMIN,
  FLAG_ALLOW_BUSY,
  FLAG_DENYOOM,
  FLAG_LOADING,
  FLAG_MAY_REPLICATE,
  FLAG_NO_ASYNC_LOADING,
  FLAG_NO_AUTH,
  FLAG_NO_MULTI,
  FLAG_PROTECTED,
  FLAG_READONLY,
  FLAG_SKIP_MONITOR,
  FLAG_SKIP_SLOWLOG,
  FLAG_STALE,
  FLAG_WAITS,
  FLAG_WRITE,
} from "./command.ts";
import type { CommandCatalog } from "../access/catalog.ts";
import { blocks } from "../base/blocks.ts";
import { toLatin1 } from "../base/bytes.ts";
import { hashBytes } from "../base/hash.ts";
import { isRefusal, tryAllocating } from "../base/refused.ts";
import {
  HEAP_FULL,
  LOADING,
  NO_AUTH,
  NO_MEMORY,
  OUT_OF_MEMORY,
  READ_ONLY,
  ReplyError,
  SAVE_FAILED,
} from "../resp/reply_error.ts";
import {
  SCRIPT_ALLOW_OOM,
  SCRIPT_ALLOW_STALE,
  SCRIPT_NO_WRITES,
  SCRIPT_WITHOUT_FLAGS,
} from "../scripting/script_flags.ts";
import { BROKEN, MORE, type RequestParser } from "../resp/parser.ts";
import type { Mark, ReplyWriter } from "../resp/reply_writer.ts";
import type { Words } from "../resp/words.ts";
import type { Tracker } from "../tracking/tracker.ts";
import { AcknowledgementWaits } from "./acknowledgement_waits.ts";
import { Blocking } from "./blocking.ts";
import { Digests } from "./digests.ts";
import { Dumps } from "./dumps.ts";
import { HeldKeys } from "./held_keys.ts";
import { Makings } from "./makings.ts";
import { Migrations } from "./migrations.ts";
import { lowerPayload, Restores } from "./restores.ts";
import { SlicedCalls } from "./sliced_calls.ts";
import { UndoRestores } from "./undo_restores.ts";
import { Call, PROPAGATE_REPLACED, PROPAGATE_VERBATIM } from "./call.ts";
import { denialText, DENIED_NOTHING, execDenialText } from "./access_check.ts";
import { forEachKey } from "./call_keys.ts";
import {
  type Client,
  CLIENT_IN_MULTI,
  CLIENT_NEEDS_AUTH,
  CLIENT_REPLICA,
  CLIENT_RESTRICTED,
  CLIENT_SUBSCRIBED,
} from "./client.ts";
import type { RecordReader } from "../keyspace/doors.ts";
import { EXPIRE_IGNORED } from "../keyspace/expire_mode.ts";
import type { WriteStream } from "../propagation/write_stream.ts";
import { unknownCommand, unknownSubcommand, wrongArity } from "./command_errors.ts";
import type { Services } from "./services.ts";

// Gates of the whole server: a set bit sends every command through the gates one by one.
/** `maxmemory` is set. */
export const GATE_MEMORY = 1 << 16;
/** The last save failed. */
export const GATE_SAVE_FAILED = 1 << 17;
/** We are a replica that refuses writes. */
export const GATE_READ_ONLY = 1 << 18;
/** The dataset is being loaded. */
export const GATE_LOADING = 1 << 19;
/** CLIENT PAUSE is on. */
export const GATE_PAUSED = 1 << 20;
/** Our master is away and stale data may not be served. */
export const GATE_STALE = 1 << 21;
/** Too few replicas for writes. */
export const GATE_FEW_REPLICAS = 1 << 22;
/** A new dataset is being loaded beside the one that is served. */
export const GATE_ASYNC_LOADING = 1 << 23;
/** The heap of JavaScript objects is nearly as large as it may be; see observe/memory_guard.ts. */
export const GATE_HEAP_FULL = 1 << 24;
/** There are keys that are not to be changed for a while; see held_keys.ts. */
const GATE_KEYS_HELD = 1 << 25;

/** A script is suspended, which runs for too long: see scripts.ts. */
export const GATE_BUSY = 1 << 26;

/** What changes the data cannot be written to the append-only file. */
export const GATE_LOG_FAILED = 1 << 27;

/** Requests looked at ahead of their turn at once. */
const AHEAD_COUNT = 16;
/** Bytes of input, and keys in the database, from which looking ahead pays. */
const AHEAD_BYTES_MIN = 100;
/** In a pipeline, memory is made ready for others when a request has given back so much. */
const SETTLED_FROM_BYTES = 1 << 20;
const AHEAD_KEYS_MIN = 50_000;
/** Elements in a collection from which looking ahead into it pays. */
const AHEAD_ELEMENTS_MIN = 20_000;
/** Channels from which looking ahead at those that are published on pays. */
const AHEAD_CHANNELS_MIN = 4_000;
const AHEAD_NEVER = -1;
const aheadStarts = new Int32Array(AHEAD_COUNT);
const aheadLengths = new Int32Array(AHEAD_COUNT);
const aheadHashes = new Int32Array(AHEAD_COUNT);
/** Takes the sums of warming reads, so that the compiler cannot leave them out. */
export let aheadSum = 0;

/**
 * Of commands that take constant time, one call in this many is timed, and counted this often. See
 * "Timing" in NOTES.
 */
const TIMED_ONE_IN = 16;

/** Room in the reply for what a write answers after its change: an integer, a status or an error. */
const REPLY_RESERVE_BYTES = 128;
/** What a word takes in the stream of writes beside its bytes, at most. */
const WORD_OVERHEAD_BYTES = 24;

/**
 * After so many calls, or a few of those that take long, the heap is looked at: requests can fill it faster than
 * the timer comes round. Looking takes some ten microseconds.
 */
const HEAP_LOOK_CALLS = 4096;
/** For so many calls counts a millisecond that a call has taken. */
const HEAP_LOOK_CALLS_PER_MS = 100;

/** What dispatch asks of, and tells, the parts of the server that it does not know. */
export interface DispatchOwner {
  /** Frees memory until below `maxmemory`; false when that is impossible. */
  freeMemory(): boolean;
  /** Parks the client of a command that has to wait for the end of a pause; false when it need not. */
  parkIfPaused(client: Client, isWrite: boolean): boolean;
  /** Whether protected commands (DEBUG) may be used by this client; else an error text. */
  refuseProtected(command: Command, client: Client): string | null;
  /** Whether a client has to go because of its unread output. */
  isOverOutputLimit(client: Client): boolean;
  /** A command of our master or of a replica has ended with an error, which nobody reads. */
  linkFailed(client: Client, command: Command | null, text: string): void;
  /** Shows a command to the monitors. */
  showToMonitors(client: Client, words: Words): void;
  /** Sets GATE_HEAP_FULL by what the heap holds now. */
  lookAtHeap(): void;
}

export class Dispatcher {
  /** GATE_* bits in force. */
  gateBits = 0;
  /** Time every call of every command (a low threshold of the slow log or latency monitor). */
  timesAll = false;
  /** Commands by name in use (`rename-command` changes them). */
  readonly byName = new Map<string, Command>();
  /** The same in a list, each followed by its subcommands; another list once there are others. */
  all: readonly Command[] = [];
  /** Commands that only a log may call by these names. */
  readonly #logged = new Map<string, Command>();
  #table: (Command | null)[] = [];
  #names: Uint8Array[] = [];
  #mask = 0;
  /** Clients that wait for keys. */
  readonly blocking = new Blocking(this);
  /** Clients that wait for replicas. */
  readonly acknowledgementWaits = new AcknowledgementWaits(this);
  /** Clients whose command takes long, and what does. */
  readonly sliced = new SlicedCalls(this);
  readonly makings = new Makings(this);
  readonly digests = new Digests(this);
  readonly restores = new Restores(this);
  readonly dumps = new Dumps(this);
  readonly heldKeys: HeldKeys;
  readonly migrations: Migrations;
  readonly undoRestores = new UndoRestores(this);
  /** For commands, and for those that EXEC runs. */
  readonly #call: Call;
  readonly #nestedCall: Call;
  #depth = 0;
  /** The client of a script that is suspended. */
  #heldBy: Client | null = null;
  #wasOverMemory = false;
  /** Calls until the heap is looked at. */
  #untilHeapLook = HEAP_LOOK_CALLS;
  #slowest: Command | null = null;
  #slowestMs = 0;
  /**
   * When the request before has ended, if that was read from the clock and this one follows at once, in
   * the same pipeline or transaction; else NaN. Saves the first of a call's two looks at the clock.
   */
  #endedMs = NaN;

  constructor(readonly server: Services, readonly owner: DispatchOwner) {
    this.#call = new Call(server);
    this.#nestedCall = new Call(server);
    this.heldKeys = new HeldKeys(server.clients, (isClosed) => this.#setHeldGate(isClosed));
    this.migrations = new Migrations(this);
  }

  #setHeldGate(isClosed: boolean): void {
    if (isClosed) this.gateBits |= GATE_KEYS_HELD;
    else this.gateBits &= ~GATE_KEYS_HELD;
  }

  // -- the table of commands -------------------------------------------------------

  /**
   * Makes these the commands, each under the name it is called by (lower case); none has run yet. `catalog` gives
   * them the numbers by which users know them.
   */
  setCommands(
    definitions: Iterable<readonly [string, CommandDefinition]>,
    catalog: CommandCatalog,
  ): void {
    this.byName.clear();
    for (const [name, definition] of definitions) this.byName.set(name, new Command(definition));
    this.all = [...this.byName.values()]
      .flatMap((command) => [command, ...command.subcommands?.values() ?? []]);
    for (const command of this.all) command.accessId = catalog.idOf(command.fullName);
    let size = 1024;
    while (size < this.byName.size * 4) size *= 2;
    this.#mask = size - 1;
    this.#table = new Array(size).fill(null);
    this.#names = new Array(size).fill(new Uint8Array(0));
    for (const [name, command] of this.byName) {
      const bytes = Uint8Array.from(name, (c) => c.charCodeAt(0));
      let at = nameHash(bytes, 0, bytes.length) & this.#mask;
      while (this.#table[at] !== null) at = (at + 1) & this.#mask;
      this.#table[at] = command;
      this.#names[at] = bytes;
    }
  }

  /** Of these commands a log may name those too that nobody can call by their own name (`rename-command`). */
  setLogged(definitions: readonly CommandDefinition[]): void {
    this.#logged.clear();
    for (const definition of definitions) {
      const { name } = definition;
      if (!this.byName.has(name)) this.#logged.set(name, new Command(definition));
    }
  }

  /** The command (not subcommand) that a word names, or null. */
  find(bytes: Uint8Array, offset: number, length: number): Command | null {
    let at = nameHash(bytes, offset, length) & this.#mask;
    for (;;) {
      const command = this.#table[at];
      if (command === null) return null;
      const name = this.#names[at];
      if (name.length === length) {
        let i = 0;
        for (; i < length; i++) {
          let c = bytes[offset + i];
          if (c >= 65 && c <= 90) c += 32;
          if (c !== name[i]) break;
        }
        if (i === length) return command;
      }
      at = (at + 1) & this.#mask;
    }
  }

  /** The same for a command of a log. */
  findLogged(words: Words): Command | null {
    return this.find(words.bytes, words.starts[0], words.lengths[0]) ??
      this.#logged.get(words.text(0).toLowerCase()) ?? null;
  }

  /** The command or subcommand of a request. @throws ReplyError when there is none, or on arity */
  resolve(words: Words): Command {
    return this.#resolved(words, this.find(words.bytes, words.starts[0], words.lengths[0]));
  }

  #resolved(words: Words, command: Command | null): Command {
    if (command === null) throw new ReplyError(unknownCommand(words));
    let found = command;
    if (command.subcommands !== null && words.count > 1) {
      const name = words.text(1).toLowerCase();
      const subcommand = command.subcommands.get(name);
      if (subcommand === undefined) {
        throw new ReplyError(unknownSubcommand(words));
      }
      found = subcommand;
    }
    const arity = found.arity;
    if (arity > 0 ? words.count !== arity : words.count < -arity) {
      throw new ReplyError(wrongArity(found));
    }
    return found;
  }

  // -- a client's turn ---------------------------------------------------------------

  /** Runs all requests that have arrived completely; stops where the client is parked or closing. */
  processInput(client: Client): void {
    const parser = client.parser!;
    const keyspace = this.server.keyspace;
    keyspace.refreshTime();
    client.lastInteractionMs = keyspace.steadyMs;
    const { paused } = client;
    if (paused !== null && client.park === null && !client.isClosing) {
      client.paused = null;
      this.execute(client, paused);
    }
    // See "Looking ahead" in NOTES.
    let untilLook = parser.pendingBytes >= AHEAD_BYTES_MIN ? 0 : AHEAD_NEVER;
    this.#endedMs = NaN;
    while (client.park === null && !client.isClosing) {
      if (untilLook-- === 0) untilLook = this.#lookAhead(client);
      const outcome = parser.next();
      if (outcome === MORE) return;
      if (outcome === BROKEN) {
        this.#endBroken(client);
        return;
      }
      this.#execute(client, parser.words);
      // What the request has given back serves the next one.
      if (blocks.pendingBytes > SETTLED_FROM_BYTES) blocks.settle();
      const { reply } = client;
      if (
        (reply.pendingBytes > client.outputLookBytes || reply.isCut) &&
        this.owner.isOverOutputLimit(client)
      ) {
        client.transport.close(false);
      }
    }
  }

  /**
   * What has come is no request: the connection ends. A replica is not answered, as it would take that for a part of its
   * stream.
   */
  #endBroken(client: Client): void {
    const { log, statistics, unauthenticated } = this.server;
    const { errorText, isBeyondUnauthenticated } = client.parser!;
    const text = `Protocol error (${errorText}) from client: id=${client.id} ` +
      `addr=${client.transport.address}`;
    client.isClosing = true;
    if (client.isReplica) {
      log.warning(text);
      client.closeCause = `it sent what is no command: ${errorText}`;
      return;
    }
    log.verbose(text);
    if (isBeyondUnauthenticated) unauthenticated.refused(client, "input");
    this.answerOutside(client, (reply) => reply.error(`ERR ${errorText}`));
    statistics.countError(client.reply.lastError);
  }

  /** Warms the caches for the requests that wait; returns after how many to look again. */
  #lookAhead(client: Client): number {
    const { database, lastCommand } = client;
    // What a client asks next is mostly like what it has asked before.
    const elementWord = lastCommand === null ? 0 : lastCommand.elementWord;
    if (elementWord > 0) {
      const elements = this.#collectionAhead(client);
      if (elements !== null) return warmAhead(client.parser!, elementWord, elements);
    }
    if (lastCommand !== null && lastCommand.channelWord > 0) {
      const { channels } = this.server.hub;
      if (channels.nameCount < AHEAD_CHANNELS_MIN) return AHEAD_NEVER;
      return warmAhead(client.parser!, lastCommand.channelWord, channels);
    }
    if (database.count < AHEAD_KEYS_MIN) return AHEAD_NEVER;
    return warmAhead(client.parser!, 1, database.records);
  }

  /** The elements of the large collection that the next two requests both go to, or null. */
  #collectionAhead(client: Client): RecordReader | null {
    const parser = client.parser!;
    const { bytes } = parser;
    if (parser.wordsAhead(1, aheadStarts, aheadLengths, 2) < 2) return null;
    const at = aheadStarts[0];
    const next = aheadStarts[1];
    const length = aheadLengths[0];
    if (aheadLengths[1] !== length) return null;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== bytes[next + i]) return null;
    const { database } = client;
    const ref = database.records.get(bytes, at, length);
    const elements = ref === 0 ? null : database.elementsOf(ref);
    return elements === null || elements.count < AHEAD_ELEMENTS_MIN ? null : elements;
  }

  /** Answers one request. */
  execute(client: Client, words: Words): void {
    this.#endedMs = NaN;
    this.#execute(client, words);
  }

  #execute(client: Client, words: Words): void {
    let command = this.find(words.bytes, words.starts[0], words.lengths[0]);
    const count = words.count;
    if (
      command === null || command.subcommands !== null ||
      (command.arity > 0 ? count !== command.arity : count < -command.arity)
    ) {
      try {
        command = this.resolve(words);
      } catch (error) {
        if (command === null && this.#endOtherProtocol(client, words)) return;
        this.#refuse(client, command, (error as ReplyError).text);
        return;
      }
    }
    client.lastCommand = command;
    if (
      ((this.gateBits & client.gateMask) | client.gateBits) !== 0 ||
      (command.flagBits & FLAG_PROTECTED) !== 0
    ) {
      if ((client.gateBits & CLIENT_REPLICA) !== 0) {
        this.#executeForReplica(client, command, words);
        return;
      }
      if (!this.#passGates(client, command, words)) return;
      this.#endedMs = NaN; // what gates do (evicting keys) is not the call's time
    }
    this.call(client, command, words);
    if (this.#depth === 0 && this.#heldBy === null) {
      this.endUnit(client);
      this.unitEnded();
    }
  }

  /** Serves who has waited for what the unit of work has changed. */
  unitEnded(): void {
    if (this.server.keyspace.readyKeys.length > 0) {
      this.blocking.serveReady();
      this.#endedMs = NaN;
    }
    if (this.server.hub.hasDeferred) {
      this.server.hub.deliverDeferred();
      this.#endedMs = NaN;
    }
  }

  /** Whether memory was above `maxmemory`, with nothing left to evict, when the request at hand came. */
  get isOverMemory(): boolean {
    return (this.gateBits & GATE_MEMORY) !== 0 && this.#wasOverMemory;
  }

  /** A script of this client is suspended: until `letGo` the unit of work stays its own, whoever is answered. */
  hold(client: Client): void {
    this.#heldBy = client;
  }

  /** It is over, as is the request of its client. */
  letGo(client: Client): void {
    this.#heldBy = null;
    this.endUnit(client);
    this.unitEnded();
    this.#endedMs = NaN;
  }

  /** Calls a command for a script, which its call is a part of, also of one that goes on after a suspension. */
  callForScript(client: Client, command: Command, words: Words): void {
    if (this.#depth > 0) this.call(client, command, words);
    else this.nested(() => this.call(client, command, words));
  }

  /** Does `work`, in which calls are part of one that is under way. */
  nested<T>(work: () => T): T {
    this.#depth++;
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }

  /** The client's request is done: what it has changed enters the stream. */
  endUnit(client: Client): void {
    const { stream } = this.server.keyspace;
    if (stream.endUnit()) noteWrite(client, stream);
  }

  /**
   * A replica's link, on which no replies go: a replica that asks for one is not what it says, and
   * has to go. Commands on data are refused even if they have none, as pauses do not stop a replica.
   */
  #executeForReplica(client: Client, command: Command, words: Words): void {
    if ((command.flagBits & (FLAG_READONLY | FLAG_WRITE | FLAG_MAY_REPLICATE)) !== 0) {
      this.#refuse(client, command, "ERR Replica can't interact with the keyspace");
    } else if (this.#passGates(client, command, words)) this.call(client, command, words);
    if (client.reply.pendingBytes === 0) return;
    const { log, keyspace } = this.server;
    log.warning(
      `Replica generated a reply to command '${command.fullName}', disconnecting it: ` +
        client.info(keyspace.steadyMs),
    );
    client.closeCause = `it sent the command '${command.fullName}', which has a reply`;
    client.reply.clear();
    client.transport.close(false);
  }

  /** Answers with an error before the command has run; dooms a transaction being queued. */
  #refuse(client: Client, command: Command | null, refusal: string): void {
    let text = refusal;
    // Of a transaction of our master what can be carried out is: the rest of it has succeeded there.
    if ((client.gateBits & CLIENT_IN_MULTI) !== 0 && !client.isMaster) {
      client.isExecDoomed = true;
    }
    if (command?.fullName === "exec") {
      client.endTransaction();
      text = `EXECABORT Transaction discarded because of: ${refusal.replace(/^ERR /, "")}`;
    }
    endCaching(client, command);
    if (command !== null) command.rejectedCalls++;
    this.answerOutside(client, (reply) => reply.error(text));
    this.server.statistics.countError(text);
    if (client.isMaster || client.isReplica) this.owner.linkFailed(client, command, text);
  }

  /**
   * Ends the connection of a browser that was made to send us HTTP: "POST" and "Host:" begin lines
   * of it, and the lines after them may be somebody's commands. False when it is none.
   */
  #endOtherProtocol(client: Client, words: Words): boolean {
    if (!words.is(0, "post") && !words.is(0, "host:")) return false;
    this.server.log.warning(
      "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands " +
        "to Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting " +
        `to compromise your Redis instance. Connection from ${client.transport.address} aborted.`,
    );
    client.isClosing = true;
    client.transport.close(false);
    return true;
  }

  /**
   * Runs a command of a transaction, whose gates it has passed when it was queued: but for its client's rights, which
   * may have become others since.
   */
  callQueued(client: Client, command: Command, words: Words): void {
    if ((client.gateBits & CLIENT_RESTRICTED) !== 0) {
      const denied = this.server.access.check(client, command, words, "multi");
      if (denied !== DENIED_NOTHING) {
        client.reply.error(execDenialText(denied));
        command.rejectedCalls++;
        return;
      }
    }
    this.call(client, command, words);
  }

  /** Runs a command that has passed its gates. */
  call(client: Client, command: Command, words: Words): void {
    const server = this.server;
    const keyspace = server.keyspace;
    const call = this.#depth === 0
      ? this.#call
      : this.#depth === 1
      ? this.#nestedCall
      : new Call(server);
    const reply = client.reply;
    const errorsBefore = reply.errorCount;
    const dirtyBefore = keyspace.dirty;
    call.client = client;
    call.database = client.database;
    call.words = words;
    call.reply = reply;
    call.command = command;
    call.nowMs = keyspace.nowMs;
    call.propagation = PROPAGATE_VERBATIM;
    call.isNested = this.#depth > 0;
    call.mayPark = !call.isNested;
    call.isParked = false;
    const replyChunks = reply.fullChunks;
    const replyLength = reply.length;
    const replyBytes = replyChunks === 0 ? replyLength : reply.pendingBytes;
    const isTimed = this.timesAll || words.count > command.quickWords ||
      command.calls % TIMED_ONE_IN === 0;
    const startedMs = call.startedMs = isTimed ? this.#startOfCall() : keyspace.steadyMs;
    this.#endedMs = NaN;
    keyspace.noTouch = client.noTouch;
    // Our master knows what has expired: its commands find keys whatever their expiry says.
    if (client.isMaster) keyspace.expireMode = EXPIRE_IGNORED;
    this.#depth++;
    try {
      if (
        (command.flagBits & FLAG_WRITE) !== 0 &&
        (replyLength + REPLY_RESERVE_BYTES > reply.bytes.length || keyspace.stream.isActive)
      ) this.#reserve(reply, words);
      command.run(call);
    } catch (error) {
      reply.rewind({ chunks: replyChunks, length: replyLength, bytes: replyBytes });
      if (error instanceof ReplyError) reply.error(error.text);
      else this.#unexpected(error, client, words);
    } finally {
      this.#depth--;
      if (client.isMaster) keyspace.expireMode = keyspace.roleExpireMode;
    }
    // Monitors see a request once: when it comes, not when it is run again.
    const isShown = server.clients.monitors.size > 0 && !this.blocking.isRunningAgain &&
      !this.sliced.isRunningAgain &&
      (command.flagBits & (FLAG_SKIP_MONITOR | FLAG_ADMIN)) === 0;
    if (call.isParked) {
      reply.giveBackEmpty();
      if (client.tracker !== null) this.#track(client, client.tracker, command, words, true);
      if (isShown) this.owner.showToMonitors(client, words);
      return;
    }
    command.calls++;
    client.commandsProcessed++;
    server.statistics.commandsProcessed++;
    if (isTimed) {
      const endedMs = this.#endedMs = server.clock.monotonic();
      const ms = endedMs - startedMs;
      this.#timed(client, command, words, ms);
      // What follows in the same turn sees how late it has become.
      if (ms >= 1 && this.#depth === 0) keyspace.refreshTime();
    }
    if (reply.errorCount !== errorsBefore) {
      command.failedCalls++;
      const { scripts } = server;
      if (!scripts.isErrorCounted) server.statistics.countError(reply.lastError);
      scripts.isErrorCounted = false;
      if (client.isMaster || client.isReplica) {
        this.owner.linkFailed(client, command, reply.lastError);
      }
      // A command that EXEC runs: its errors are counted, they are not EXEC's.
      if (this.#depth > 0) reply.errorCount = errorsBefore;
    }
    if (keyspace.dirty !== dirtyBefore) {
      if (
        call.propagation === PROPAGATE_VERBATIM && keyspace.stream.isActive &&
        (command.flagBits & (FLAG_WRITE | FLAG_MAY_REPLICATE)) !== 0
      ) this.#propagate(client, call.database.index, words);
    }
    if (client.replyMode !== "on" && this.#depth === 0) {
      this.#dropUnwantedReply(client, replyChunks, replyLength, replyBytes);
    }
    if (client.tracker !== null) this.#track(client, client.tracker, command, words, false);
    if (isShown) this.owner.showToMonitors(client, words);
  }

  /**
   * Runs a command of a log, which has been run before: it passes no gates, is not counted, and cannot have its client
   * wait. Answers its error, or null. @throws ReplyError when there is no such command, or on arity
   */
  replay(client: Client, words: Words): string | null {
    const { server } = this;
    const command = this.#resolved(words, this.findLogged(words));
    const call = this.#call;
    const { reply } = client;
    const errorsBefore = reply.errorCount;
    call.client = client;
    call.database = client.database;
    call.words = words;
    call.reply = reply;
    call.command = command;
    call.nowMs = server.keyspace.nowMs;
    call.startedMs = server.keyspace.steadyMs;
    call.propagation = PROPAGATE_REPLACED;
    call.isNested = true;
    call.mayPark = false;
    call.isParked = false;
    try {
      this.nested(() => command.run(call));
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      reply.error(error.text);
    }
    const problem = reply.errorCount === errorsBefore ? null : reply.lastError;
    reply.clear();
    return problem;
  }

  /**
   * Takes the memory for what follows a change: that it is answered, and that it enters the stream of writes.
   * @throws RangeError when there is none, before the change
   */
  #reserve(reply: ReplyWriter, words: Words): void {
    reply.reserve(REPLY_RESERVE_BYTES);
    const { stream } = this.server.keyspace;
    if (stream.isActive) stream.reserve(words.sizeBytes + words.count * WORD_OVERHEAD_BYTES);
  }

  #startOfCall(): number {
    const endedMs = this.#endedMs;
    return endedMs === endedMs ? endedMs : this.server.clock.monotonic();
  }

  /**
   * Puts the request into the stream of writes. Its own bytes serve where they are RESP; a request in
   * the parser's buffer, or kept in it, is not part of a transaction, so it ends its unit.
   */
  #propagate(client: Client, database: number, words: Words): void {
    const { stream } = this.server.keyspace;
    const { parser } = client;
    if (parser !== null && words === parser.words && words.bytes === parser.bytes) {
      const { position } = parser;
      stream.endUnitWith(database, parser.bytes, position, parser.end - position);
      noteWrite(client, stream);
    } else if (words.requestEnd > 0) {
      const { bytes, requestAt, requestEnd } = words;
      words.isShared = true;
      stream.endUnitWith(database, bytes, requestAt, requestEnd - requestAt, true);
      noteWrite(client, stream);
    } else stream.addWords(database, words);
  }

  /** A client with tracking has called a command: what it has read is remembered. */
  #track(
    client: Client,
    tracker: Tracker,
    command: Command,
    words: Words,
    isParked: boolean,
  ): void {
    // Of a script what it reads counts, not what it says of its keys.
    const isScript = command.definition.flagsOf !== undefined;
    if ((command.flagBits & FLAG_READONLY) !== 0 && tracker.remembersKeys && !isScript) {
      const { tracking } = this.server;
      forEachKey(command, words, (index) => {
        tracking.remember(tracker, words.bytes, words.starts[index], words.lengths[index]);
      });
    }
    if (this.#depth === 0 && !isParked) endCaching(client, command);
  }

  /** The client whose command is being run, or null; in a transaction the client of EXEC. */
  get runningClient(): Client | null {
    return this.#heldBy ?? (this.#depth > 0 ? this.#call.client : null);
  }

  /**
   * Writes a reply, or drops it, as CLIENT REPLY says; `from` is where it begins, if that is before what is
   * written now. The one way for replies that are written outside of the call of their request.
   */
  answerOutside(client: Client, write: (reply: ReplyWriter) => void, from?: Mark): void {
    const { reply } = client;
    if (client.replyMode === "on") return write(reply);
    const { chunks, length, bytes } = from ?? reply.mark();
    write(reply);
    this.#dropUnwantedReply(client, chunks, length, bytes);
  }

  /**
   * Ends a request that has parked its client, without running it again: with an error, or with what
   * `answer` writes. The client goes on with its input.
   */
  endParked(
    client: Client,
    command: Command,
    words: Words,
    answer: string | ((reply: ReplyWriter) => void),
  ): void {
    const write = typeof answer === "string" ? (reply: ReplyWriter) => reply.error(answer) : answer;
    this.answerParked(client, command, words, 0, write);
    this.server.clients.blockedCount--;
    client.park = null;
    client.transport.resume();
  }

  /** Answers a request whose client is parked, as one that has taken so many ms; `from` is as in `answerOutside`. */
  answerParked(
    client: Client,
    command: Command,
    words: Words,
    ms: number,
    answer: (reply: ReplyWriter) => void,
    from?: Mark,
  ): void {
    const { errorCount } = client.reply;
    this.answerOutside(client, answer, from);
    this.#parkedEnded(client, command, words, ms, errorCount);
    endCaching(client, command);
  }

  /** Answers a command of a transaction, whose client is parked. */
  answerNested(
    client: Client,
    command: Command,
    words: Words,
    ms: number,
    answer: (reply: ReplyWriter) => void,
  ): void {
    const { reply } = client;
    const { errorCount } = reply;
    answer(reply);
    this.#parkedEnded(client, command, words, ms, errorCount);
    reply.errorCount = errorCount;
  }

  /** Counts a call that has parked its client and is over. */
  #parkedEnded(
    client: Client,
    command: Command,
    words: Words,
    ms: number,
    errorsBefore: number,
  ): void {
    const { statistics, scripts } = this.server;
    const { reply } = client;
    command.calls++;
    client.commandsProcessed++;
    statistics.commandsProcessed++;
    if (ms > 0 || this.timesAll) this.#timed(client, command, words, ms);
    if (reply.errorCount === errorsBefore) return;
    command.failedCalls++;
    if (!scripts.isErrorCounted) statistics.countError(reply.lastError);
    scripts.isErrorCounted = false;
    if (client.isMaster) this.owner.linkFailed(client, command, reply.lastError);
  }

  /** Ends a request that has parked its client because the client may not run it any more: it counts as refused. */
  refuseParked(client: Client, command: Command, words: Words): void {
    const denied = this.server.access.check(client, command, words, "toplevel");
    this.#refuse(client, command, `NOPERM ${denialText(denied, client.user!, command, words)}`);
    this.server.clients.blockedCount--;
    client.park = null;
    client.transport.resume();
  }

  /** `endParked` for a request that an error has put an end to: an answer as from its handler. */
  failParked(client: Client, words: Words, error: unknown): void {
    const text = error instanceof ReplyError ? error.text : this.#faultText(error, client, words);
    this.endParked(client, this.resolve(words), words, text);
  }

  /** The longest of the calls since this was last asked that were timed; see "Timing" in NOTES. */
  takeSlowest(): { command: Command | null; ms: number } {
    const slowest = { command: this.#slowest, ms: this.#slowestMs };
    this.#slowest = null;
    this.#slowestMs = 0;
    return slowest;
  }

  #timed(client: Client, command: Command, words: Words, ms: number): void {
    if (ms > this.#slowestMs) {
      this.#slowestMs = ms;
      this.#slowest = command;
    }
    const usec = ms * 1000;
    const weight = this.timesAll || words.count > command.quickWords ? 1 : TIMED_ONE_IN;
    this.#untilHeapLook -= weight + ms * HEAP_LOOK_CALLS_PER_MS;
    if (this.#untilHeapLook <= 0) {
      this.#untilHeapLook = HEAP_LOOK_CALLS;
      this.owner.lookAtHeap();
    }
    command.usec += usec * weight;
    this.server.statistics.commandUsec += usec * weight;
    const counts = command.latencyCounts ??= new Float64Array(40);
    const power = usec < 1 ? 0 : Math.min(39, 32 - Math.clz32(usec));
    counts[power] += weight;
    const { slowLog, latency, keyspace } = this.server;
    if (
      slowLog.thresholdUsec >= 0 && usec >= slowLog.thresholdUsec &&
      (command.flagBits & FLAG_SKIP_SLOWLOG) === 0
    ) {
      const { transport, name } = client.caller ?? client;
      slowLog.add(words, usec, keyspace.clock.now(), transport.address, name);
    }
    if (latency.thresholdMs > 0) {
      latency.add(command.isQuick ? "fast-command" : "command", ms, keyspace.nowMs);
    }
  }

  /**
   * Answers a call that has ended with an error that is none of the client's; where there is no memory even
   * for that, the client is closed. See "Faults" in NOTES.
   */
  #unexpected(error: unknown, client: Client, words: Words): void {
    const { reply } = client;
    if (!tryAllocating(() => reply.error(this.#faultText(error, client, words)))) {
      reply.isCut = true;
    }
  }

  /** Logs an error that is no answer, and gives the text of one. */
  #faultText(error: unknown, client: Client, words: Words): string {
    const { statistics, log } = this.server;
    const shown: string[] = [];
    for (let i = 0; i < Math.min(words.count, 8); i++) {
      shown.push(
        JSON.stringify(toLatin1(words.bytes, words.starts[i], Math.min(words.lengths[i], 64))),
      );
    }
    const what = `Cannot carry out ${shown.join(" ")} (client id=${client.id})`;
    const message = error instanceof Error ? error.message : String(error);
    // What cannot be allocated is an answer; everything else is a fault of ours.
    if (isRefusal(error) && /alloc|length|memory/i.test(message)) {
      log.warning(`${what}: ${message}`);
      return NO_MEMORY;
    }
    statistics.unexpectedErrors++;
    log.fault(what, error);
    return `ERR internal error: ${message}`;
  }

  #dropUnwantedReply(client: Client, chunks: number, length: number, bytes: number): void {
    switch (client.replyMode) {
      case "on":
        return;
      case "skip-next":
        client.replyMode = "skip";
        break;
      case "skip":
        client.replyMode = "on";
        break;
      case "off":
        break;
    }
    client.reply.rewind({ chunks, length, bytes });
  }

  // -- gates -----------------------------------------------------------------------------

  /** False when the command was refused, queued or put off; the reply has been written then. */
  #passGates(client: Client, command: Command, words: Words): boolean {
    const text = this.#refusal(client, command, words);
    if (text === null) return true;
    if (text !== "") this.#refuse(client, command, text);
    return false;
  }

  /** Shows a request to monitors: for handlers that have it shown before what they do. */
  showToMonitors(client: Client, words: Words): void {
    if (this.server.clients.monitors.size > 0) this.owner.showToMonitors(client, words);
  }

  /** The error of writes while GATE_LOG_FAILED is closed. */
  get logFailedText(): string {
    return `MISCONF Errors writing to the AOF file: ${this.server.aof.failure ?? "unknown"}`;
  }

  /** The flags of this call: those of its script where that says what it does. */
  #flagsOf({ flagBits, definition }: Command, words: Words): number {
    const script = definition.flagsOf?.(this.server, words) ?? SCRIPT_WITHOUT_FLAGS;
    if ((script & SCRIPT_WITHOUT_FLAGS) !== 0) return flagBits;
    let flags = flagBits & ~(FLAG_STALE | FLAG_DENYOOM | FLAG_WRITE | FLAG_MAY_REPLICATE);
    if ((script & (SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES)) === 0) flags |= FLAG_DENYOOM;
    if ((script & SCRIPT_NO_WRITES) === 0) flags |= FLAG_WRITE;
    if ((script & SCRIPT_ALLOW_STALE) !== 0) flags |= FLAG_STALE;
    return flags;
  }

  /** Whether word 1 is the index of a database. */
  #isDatabase(words: Words): boolean {
    return this.server.keyspace.databases[Number(words.text(1))] !== undefined;
  }

  /** Null: it may run. Text: the error. Empty: queued or put off, nothing more to do. */
  #refusal(client: Client, command: Command, words: Words): string | null {
    const flags = this.#flagsOf(command, words);
    const gates = (this.gateBits & client.gateMask) | client.gateBits;
    if ((flags & FLAG_PROTECTED) !== 0) {
      const text = this.owner.refuseProtected(command, client);
      if (text !== null) return text;
    }
    if ((gates & CLIENT_NEEDS_AUTH) !== 0 && (flags & FLAG_NO_AUTH) === 0) return NO_AUTH;
    const inMulti = (gates & CLIENT_IN_MULTI) !== 0;
    const name = command.fullName;
    if ((flags & (FLAG_NO_MULTI | FLAG_WAITS)) !== 0 && inMulti) {
      return "ERR Command not allowed inside a transaction";
    }
    if ((gates & CLIENT_RESTRICTED) !== 0) {
      const denied = this.server.access.check(
        client,
        command,
        words,
        inMulti ? "multi" : "toplevel",
      );
      if (denied !== DENIED_NOTHING) {
        return `NOPERM ${denialText(denied, client.user!, command, words)}`;
      }
    }
    // EXEC counts as what it will run: as able to do what one of those does, and as allowed only
    // where all of them are.
    const isExec = name === "exec";
    const effective = isExec ? client.queue?.anyFlags ?? 0 : flags;
    const allowed = isExec ? flags & (client.queue?.everyFlags ?? ~0) : flags;
    const isQueued = inMulti && !TRANSACTION_COMMANDS.has(name);
    const isWrite = (effective & FLAG_WRITE) !== 0;
    // While a script is suspended memory is its own: nothing is evicted, and what it was told holds.
    if ((gates & GATE_MEMORY) !== 0 && (gates & GATE_BUSY) === 0) {
      const isOver = this.#wasOverMemory = !this.owner.freeMemory();
      if (isOver && (isQueued || (effective & FLAG_DENYOOM) !== 0)) return OUT_OF_MEMORY;
    }
    if (
      (gates & GATE_HEAP_FULL) !== 0 && (isQueued || (effective & FLAG_DENYOOM) !== 0)
    ) return HEAP_FULL;
    if ((gates & GATE_SAVE_FAILED) !== 0 && (isWrite || name === "ping")) return SAVE_FAILED;
    if ((gates & GATE_LOG_FAILED) !== 0 && (isWrite || name === "ping")) return this.logFailedText;
    if ((gates & GATE_FEW_REPLICAS) !== 0 && isWrite) {
      return "NOREPLICAS Not enough good replicas to write.";
    }
    if ((gates & GATE_READ_ONLY) !== 0 && isWrite) return READ_ONLY;
    if (
      (gates & CLIENT_SUBSCRIBED) !== 0 && client.reply.resp === 2 && !SUBSCRIBER_COMMANDS.has(name)
    ) {
      return `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET ` +
        "are allowed in this context";
    }
    if ((gates & GATE_STALE) !== 0 && (allowed & FLAG_STALE) === 0) {
      return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    }
    if ((gates & GATE_LOADING) !== 0 && (allowed & FLAG_LOADING) === 0) return LOADING;
    if ((gates & GATE_ASYNC_LOADING) !== 0 && (effective & FLAG_NO_ASYNC_LOADING) !== 0) {
      return LOADING;
    }
    if ((gates & GATE_BUSY) !== 0 && (flags & FLAG_ALLOW_BUSY) === 0) {
      return this.server.scripts.busyText;
    }
    const enters = isWrite || (effective & FLAG_MAY_REPLICATE) !== 0;
    if ((gates & GATE_PAUSED) !== 0 && this.owner.parkIfPaused(client, enters)) {
      // The words are in the parser's buffer, which goes on with later requests: keep a copy.
      client.paused = words.clone();
      return "";
    }
    if (
      (gates & GATE_KEYS_HELD) !== 0 && enters && !isQueued &&
      this.heldKeys.parkIfHeld(client, command, words)
    ) {
      client.paused = words.clone();
      return "";
    }
    if (isQueued) {
      // Here it can be told before any of the transaction is carried out.
      if (client.isMaster && name === "select" && !this.#isDatabase(words)) return NO_DATABASE;
      // What comes from a master is handed on as it lies here, not as it is carried out.
      if (command.payloadWord > 0) lowerPayload(command, words);
      if (!tryAllocating(() => client.enqueue(command, words, flags))) return NO_MEMORY;
      this.answerOutside(client, (reply) => reply.queued());
      return "";
    }
    return null;
  }
}

const NO_DATABASE = "ERR DB index is out of range";
/** What the client waits for with WAIT and WAITAOF. */
function noteWrite(client: Client, stream: WriteStream): void {
  client.writeOffset = stream.offset;
  client.appliedOffset = stream.appliedOffset;
}

/** CLIENT CACHING is about one command, or one transaction, and is over now. */
function endCaching({ tracker, isInMulti }: Client, command: Command | null): void {
  if (tracker === null || !tracker.isCachingGiven || isInMulti) return;
  if (command === null || !command.fullName.startsWith("client|")) tracker.isCachingGiven = false;
}

/** What is looked ahead into. */
interface Warmed {
  warm(hashes: Int32Array, count: number): number;
}

/** Warms `records` for what word `word` of the waiting requests names; returns as `#lookAhead` does. */
function warmAhead(parser: RequestParser, word: number, records: Warmed): number {
  const count = parser.wordsAhead(word, aheadStarts, aheadLengths, AHEAD_COUNT);
  if (count < 2) return AHEAD_NEVER;
  const { bytes } = parser;
  for (let i = 0; i < count; i++) {
    aheadHashes[i] = hashBytes(bytes, aheadStarts[i], aheadLengths[i]);
  }
  aheadSum ^= records.warm(aheadHashes, count);
  return count - 1;
}

/** Not queued by MULTI, but run at once. */
const TRANSACTION_COMMANDS = new Set(["exec", "discard", "multi", "watch", "quit", "reset"]);
const SUBSCRIBER_COMMANDS = new Set([
  "subscribe",
  "unsubscribe",
  "psubscribe",
  "punsubscribe",
  "ssubscribe",
  "sunsubscribe",
  "ping",
  "quit",
  "reset",
]);

/** Same for all cases of a name; letters are folded with one OR. */
function nameHash(bytes: Uint8Array, offset: number, length: number): number {
  let hash = length;
  const end = offset + length;
  for (let i = offset; i < end; i++) hash = (Math.imul(hash, 31) + (bytes[i] | 0x20)) | 0;
  return hash ^ (hash >>> 10);
}
