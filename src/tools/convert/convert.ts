/**
 * `tsredis convert`: makes a dataset a snapshot of another version, an append-only file of commands, or lines of JSON.
 */

import { quoted } from "../../base/printable.ts";
import {
  RDB_VERSION,
  RDB_VERSION_FIELDS,
  RDB_VERSION_LISTPACKS,
  RDB_VERSION_MAX,
  RDB_VERSION_MIN,
} from "../../rdb/format.ts";
import type { Unheld } from "../../rdb/unheld.ts";
import { isHeld, unheldKey, unheldLibrary } from "../../rdb/versions.ts";
import { CommandsOutput } from "./commands_output.ts";
import type { DatasetOutput } from "./dataset_output.ts";
import type { DatasetVisitor, ShownKey } from "../dataset/dataset.ts";
import { JsonLines } from "./json_lines.ts";
import { numberOption } from "../number_option.ts";
import { openDataset, type OpenedDataset } from "../dataset/open_dataset.ts";
import { OutputFile } from "../output_file.ts";
import { RdbOutput } from "./rdb_output.ts";
import {
  EXIT_FOUND,
  EXIT_WELL,
  type Tool,
  type ToolCall,
  ToolFailure,
  UsageError,
} from "../tool.ts";

export const convertTool: Tool = {
  name: "convert",
  operands: "IN OUT",
  operandsMin: 2,
  operandsMax: 2,
  summary: "makes data files those of another version, or of another kind",
  options: [
    {
      name: "rdb-version",
      value: "N",
      help:
        `version of the snapshot (${RDB_VERSION_MIN} to ${RDB_VERSION_MAX}), or of --aof's commands`,
    },
    { name: "aof", help: "an append-only file of commands in place of a snapshot" },
    { name: "json", help: "lines of JSON in place of a snapshot" },
    { name: "lossy", help: "leave out what OUT cannot hold, and list it" },
  ],
  description: `
Reads IN, whichever version of Redis or Valkey has written it: a snapshot
(*.rdb), an append-only file, its manifest, or a folder with one of these.
Writes OUT, a file that must not be there yet: a snapshot, which needs no
option, an append-only file (--aof), or JSON (--json).

Versions: 6 is read by Redis 2.6 and later, 7 by 3.2, 8 by 4.0, 9 by 5.0,
10 by 7.0, 11 by 7.2, 12 by 7.4. Without --rdb-version it is ${RDB_VERSION}, or 12 where
fields of hashes expire. What a version cannot hold (streams before 9,
functions before 10, fields that expire before 12) ends the conversion with
the name of the key, unless --lossy leaves it out. Data of modules are read
by no tool and always left out, so they need --lossy, too.

An append-only file is one file of commands. A server before Redis 7 takes it
as its appendonly.aof; so does a later one, and tsredis, where there is no
folder appendonlydir yet. How recently or often keys were used is not in it.

JSON: a line for each library and key, as docs/json.md describes.

Keys whose time is over are converted like the others. Where a dataset stood in
a history of replication is not written. What is read stays as it is. A
snapshot is converted key by key, in the memory of its largest key; an append-
only file is loaded into memory first.
`,
  exitCodes: [
    [EXIT_WELL, "all of IN is in OUT"],
    [EXIT_FOUND, "OUT is there, and something was left out of it (--lossy)"],
  ],
  run: convert,
};

type Kind = "rdb" | "aof" | "json";

async function convert(call: ToolCall): Promise<number> {
  const { host } = call;
  const [from, to] = call.operands;
  const kind = kindOf(call);
  const asked = numberOption(call, "rdb-version", RDB_VERSION_MIN, RDB_VERSION_MAX);
  if (asked !== null && kind === "json") throw new UsageError("--json has no versions");
  // Before anything is read for a long time.
  new OutputFile(host.runtime.files, to, host.runtime.process.id)[Symbol.dispose]();
  const dataset = await openDataset(host, from);
  try {
    const conversion = new Conversion(call, dataset, kind);
    return await conversion.run(to, asked);
  } finally {
    dataset.close();
  }
}

/** @throws UsageError */
function kindOf(call: ToolCall): Kind {
  if (call.has("aof") && call.has("json")) throw new UsageError("--aof and --json are two things");
  if (call.has("aof")) return "aof";
  return call.has("json") ? "json" : "rdb";
}

/** The version cannot hold something, and another was not asked for. */
class NeedsLaterVersion extends Error {}

class Conversion {
  readonly #call: ToolCall;
  readonly #dataset: OpenedDataset;
  readonly #kind: Kind;
  #leftOut = 0;

  constructor(call: ToolCall, dataset: OpenedDataset, kind: Kind) {
    this.#call = call;
    this.#dataset = dataset;
    this.#kind = kind;
  }

  async run(to: string, asked: number | null): Promise<number> {
    // Only snapshots have to choose, and most servers read the lower one.
    if (this.#kind !== "rdb") return await this.#attempt(to, asked ?? RDB_VERSION_FIELDS, false);
    if (asked !== null) return await this.#attempt(to, asked, false);
    try {
      return await this.#attempt(to, RDB_VERSION, true);
    } catch (error) {
      if (!(error instanceof NeedsLaterVersion)) throw error;
      this.#call.host.remark(
        `Hashes have fields that expire: version ${RDB_VERSION_FIELDS} is written, which Redis reads from 7.4 on.\n`,
      );
      return await this.#attempt(to, RDB_VERSION_FIELDS, false);
    }
  }

  async #attempt(to: string, version: number, mayRise: boolean): Promise<number> {
    const { runtime } = this.#call.host;
    this.#leftOut = 0;
    using file = new OutputFile(runtime.files, to, runtime.process.id);
    const output = this.#outputTo(file, version);
    output.begin();
    await this.#dataset.walk(this.#visitor(output, version, mayRise), "Converting");
    output.end();
    file.finish();
    return this.#leftOut > 0 ? EXIT_FOUND : EXIT_WELL;
  }

  #outputTo(file: OutputFile, version: number): DatasetOutput {
    if (this.#kind === "json") return new JsonLines(file);
    if (this.#kind === "aof") {
      return new CommandsOutput(file, (what) => this.#lose(`No command says ${what}`));
    }
    return new RdbOutput(file, { version }, this.#call.host.runtime.clock.now());
  }

  #visitor(output: DatasetOutput, version: number, mayRise: boolean): DatasetVisitor {
    return {
      library: (code) => {
        if (version >= RDB_VERSION_LISTPACKS) output.library(code);
        else this.#leaveOut(unheldLibrary(version, code));
      },
      key: (key) => {
        if (isHeld(key.place, key.ref, version)) return output.key(key);
        if (mayRise) throw new NeedsLaterVersion();
        this.#leaveOut(unheld(version, key));
      },
      unheld: (unheld, database, key) => this.#leaveOut(unread(unheld, database, key)),
      moduleData: (module) =>
        this.#leaveOut(`Nobody but the module can read the data of '${module}' beside keys`),
    };
  }

  /** @throws ToolFailure unless that may be */
  #leaveOut(what: string): void {
    if (!this.#call.has("lossy")) {
      throw new ToolFailure(`${what}. Nothing was written; --lossy leaves it out.`);
    }
    this.#lose(what);
  }

  #lose(what: string): void {
    this.#leftOut++;
    this.#call.host.remark(`${what}: it is left out.\n`);
  }
}

function unread({ kind, name }: Unheld, database: number, key: string): string {
  const whose = `${quoted(key)} (database ${database})`;
  if (kind === "module") return `Nobody but the module can read ${whose}, of its type '${name}'`;
  return kind === "type"
    ? `tsredis has no place for ${whose}, of type '${name}'`
    : `tsredis has no place for the ${name} of ${whose}`;
}

function unheld(version: number, { database, place, ref }: ShownKey): string {
  return unheldKey(version, { index: database }, place.records, ref);
}
