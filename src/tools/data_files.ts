/**
 * What a path that a tool is given stands for: a snapshot, an append-only file, the manifest of one with its parts, or a
 * folder that has such. A file is known by its first bytes, a manifest by its name.
 */

import { toLatin1 } from "../base/bytes.ts";
import { Manifest, ManifestError } from "../aof/manifest.ts";
import { toPath } from "../config/parse.ts";
import type { Files, OpenFile } from "../runtime/runtime.ts";
import { problemOf } from "../runtime/system_error.ts";
import { ToolFailure } from "./tool.ts";

/** A file of a dataset. */
export interface DataPart {
  readonly path: string;
  /** How messages call it: the path as it was given, or the name in the manifest. */
  readonly name: string;
  /** Null where the manifest names a file that is not there. */
  readonly sizeBytes: number | null;
  /** "snapshot" and "log" stand alone; "base" and "increment" belong to a manifest. */
  readonly role: "snapshot" | "log" | "base" | "increment";
}

/** What one server has as its data: the files that it would load, in their order. */
export interface DataSet {
  readonly kind: "snapshot" | "append-only file";
  /** The file, or the manifest. */
  readonly path: string;
  readonly parts: readonly DataPart[];
  readonly manifest: Manifest | null;
  /** What is wrong with the manifest, of which there are no parts then; null when nothing is. */
  readonly problem: string | null;
  /** Of all parts that are there. */
  readonly totalBytes: number;
}

/** What a file begins with. */
export type Beginning = "snapshot" | "commands" | "empty" | "other";

const HEAD_BYTES = 16;

/** Data that others have packed, by how they begin. */
const PACKED: readonly (readonly [magic: readonly number[], name: string, command: string])[] = [
  [[0x1f, 0x8b], "gzip", "gunzip"],
  [[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz", "unxz"],
  [[0x42, 0x5a, 0x68], "bzip2", "bunzip2"],
  [[0x50, 0x4b, 0x03, 0x04], "zip", "unzip"],
];

/** Names of files that a server has not finished. */
const UNFINISHED = /^temp-/;

/**
 * All datasets at a path: one for a file or a manifest; for a folder those in it, and in its folders that have a
 * manifest. At least one. @throws ToolFailure
 */
export function findDataSets(files: Files, path: string): DataSet[] {
  const info = attempt(path, () => files.info(path));
  if (info === null) throw new ToolFailure(`${path}: No such file or directory`);
  if (!info.isFolder) return [dataSetOf(files, path)];
  const found = dataFilesIn(files, trimmed(path), true).map((file) => dataSetOf(files, file));
  if (found.length === 0) {
    throw new ToolFailure(`${path} has no data in it: no manifest, no *.rdb, no *.aof.`);
  }
  return found;
}

/** The one dataset at a path. @throws ToolFailure also where a folder has several, or a manifest is damaged */
export function theDataSet(files: Files, path: string): DataSet {
  const found = findDataSets(files, path);
  if (found.length === 1 && found[0].problem !== null) {
    throw new ToolFailure(`${found[0].path}: ${found[0].problem}`);
  }
  if (found.length === 1) return found[0];
  const names = found.map((each) => each.path).join(", ");
  throw new ToolFailure(`${path} has several datasets in it; name one of them: ${names}`);
}

/** What a file begins with. @throws ToolFailure also where it is packed: the message says how to unpack it */
export function beginningOf(files: Files, path: string): Beginning {
  const head = attempt(path, () => {
    using file = files.open(path, "read");
    const bytes = new Uint8Array(HEAD_BYTES);
    return bytes.subarray(0, file.read(bytes));
  });
  if (head.length === 0) return "empty";
  const text = toLatin1(head, 0, head.length);
  if (text.startsWith("REDIS") || text.startsWith("VALKEY")) return "snapshot";
  if (text[0] === "*" || text[0] === "#") return "commands";
  for (const [magic, name, command] of PACKED) {
    if (!magic.every((byte, i) => head[i] === byte)) continue;
    throw new ToolFailure(`${path} is packed by ${name}: unpack it first (${command}).`);
  }
  return "other";
}

/** Opens a file of a dataset for reading. @throws ToolFailure */
export function openPart(files: Files, part: DataPart): OpenFile {
  return attempt(part.path, () => files.open(part.path, "read"));
}

function dataSetOf(files: Files, path: string): DataSet {
  if (path.endsWith(".manifest")) return manifestSet(files, path);
  const isSnapshot = beginningOf(files, path) !== "commands" && !path.endsWith(".aof");
  const sizeBytes = attempt(path, () => files.info(path))?.sizeBytes ?? 0;
  return {
    kind: isSnapshot ? "snapshot" : "append-only file",
    path,
    parts: [{ path, name: path, sizeBytes, role: isSnapshot ? "snapshot" : "log" }],
    manifest: null,
    problem: null,
    totalBytes: sizeBytes,
  };
}

function manifestSet(files: Files, path: string): DataSet {
  const set = { kind: "append-only file", path } as const;
  const bytes = attempt(path, () => files.read(path));
  let manifest: Manifest;
  try {
    manifest = Manifest.parse(bytes);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    const place = error.lineNumber > 0 ? `, line ${error.lineNumber}` : "";
    return { ...set, parts: [], manifest: null, problem: error.message + place, totalBytes: 0 };
  }
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const parts = manifest.loadable.map(({ name }): DataPart => {
    const shown = toPath(name);
    return {
      path: folder + shown,
      name: shown,
      sizeBytes: attempt(folder + shown, () => files.info(folder + shown))?.sizeBytes ?? null,
      role: name === manifest.base?.name ? "base" : "increment",
    };
  });
  const totalBytes = parts.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  return { ...set, parts, manifest, problem: null, totalBytes };
}

/** Where a manifest is, files beside it belong to it, or are of no use any more. */
function dataFilesIn(files: Files, folder: string, looksDeeper: boolean): string[] {
  const entries = attempt(folder, () => files.list(folder))
    .filter(({ name }) => !UNFINISHED.test(name))
    .sort((a, b) => a.name < b.name ? -1 : 1);
  const endsWith = (...ends: string[]) =>
    entries
      .filter(({ name, isFolder }) => !isFolder && ends.some((end) => name.endsWith(end)))
      .map(({ name }) => `${folder}/${name}`);
  const manifests = endsWith(".manifest");
  if (manifests.length > 0) return manifests;
  if (!looksDeeper) return [];
  const deeper = entries
    .filter(({ isFolder }) => isFolder)
    .flatMap(({ name }) => dataFilesIn(files, `${folder}/${name}`, false));
  return [...endsWith(".rdb", ".aof"), ...deeper];
}

function trimmed(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ToolFailure) throw error;
    throw new ToolFailure(`${path}: ${problemOf(error)}`);
  }
}
