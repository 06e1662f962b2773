/** `tsredis check`: what a snapshot or an append-only file has in it, and whether it is sound. */

import { isComplete, salvageJson, salvageText } from "../salvage/report.ts";
import { salvage } from "../salvage/salvage.ts";
import { findDataSets, theDataSet } from "../data_files.ts";
import { EXIT_FOUND, EXIT_WELL, type Tool, type ToolCall, UsageError } from "../tool.ts";
import { examine } from "./examine.ts";
import { isSound } from "./findings.ts";
import { jsonReport } from "./json_report.ts";
import { textReport } from "./text_report.ts";

const DESCRIPTION = `
Looks through a snapshot (RDB), an append-only file, the manifest of one with
its parts, or all that there are in a folder, and tells what it is and what is
in it: keys by type, form and database, what they take, by prefix and each,
when they expire, where it stands in the history of replication. If it cannot
be read to its end, it tells the first damage with its byte, the key being
read and the last key that is whole.

Snapshots are read as a server reads them, but nothing is loaded: it takes some
tens of MB for a file of any size, and on top of that the largest value that
is packed in one piece (a ziplist, listpack or intset: 64 KB and less in files
of servers), and 16 bytes for each of the first 4 million keys. Of an append-
only file it takes the longest command on top.

The commands of an append-only file are only looked at: how many, which, to
what keys. What they come to is told with --load.
`;

export const checkTool: Tool = {
  name: "check",
  operands: "FILE|DIR",
  operandsMin: 1,
  operandsMax: 1,
  summary: "what is in a data file, and whether it is sound",
  options: [
    { name: "json", help: "tell it as JSON, an object in a line for each dataset" },
    { name: "salvage", value: "OUT.rdb", help: "write what can be read to a new snapshot" },
    { name: "load", help: "load it all, run the commands: as much memory as a server" },
  ],
  description: DESCRIPTION,
  exitCodes: [
    [EXIT_WELL, "sound: a server would load all of it"],
    [EXIT_FOUND, "damaged, not understood, or cut off; with --salvage: something is lost"],
  ],
  run,
};

async function run(call: ToolCall): Promise<number> {
  const { host, operands: [path] } = call;
  const out = call.option("salvage");
  if (out !== null) return await runSalvage(call, path, out);
  let exitCode = EXIT_WELL;
  for (const [index, set] of findDataSets(host.runtime.files, path).entries()) {
    const findings = await examine(host, set, call.has("load"));
    if (call.has("json")) host.print(jsonReport(findings));
    else host.print((index > 0 ? "\n" : "") + textReport(findings));
    if (!isSound(findings)) exitCode = EXIT_FOUND;
  }
  return exitCode;
}

async function runSalvage(call: ToolCall, path: string, out: string): Promise<number> {
  const { host } = call;
  if (call.has("load")) throw new UsageError("--load and --salvage do not go together");
  const done = await salvage(host, theDataSet(host.runtime.files, path), out);
  host.print(call.has("json") ? salvageJson(done) : salvageText(done));
  return isComplete(done) ? EXIT_WELL : EXIT_FOUND;
}
