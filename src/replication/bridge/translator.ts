/**
 * Turns our stream of writes into one that an older server follows: on the path of such links only, from the bytes of
 * a command to the bytes of what is said in place of it. forms.ts has the words; here is what goes round them.
 *
 *     SELECT          said when a command needs it
 *     MULTI … EXEC    as they are; what becomes several commands is put between them
 *     a command       as it is, in other words, or not at all: then its keys are told as they are later
 *
 * Some commands have no words that an older server knows. Of those the outcome is told: the keys that they write are
 * kept in mind, and once the turn is over, which is when our data are what our stream has said and nothing more, each is
 * sent as it is then (`settle`). Until then all that touches such a key is left out too, and what it writes joins
 * them, so that nothing is applied to a value that is not the one it was meant for. In the same way
 * it is told again when a key expires, where a script could only tell what is left of that.
 *
 * Not done: what has no words and no outcome ends the link (`Broken`), as does a value that is too large to be sent again
 * and again. The replica then gets a full sync, in which it is said, or refused by its name.
 */

import { latin1, toLatin1 } from "../../base/bytes.ts";
import { quoted } from "../../base/printable.ts";
import type { Database } from "../../keyspace/database.ts";
import type { Keyspace } from "../../keyspace/keyspace.ts";
import { dumpPayload } from "../../rdb/payload.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import { Words } from "../../resp/words.ts";
import type { StreamPart } from "../../propagation/stream_part.ts";
import { CommandBytes } from "./command_bytes.ts";
import {
  AS_IS,
  databaseOf,
  type Form,
  formFor,
  OUTCOME,
  type Rewording,
  Unsayable,
} from "./forms.ts";
import type { Target } from "./target.ts";

/** A key whose value takes more bytes is not sent as an outcome. */
const OUTCOME_BYTES_MAX = 16 << 20;

/** The latest instant that is a 64-bit integer as well as a number here. */
const EXPIRY_MAX_MS = 2 ** 63 - 1024;

const MULTI = latin1("*1\r\n$5\r\nMULTI\r\n");
const EXEC = latin1("*1\r\n$4\r\nEXEC\r\n");
const NO_WORDS = new Words();

/** A command as the table of commands has it. */
export interface StreamCommand {
  /** Lower case; of a subcommand with its container's name: "xgroup|create". */
  readonly name: string;
  /** The version of Redis that brought it. */
  readonly since: string;
  /** The words that are keys, and whether they are written; null when that cannot be told. */
  keysOf(words: Words): { readonly index: number; readonly isWritten: boolean }[] | null;
}

/** Takes what is said. See StreamReader of write_stream.ts for `isKept`. */
export type TranslatedSink = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  isKept: boolean,
) => void;

/** Why a link cannot go on. */
export class Broken {
  constructor(readonly why: string) {}
}

/** A key in a database. */
interface KeyPlace {
  readonly database: number;
  readonly key: Uint8Array;
  readonly isWritten: boolean;
}

/** How one command is to be said to this server. */
interface Handling {
  readonly command: StreamCommand;
  readonly form: Form | null;
  readonly isKnown: boolean;
}

export class Translator implements Rewording {
  /** The database of the commands that come. */
  database = 0;
  /** The database that the other server has selected; -1 when it is to be told. */
  #said = -1;
  #isInMulti = false;
  /** The words of the command at hand. */
  #words = NO_WORDS;
  /** What is said in place of the command at hand. */
  readonly #commands = new CommandBytes();
  /** What is said beside that. */
  readonly #beside = new CommandBytes();
  /** Whether the command at hand had to be put in other words. */
  hasReworded = false;
  readonly #handlings = new Map<StreamCommand, Handling>();
  /** Keys that are sent as they are when the turn is over. */
  #outcomes = new Map<string, KeyPlace>();
  /** Keys of which it is told again then when they expire. */
  #retimed = new Map<string, KeyPlace>();

  constructor(
    readonly target: Target,
    readonly keyspace: Keyspace,
    /** What the words name; null for what is not known here. */
    readonly commandOf: (words: Words) => StreamCommand | null,
    readonly sink: TranslatedSink,
  ) {}

  /** Whether `settle` has something to say. */
  get isUnsettled(): boolean {
    return this.#outcomes.size > 0 || this.#retimed.size > 0;
  }

  /** A replica begins here: it has to be told the database. */
  reselect(): void {
    this.#said = -1;
  }

  /** Takes the next command, which lies between `at` and `end` of `words.bytes`. @throws Broken */
  command(words: Words, at: number, end: number, isKept: boolean): void {
    this.hasReworded = true;
    if (words.is(0, "select")) {
      this.database = Number(words.text(1));
      return;
    }
    const isMulti = words.is(0, "multi");
    if (isMulti || words.is(0, "exec") || words.is(0, "ping")) {
      if (isMulti || words.is(0, "exec")) this.#isInMulti = isMulti;
      this.#asIs(words, at, end, isKept);
      return;
    }
    const command = this.commandOf(words);
    if (command === null) throw new Broken(`it has no command ${quoted(words.text(0))}`);
    const handling = this.#handlingOf(command);
    if (this.isUnsettled && this.#joins(handling, words)) return;
    const said = this.#say(handling, words);
    if (said === OUTCOME) this.#keepOutcome(command, words);
    else if (said !== AS_IS) this.#sayReworded();
    else {
      this.#select();
      this.#asIs(words, at, end, isKept);
    }
  }

  #asIs({ bytes }: Words, at: number, end: number, isKept: boolean): void {
    this.hasReworded = false;
    this.sink(bytes, at, end - at, isKept);
  }

  #handlingOf(command: StreamCommand): Handling {
    let handling = this.#handlings.get(command);
    if (handling === undefined) {
      const { target } = this;
      const form = formFor(command.name, target);
      handling = { command, form, isKnown: target.knows(command.since) };
      this.#handlings.set(command, handling);
    }
    return handling;
  }

  #say({ command, form, isKnown }: Handling, words: Words): number {
    this.#commands.clear();
    this.#words = words;
    if (form === null) return isKnown ? AS_IS : OUTCOME;
    try {
      return form(words, this);
    } catch (error) {
      if (!(error instanceof Unsayable)) throw error;
      throw new Broken(`${error.why}${this.#firstKeyIn(command, words)}`);
    }
  }

  #firstKeyIn(command: StreamCommand, words: Words): string {
    const key = command.keysOf(words)?.at(0);
    return key === undefined ? "" : ` (key ${quoted(words.text(key.index))})`;
  }

  /** Rewording. */
  say(...parts: StreamPart[]): void {
    this.#commands.add(parts, this.#words);
  }

  /** Rewording. */
  retime(key: Uint8Array, database = this.database): void {
    remember(this.#retimed, { database, key, isWritten: true });
  }

  #sayReworded(): void {
    const commands = this.#commands;
    this.#words = NO_WORDS;
    if (commands.count === 0) return;
    const isAlone = commands.count === 1 || this.#isInMulti;
    if (!isAlone) this.#sayBytes(MULTI);
    this.#select();
    this.#sayAll(commands);
    if (!isAlone) this.#sayBytes(EXEC);
  }

  /** Says commands that are made, and forgets them. */
  #sayAll(commands: CommandBytes): void {
    const { bytes, length, isLarge } = commands;
    this.sink(bytes, 0, length, isLarge);
    commands.clear();
  }

  #sayWords(...parts: StreamPart[]): void {
    this.#beside.add(parts, NO_WORDS);
    this.#sayAll(this.#beside);
  }

  #sayBytes(bytes: Uint8Array): void {
    this.sink(bytes, 0, bytes.length, true);
  }

  #select(database = this.database): void {
    if (this.#said === database) return;
    this.#said = database;
    this.#sayWords("SELECT", database);
  }

  // -- outcomes ------------------------------------------------------------------------------------

  /** The keys of a command where they are written or read; @throws Broken when that cannot be told */
  #placesOf(command: StreamCommand, words: Words): KeyPlace[] {
    const { database } = this;
    const keys = command.keysOf(words);
    if (keys === null) throw new Broken(`it cannot be told what ${quoted(words.text(0))} writes`);
    const places = keys.map(({ index, isWritten }) => ({
      database,
      key: words.copy(index),
      isWritten,
    }));
    const other = databaseOf(words);
    if (other >= 0) {
      // MOVE takes its key along, COPY has another one for the copy.
      const { key } = places.at(-1)!;
      if (words.is(0, "copy")) places.pop();
      places.push({ database: other, key, isWritten: true });
    }
    return places;
  }

  #keepOutcome(command: StreamCommand, words: Words): void {
    const written = this.#placesOf(command, words).filter(({ isWritten }) => isWritten);
    if (written.length === 0) {
      throw new Broken(`there is no word for ${quoted(command.name)}`);
    }
    for (const place of written) remember(this.#outcomes, place);
  }

  /**
   * Whether a command is left out because it touches what is going to be sent as an outcome: then what it writes is sent
   * so too. What touches a key whose time is to be told again has the times of what it writes told again.
   */
  #joins({ command }: Handling, words: Words): boolean {
    if (words.is(0, "swapdb")) this.#swap(Number(words.text(1)), Number(words.text(2)));
    else if (this.#isAside(command, words)) return false;
    const places = this.#placesOf(command, words);
    // SORT reads keys that its words do not name.
    const isOutcome = words.is(0, "sort") || places.some((place) => has(this.#outcomes, place));
    const isTime = places.some((place) => has(this.#retimed, place));
    for (const place of places) {
      if (!place.isWritten) continue;
      if (isOutcome) remember(this.#outcomes, place);
      else if (isTime) remember(this.#retimed, place);
    }
    return isOutcome;
  }

  /** Whether it is plain to see that a command has nothing to do with any key that is to be told: nothing is copied then. */
  #isAside(command: StreamCommand, words: Words): boolean {
    const keys = command.keysOf(words);
    if (keys === null || databaseOf(words) >= 0 || words.is(0, "sort")) return false;
    for (const { index } of keys) {
      const name = `${this.database}:${words.text(index)}`;
      if (this.#outcomes.has(name) || this.#retimed.has(name)) return false;
    }
    return true;
  }

  #swap(one: number, other: number): void {
    this.#outcomes = swapped(this.#outcomes, one, other);
    this.#retimed = swapped(this.#retimed, one, other);
  }

  /**
   * Sends what is to be sent as it is now. To be called when our data are what the stream has said, before anything else
   * is taken from it. @throws Broken
   */
  settle(): void {
    const times = [...this.#retimed.values()].filter((place) =>
      !has(this.#outcomes, place) && !Number.isNaN(this.#expiryOf(place))
    );
    if (this.#outcomes.size + times.length > 0) {
      this.#sayBytes(MULTI);
      for (const place of this.#outcomes.values()) this.#sayValue(place);
      for (const place of times) this.#sayTime(place);
      this.#sayBytes(EXEC);
    }
    this.#outcomes.clear();
    this.#retimed.clear();
  }

  #sayValue(place: KeyPlace): void {
    const { database, key } = place;
    const from = this.keyspace.databases[database];
    this.#select(database);
    this.#sayWords("DEL", key);
    const ref = from.records.get(key, 0, key.length);
    if (ref === 0) return;
    this.#sayWords("RESTORE", key, 0, this.#payloadOf(from, ref, key));
    this.#sayTime(place);
  }

  #payloadOf(from: Database, ref: number, key: Uint8Array): Uint8Array {
    const { target: { rdbVersion } } = this;
    const where = `the key ${quoted(toLatin1(key))} (database ${from.index})`;
    if (from.bytesOfKey(ref) > OUTCOME_BYTES_MAX) {
      throw new Broken(`${where} was changed by a command that it does not know, and is large`);
    }
    try {
      return dumpPayload(from, ref, { compress: true, version: rdbVersion });
    } catch (error) {
      if (error instanceof ReplyError) throw new Broken(error.text.replace(/^ERR /, ""));
      throw error;
    }
  }

  #sayTime(place: KeyPlace): void {
    const expiresAtMs = this.#expiryOf(place);
    if (Number.isNaN(expiresAtMs)) return;
    this.#select(place.database);
    this.#sayWords("PEXPIREAT", place.key, BigInt(Math.min(expiresAtMs, EXPIRY_MAX_MS)).toString());
  }

  /** Unix ms; NaN for a key that does not expire or is not there. */
  #expiryOf({ database, key }: KeyPlace): number {
    const from = this.keyspace.databases[database];
    const ref = from.records.get(key, 0, key.length);
    return ref === 0 ? NaN : from.expiryOf(ref);
  }
}

function nameOf({ database, key }: KeyPlace): string {
  return `${database}:${toLatin1(key)}`;
}

function has(places: ReadonlyMap<string, KeyPlace>, place: KeyPlace): boolean {
  return places.size > 0 && places.has(nameOf(place));
}

function remember(places: Map<string, KeyPlace>, place: KeyPlace): void {
  places.set(nameOf(place), place);
}

/** The places after two databases have changed places. */
function swapped(
  places: ReadonlyMap<string, KeyPlace>,
  one: number,
  other: number,
): Map<string, KeyPlace> {
  const result = new Map<string, KeyPlace>();
  for (const { database, key, isWritten } of places.values()) {
    const now = database === one ? other : database === other ? one : database;
    remember(result, { database: now, key, isWritten });
  }
  return result;
}
