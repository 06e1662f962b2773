/**
 * A dataset as one append-only file of commands, in RESP, which servers from Redis 2.6 on load, if they have its types
 * (streams from 5.0, libraries from 7.0, fields that expire from 7.4 on). Commands are made of a snapshot in pieces, as
 * for a rewrite.
 *
 * Not in commands: how often a key was used and when (as in every append-only file), and when consumers were seen.
 */

import { CommandFinisher } from "../../rdb/as_commands/command_finisher.ts";
import { COMMANDS_OPTIONS } from "../../rdb/as_commands/save_commands.ts";
import type { BytesSink } from "../byte_writer.ts";
import type { ShownKey } from "../dataset/dataset.ts";
import type { DatasetOutput } from "./dataset_output.ts";
import { RdbOutput } from "./rdb_output.ts";

/** Nothing around the commands: what stands there only tsredis understands. */
const FRAME = { head: "", tail: "" };

export class CommandsOutput implements DatasetOutput {
  readonly #snapshot: RdbOutput;
  readonly #commands: CommandFinisher;

  /** `onRemark` hears of what commands cannot say. */
  constructor(sink: BytesSink, onRemark: (what: string) => void) {
    const commands: CommandFinisher = new CommandFinisher(
      (chunk, length) => {
        sink.write(chunk, 0, length);
        commands.recycle(chunk);
      },
      FRAME,
      onRemark,
    );
    this.#commands = commands;
    const write = (bytes: Uint8Array, from: number, to: number) =>
      commands.add(bytes.subarray(from, to), to - from);
    this.#snapshot = new RdbOutput({ write }, { ...COMMANDS_OPTIONS, checksum: false }, 0);
  }

  begin(): void {
    this.#snapshot.begin();
  }

  library(code: Uint8Array): void {
    this.#snapshot.library(code);
  }

  key(key: ShownKey): void {
    this.#snapshot.key({ ...key, idleSeconds: -1, frequency: -1 });
  }

  end(): void {
    this.#snapshot.end();
    this.#commands.end();
  }
}
