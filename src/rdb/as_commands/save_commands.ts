/** The dataset as commands, written at once; and how a snapshot has to be written that commands are made of. */

import type { Keyspace } from "../../keyspace/keyspace.ts";
import { ACCESS_NONE, saveDataset } from "../save_dataset.ts";
import type { SnapshotOptions } from "../snapshot.ts";
import { type ChunkSink, RdbEncoder } from "../writer.ts";
import { CommandFinisher, type CommandFrame, COMMANDS_VERSION } from "./command_finisher.ts";
import type { Remark } from "./stream_commands.ts";

export type { CommandFrame };

/** The walker's part of a base that consists of commands. */
export const COMMANDS_OPTIONS: SnapshotOptions = {
  access: ACCESS_NONE,
  compress: false,
  version: COMMANDS_VERSION,
  groupsFirst: true,
};

/** Writes the whole dataset as commands; `onRemark` hears of what these cannot say. */
export function saveCommands(
  keyspace: Keyspace,
  frame: CommandFrame,
  sink: ChunkSink,
  onRemark: Remark,
): void {
  const finisher: CommandFinisher = new CommandFinisher(
    (chunk, length, strings) => {
      sink(chunk, length, strings);
      finisher.recycle(chunk);
    },
    frame,
    onRemark,
  );
  const encoder: RdbEncoder = new RdbEncoder((chunk, length) => {
    finisher.add(chunk, length);
    encoder.recycle(chunk);
  }, { ...COMMANDS_OPTIONS, checksum: false });
  saveDataset(keyspace, encoder, ACCESS_NONE);
  encoder.flush();
  finisher.end();
}
