/**
 * MIGRATE: keys on their way to another server, while their client is parked and all others go on. Beside dispatch,
 * as dumps.ts and restores.ts are; the command (commands/generic/migrate.ts) reads its words and looks for the keys.
 *
 *     hold the keys -> connect -> AUTH, SELECT -> RESTORE each -> read the answers -> DEL here -> let the keys go
 *
 * What holds in every case: a key is removed here only if the target has answered that it has stored the value that
 * the key still has. See "Keys on their way" in NOTES for what others see meanwhile, and what becomes of a key that is
 * changed all the same. A large value is dumped in slices (rdb/payload_dump.ts), and goes out as fast as the
 * target takes it.
 */

import { latin1 } from "../base/bytes.ts";
import { type Database, WatchedKeys, type Watcher } from "../keyspace/database.ts";
import { dumpPayload } from "../rdb/payload.ts";
import { PayloadDump } from "../rdb/payload_dump.ts";
import { payloadForm } from "../rdb/versions.ts";
import { ReplyError } from "../resp/reply_error.ts";
import type { Words } from "../resp/words.ts";
import type { Call } from "./call.ts";
import type { Client, Park } from "./client.ts";
import type { Command } from "./command.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { HeldKey } from "./held_keys.ts";
import { SLICE_MS } from "./sliced_calls.ts";
import { KeptLinks, type TargetAttempt, TargetFailure, TargetLink } from "./target_link.ts";

/** Larger values are dumped in slices, in bytes of memory. */
const DUMP_AT_ONCE_BYTES = 64 * 1024;
/** So many values of no more than so many bytes are dumped without a look at the clock. */
const SMALL_KEYS = 64;
const SMALL_BYTES = 1024;
/** Requests are collected up to this size before they go out. */
const BATCH_BYTES = 64 * 1024;
/** A value that a snapshot is walking has no second walk: it is waited for, a while. */
const WALKED_WAITS = 200;
const WALKED_WAIT_MS = 10;
/** How often a key is sent, if it changes while it is on its way. */
const ROUNDS_MAX = 3;
const PORT_MAX = 65_535;
/** What a key, held and watched, takes beside its bytes, about. */
const MOVING_KEY_BYTES = 300;

export interface MigrationOptions {
  readonly host: string;
  /** Not checked: nobody is to be found at others than 1 to 65535. */
  readonly port: number;
  /** The database over there. */
  readonly targetDatabase: string;
  /** Of each step, in ms. */
  readonly timeoutMs: number;
  /** The keys stay here too. */
  readonly copies: boolean;
  /** Keys that are there over there are replaced. */
  readonly replaces: boolean;
  /** The words behind AUTH over there; none for no AUTH. */
  readonly credentials: readonly Uint8Array[];
}

class MovingKey implements HeldKey, Watcher {
  readonly watches = new WatchedKeys(this);
  /** The target has it, as it was when it was dumped last. */
  isStored = false;
  /** It has changed since. */
  hasChanged = false;

  constructor(
    readonly client: Client,
    readonly database: Database,
    readonly key: Uint8Array,
  ) {}

  keyChanged(): void {
    this.hasChanged = true;
  }

  /** Over there they have the same times, and are over too. */
  fieldsExpired(): void {}

  /** The record, or 0; a key past its time is not there. */
  find(): number {
    const { database, key } = this;
    const ref = database.records.get(key, 0, key.length);
    return ref === 0 || database.isExpired(ref) ? 0 : ref;
  }
}

/** Requests in RESP, on their way into one buffer or behind each other. */
class Requests {
  bytes = new Uint8Array(2 * BATCH_BYTES);
  length = 0;

  add(words: readonly (Uint8Array | string)[]): void {
    this.begin(words.length);
    for (const word of words) this.word(word);
  }

  begin(wordCount: number): void {
    this.#line("*", wordCount);
  }

  word(word: Uint8Array | string): void {
    const bytes = typeof word === "string" ? latin1(word) : word;
    this.#line("$", bytes.length);
    this.#append(bytes);
    this.end();
  }

  /** Says that a word of so many bytes follows by another way. */
  announce(length: number): void {
    this.#line("$", length);
  }

  /** The end of a word. */
  end(): void {
    this.#append(LINE_END);
  }

  #line(type: string, count: number): void {
    this.#append(latin1(`${type}${count}\r\n`));
  }

  #append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.length + bytes.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }
}

const LINE_END = latin1("\r\n");

class Migration implements Park {
  /** Not for a person to end: what has been sent cannot be called back. */
  readonly isBlocking = false;
  readonly keys: readonly MovingKey[];
  /** Why it is to end before it is done; null to go on. */
  #cancelled: string | null = null;
  #isHolding = false;
  /** Its client has gone. */
  #isDetached = false;
  #attempt: TargetAttempt | null = null;
  #link: TargetLink | null = null;
  #requests = new Requests();
  #dump: PayloadDump | null = null;
  /** Keys that were dumped since the last look at the clock. */
  #smallKeys = SMALL_KEYS;
  /** Until then keys are dumped without others having their turn, by the monotonic clock. */
  #sliceEndsMs = 0;

  constructor(
    readonly owner: Migrations,
    readonly client: Client,
    readonly database: Database,
    readonly command: Command,
    readonly words: Words,
    readonly options: MigrationOptions,
    keys: readonly Uint8Array[],
  ) {
    this.keys = keys.map((key) => new MovingKey(client, database, key));
  }

  get memoryBytes(): number {
    return this.words.bytes.length + this.keys.length * MOVING_KEY_BYTES +
      this.#requests.bytes.length + (this.#dump?.sizeBytes ?? 0);
  }

  get #server() {
    return this.owner.dispatcher.server;
  }

  /** Park: the client has gone. What has begun comes to its end, as in Redis. */
  unblock(): void {
    if (this.#isDetached || !this.client.isClosed) return;
    this.#isDetached = true;
    this.#server.clients.blockedCount--;
  }

  /** Ends it soon, with this error. */
  cancel(errorText: string): void {
    this.#cancelled ??= errorText;
    this.#attempt?.cancel();
    this.#link?.close();
  }

  /** Goes through all of it. Never rejects. */
  async run(): Promise<void> {
    this.#hold();
    let failure: unknown = null;
    try {
      failure = await this.#sendAll();
    } catch (error) {
      failure = error instanceof TargetFailure ? new ReplyError(failureText(error)) : error;
    }
    while (this.owner.mustWait && this.#cancelled === null) {
      await this.owner.pauseEnd();
    }
    if (this.#cancelled !== null) failure = new ReplyError(this.#cancelled);
    this.#end(failure);
  }

  #hold(): void {
    for (const { watches, key } of this.keys) this.database.watch(watches, key, 0, key.length);
    this.owner.dispatcher.heldKeys.hold(this.keys);
    this.#isHolding = true;
  }

  #letGo(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    for (const { watches } of this.keys) this.database.unwatch(watches);
    this.owner.dispatcher.heldKeys.release(this.keys);
  }

  // -- over there ----------------------------------------------------------------------------

  /** Sends the keys until what is stored over there is what is here; answers what the target has against it. */
  async #sendAll(): Promise<ReplyError | null> {
    const { copies } = this.options;
    let keys = this.keys;
    let { replaces } = this.options;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const problem = await this.#send(keys, replaces);
      if (problem !== null) {
        return new ReplyError(`ERR Target instance replied with error: ${problem}`);
      }
      keys = copies ? [] : keys.filter((key) => key.hasChanged && key.find() !== 0);
      if (keys.length === 0) return null;
      // What is there now is what we have put there.
      replaces = true;
    }
    return new ReplyError(
      "ERR A key that was being migrated kept changing: it stays here, and the target has an older value",
    );
  }

  /** Sends these keys, once more over a new connection if nothing has come of it; answers as `#sendAll`. */
  async #send(keys: readonly MovingKey[], replaces: boolean): Promise<string | null> {
    for (let mayRetry = true;; mayRetry = false) {
      const link = await this.#connect();
      try {
        const problem = await this.#sendOver(link, keys, replaces);
        this.#keep(link, problem);
        return problem;
      } catch (error) {
        link.close();
        const isOver = !(error instanceof TargetFailure) || error.isTimeout ||
          keys.some((key) => key.isStored);
        if (isOver || !mayRetry || this.#cancelled !== null) throw error;
      }
    }
  }

  async #connect(): Promise<TargetLink> {
    const { host, port, timeoutMs } = this.options;
    const kept = this.owner.kept.take(`${host}:${port}`);
    if (kept !== null) return this.#link = kept;
    if (port < 0 || this.#cancelled !== null) throw new TargetFailure("connecting", false);
    if (port === 0 || port > PORT_MAX) throw new TargetFailure("writing", false); // nobody is there
    const { runtime: { network, timers }, tls } = this.#server;
    this.#attempt = TargetLink.open(network, timers, tls.forTarget, { host, port }, timeoutMs);
    try {
      return this.#link = await this.#attempt.link;
    } finally {
      this.#attempt = null;
    }
  }

  #keep(link: TargetLink, problem: string | null): void {
    this.#link = null;
    // After an error nobody knows what is selected.
    link.database = problem === null ? this.options.targetDatabase : "";
    if (link.isUsable && this.#cancelled === null) {
      this.owner.kept.keep(link, this.#server.keyspace.steadyMs);
    } else link.close();
  }

  async #sendOver(
    link: TargetLink,
    keys: readonly MovingKey[],
    replaces: boolean,
  ): Promise<string | null> {
    this.#requests.length = 0;
    const refusal = await this.#introduce(link);
    if (refusal !== null) return refusal;
    const sent: MovingKey[] = [];
    for (const key of keys) {
      key.isStored = false;
      if (await this.#sendKey(link, key, replaces)) sent.push(key);
    }
    await this.#flush(link);
    // The values are all of a moment at which nobody changed any of them: others may do that now.
    if (this.options.copies) this.#letGo();
    return await this.#readAnswers(link, sent);
  }

  /**
   * Sends AUTH and SELECT where they are needed. Nothing follows before they have been answered, so that no key comes
   * into a database where it does not belong, and no large value goes to who does not take it.
   */
  async #introduce(link: TargetLink): Promise<string | null> {
    const { credentials, targetDatabase, timeoutMs } = this.options;
    const said = [];
    if (credentials.length > 0) said.push(["AUTH", ...credentials]);
    if (link.database !== targetDatabase) said.push(["SELECT", targetDatabase]);
    for (const words of said) this.#requests.add(words);
    await this.#flush(link);
    let refusal: string | null = null;
    for (let i = 0; i < said.length; i++) refusal ??= errorOf(await link.readLine(timeoutMs));
    return refusal;
  }

  /** Adds the RESTORE of a key; false when the key is not there any more. */
  async #sendKey(link: TargetLink, key: MovingKey, replaces: boolean): Promise<boolean> {
    if (++this.#smallKeys > SMALL_KEYS) await this.#takeTurn();
    const payload = await this.#dumpOf(key);
    if (payload === null) return false;
    if (payload.dump !== null || payload.bytes.length > SMALL_BYTES) this.#smallKeys = SMALL_KEYS;
    const requests = this.#requests;
    requests.begin(replaces ? 5 : 4);
    requests.word("RESTORE");
    requests.word(key.key);
    requests.word(String(payload.ttlMs));
    if (payload.dump === null) requests.word(payload.bytes);
    else await this.#sendChunks(link, payload.dump);
    if (replaces) requests.word("REPLACE");
    if (requests.length >= BATCH_BYTES) await this.#flush(link);
    return true;
  }

  async #sendChunks(link: TargetLink, { sizeBytes, chunks, lengths }: PayloadDump): Promise<void> {
    this.#requests.announce(sizeBytes);
    await this.#flush(link);
    for (let i = 0; i < chunks.length; i++) {
      await link.send(chunks[i], lengths[i], this.options.timeoutMs);
    }
    this.#dump = null;
    this.#requests.end();
  }

  async #flush(link: TargetLink): Promise<void> {
    const { bytes, length } = this.#requests;
    if (length === 0) return;
    this.#requests.length = 0;
    await link.send(bytes, length, this.options.timeoutMs);
  }

  /** Marks the keys that are stored; answers with the first error, null when there is none. */
  async #readAnswers(link: TargetLink, keys: readonly MovingKey[]): Promise<string | null> {
    let problem: string | null = null;
    try {
      for (const key of keys) {
        const error = errorOf(await link.readLine(this.options.timeoutMs));
        if (error === null) key.isStored = true;
        else problem ??= error;
      }
    } catch (error) {
      // The target's own words say more than that it has gone after them.
      if (problem === null) throw error;
      link.close();
    }
    return problem;
  }

  // -- here ----------------------------------------------------------------------------------

  /** Lets others have their turn once a slice of time is over. */
  async #takeTurn(): Promise<void> {
    const { clock, runtime } = this.#server;
    this.#smallKeys = 0;
    if (clock.monotonic() < this.#sliceEndsMs) return;
    await new Promise<void>((resolve) => runtime.timers.afterOthers(resolve));
    this.#sliceEndsMs = clock.monotonic() + SLICE_MS;
  }

  /** The value of a key as of now, and the time that it has left (0 for ever); null when it is not there. */
  async #dumpOf(key: MovingKey): Promise<Payload | null> {
    const { keyspace, config } = this.#server;
    const { database } = this;
    for (let waits = 0;; waits++) {
      keyspace.refreshTime();
      const ref = key.find();
      if (ref === 0) return null;
      const form = payloadForm(config);
      const isLarge = database.bytesOfKey(ref) > DUMP_AT_ONCE_BYTES;
      key.hasChanged = false;
      const ttlMs = this.#ttlOf(ref);
      const dump = isLarge ? PayloadDump.begin(database, ref, form) : null;
      if (dump !== null) {
        await this.#finish(dump);
        return { dump, bytes: NO_BYTES, ttlMs };
      }
      if (!isLarge || waits === WALKED_WAITS) {
        return { dump: null, bytes: dumpPayload(database, ref, form), ttlMs };
      }
      await this.#wait(WALKED_WAIT_MS);
    }
  }

  async #finish(dump: PayloadDump): Promise<void> {
    this.#dump = dump;
    try {
      while (!dump.step()) await this.#takeTurn();
    } catch (error) {
      dump.finishNow(); // takes its marks out of the value
      throw error;
    }
  }

  #ttlOf(ref: number): number {
    const expiresAtMs = this.database.expiryOf(ref);
    if (expiresAtMs !== expiresAtMs) return 0;
    return Math.max(1, expiresAtMs - this.#server.keyspace.nowMs);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#server.runtime.timers.after(ms, resolve));
  }

  /** Removes what the target has, lets go of everything and answers. */
  #end(failure: unknown): void {
    const { dispatcher } = this.owner;
    const { keyspace } = this.#server;
    keyspace.refreshTime();
    let problem = failure;
    try {
      if (!this.options.copies && this.#cancelled === null) this.#removeStored();
    } catch (error) {
      problem ??= error;
    }
    this.owner.ended(this);
    dispatcher.endUnit(this.client);
    if (!this.#isDetached) this.#answer(problem);
    this.#letGo();
    dispatcher.unitEnded();
  }

  /** @throws RangeError without a change when there is no memory to tell replicas of it */
  #removeStored(): void {
    const stored = this.keys.filter((key) => key.isStored && !key.hasChanged);
    const { stream } = this.#server.keyspace;
    if (stream.isActive) {
      let bytes = 64;
      for (const { key } of stored) bytes += key.length + 32;
      stream.reserve(bytes);
    }
    const removed: Uint8Array[] = [];
    for (const { key } of stored) if (this.database.remove(key, 0, key.length)) removed.push(key);
    if (removed.length > 0) stream.add(this.database.index, ["DEL", ...removed]);
  }

  #answer(problem: unknown): void {
    const { dispatcher } = this.owner;
    const { client, command, words } = this;
    if (problem === null) dispatcher.endParked(client, command, words, (reply) => reply.ok());
    else if (problem instanceof ReplyError) {
      dispatcher.endParked(client, command, words, problem.text);
    } else dispatcher.failParked(client, words, problem);
  }
}

interface Payload {
  /** Null where the value is small: then `bytes` are all of it. */
  readonly dump: PayloadDump | null;
  readonly bytes: Uint8Array;
  /** 0 for a key that does not expire. */
  readonly ttlMs: number;
}

const NO_BYTES = new Uint8Array(0);

/** What a line of the target says is wrong; null when it is no error. */
function errorOf(line: string): string | null {
  return line.startsWith("-") ? line.slice(1) : null;
}

function failureText({ step }: TargetFailure): string {
  const whom = step === "connecting" ? "the client" : "target instance";
  return `IOERR error or timeout ${step} to ${whom}`;
}

export class Migrations {
  readonly kept = new KeptLinks();
  readonly #underWay = new Set<Migration>();
  /** Who waits for the end of a pause, or of a script. */
  #waiting: (() => void)[] = [];

  constructor(readonly dispatcher: Dispatcher) {}

  /** Parks the client of this call until these keys, which are there, have gone to another server. */
  park(call: Call, options: MigrationOptions, keys: readonly Uint8Array[]): void {
    const { client, database, command } = call;
    const words = call.words.clone();
    const migration = new Migration(this, client, database, command, words, options, keys);
    call.isParked = true;
    client.park = migration;
    call.server.clients.blockedCount++;
    this.#underWay.add(migration);
    migration.run();
  }

  /** Whether keys are on their way. */
  get isUnderWay(): boolean {
    return this.#underWay.size > 0;
  }

  /** Connections to other servers that are open: in use, or kept for the next time. */
  get connectionCount(): number {
    return this.kept.count + this.#underWay.size;
  }

  ended(migration: Migration): void {
    this.#underWay.delete(migration);
  }

  /** Called by the timer. */
  tick(steadyMs: number): void {
    this.kept.tick(steadyMs);
  }

  /** Whether DEL has to wait: writes are paused, or the data belong to a script that is under way. */
  get mustWait(): boolean {
    const { pause, scripts } = this.dispatcher.server;
    return pause.endsMs !== 0 || scripts.isSuspended;
  }

  /** Resolves when there may be nothing to wait for any more. */
  pauseEnd(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A pause has ended, or a script that was suspended. */
  goOn(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting = [];
  }

  /** Ends all with this error, the keys stay: when the server stops being a master. */
  cancelAll(errorText: string): void {
    for (const migration of this.#underWay) migration.cancel(errorText);
    this.goOn();
  }

  /** The server ends. */
  close(): void {
    this.cancelAll("ERR The server is shutting down");
    this.kept.close();
  }
}
