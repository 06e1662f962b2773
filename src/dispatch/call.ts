/**
 * What a handler is given for one call of a command: the words, the client, its database, where the
 * reply goes. One object serves all calls (nested ones put its fields back), so a handler must not
 * keep it, nor anything it took out of it but `server` and `client`, beyond its return.
 *
 * On the path between dispatch and commands.
 */

import { parseInteger } from "../base/integers.ts";
import { parseInt64 } from "../base/integers.ts";
import type { Command } from "./command.ts";
import type { Database } from "../keyspace/database.ts";
import type { StreamPart } from "../propagation/stream_part.ts";
import { shownText, wrongArity } from "./command_errors.ts";
import { NOT_AN_INTEGER, ReplyError } from "../resp/reply_error.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Words } from "../resp/words.ts";
import type { Client } from "./client.ts";
import type { Services } from "./services.ts";

/** The request enters the stream of writes as it came, if it changed something. */
export const PROPAGATE_VERBATIM = 0;
/** The handler has said what enters the stream instead (possibly nothing). */
export const PROPAGATE_REPLACED = 1;

export class Call {
  client!: Client;
  database!: Database;
  words!: Words;
  reply!: ReplyWriter;
  /** The command being called; of a container with a subcommand, the subcommand. */
  command!: Command;
  /** Unix time in ms, the same during the whole call. See "Expiry instants" in NOTES. */
  nowMs = 0;
  /** When it began, by the monotonic clock; of a call that is not timed, when its turn began. */
  startedMs = 0;
  /** PROPAGATE_*. */
  propagation = PROPAGATE_VERBATIM;
  /** Whether it is part of something larger (EXEC), of which everything enters the stream together. */
  isNested = false;
  /** Whether it may have its client wait; else it answers at once with what there is. */
  mayPark = true;
  /** Whether the call has parked its client: it is not over, and counts when it is. */
  isParked = false;

  constructor(readonly server: Services) {}

  /** Whether anybody reads the stream of writes: else `propagateAs` need not be prepared. */
  get isPropagating(): boolean {
    return this.server.keyspace.stream.isActive;
  }

  /**
   * Puts this command into the stream of writes in place of the request (may be called several
   * times); `word(n)` is a word of the request as it came. It names outcomes, never relative times or chance: see "Outcomes enter the stream" in NOTES.
   */
  propagateAs(...parts: StreamPart[]): void {
    this.propagation = PROPAGATE_REPLACED;
    this.server.keyspace.stream.add(this.database.index, parts, this.words);
  }

  /** The request leaves no trace in the stream of writes. */
  preventPropagation(): void {
    this.propagation = PROPAGATE_REPLACED;
  }

  // -- errors in the number of words, where a command's arity does not show them --------

  /** This command with the wrong number of words. */
  arityError(): ReplyError {
    return new ReplyError(wrongArity(this.command));
  }

  /** A subcommand, named as the client wrote it, with more words than it has options for. */
  subcommandSyntaxError(): ReplyError {
    const { words } = this;
    const container = words.text(0).toUpperCase();
    return new ReplyError(
      `ERR unknown subcommand or wrong number of arguments for '${shownText(words, 1, 128)}'. ` +
        `Try ${container} HELP.`,
    );
  }

  // -- reading words; what is wrong with one is thrown as a ReplyError ---------------

  /** Word `index` as a safe integer. Integers beyond 2^53 are out of range here. */
  integer(index: number, errorText = NOT_AN_INTEGER): number {
    const { words } = this;
    const value = parseInteger(words.bytes, words.starts[index], words.lengths[index]);
    if (value !== value) throw new ReplyError(errorText);
    return value;
  }

  /** Word `index` as a 64-bit integer. */
  bigInteger(index: number, errorText = NOT_AN_INTEGER): bigint {
    const { words } = this;
    const value = parseInt64(words.bytes, words.starts[index], words.lengths[index]);
    if (value === null) throw new ReplyError(errorText);
    return value;
  }

  /**
   * Word `index` as an integer for counts and indexes: any 64-bit integer is accepted, those beyond
   * 2^53 come out rounded, which no count or index in memory can tell.
   */
  clampedInteger(index: number, errorText = NOT_AN_INTEGER): number {
    const { words } = this;
    const value = parseInteger(words.bytes, words.starts[index], words.lengths[index]);
    return value === value ? value : Number(this.bigInteger(index, errorText));
  }
}
