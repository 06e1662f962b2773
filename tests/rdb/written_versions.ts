/**
 * Makes tests/fixtures/rdb-versions: for each version of the snapshot format the sample as it is written, and in
 * digests.json what the servers of that version say of it once they have loaded it.
 *
 *     deno run -A $(deno task -q map) tests/rdb/written_versions.ts FOLDER
 *
 * FOLDER has the servers, as `FOLDER/3.0.7/src/redis-server`. Which are asked about which version stands below; one
 * that is not there is left out, and what it said before is kept. Exits with 1 when a server has read something else
 * than what was written.
 */

import { fromFileUrl } from "@std/path";
import { seedHash } from "../../src/base/hash.ts";
import { datasetDigest } from "../../src/rdb/digest.ts";
import { ServerProcess } from "../support/server_process.ts";
import { type Reply, type RespClient, textOf } from "../support/resp_client.ts";
import { type TestServer, testServer } from "../support/test_server.ts";
import {
  SAMPLE_EXPIRY_MS,
  SAMPLE_HASH_SEED,
  SAMPLE_NOW_MS,
  sampleServer,
  VERSIONS,
} from "./version_samples.ts";
import { loadBytes, saveToBytes } from "./datasets.ts";
import { TestSnapshot } from "./test_snapshot.ts";

const fixtures = new URL("../fixtures/rdb-versions/", import.meta.url);

/** Servers that write the version themselves, the first of them and the last. */
const SERVERS: Readonly<Record<number, readonly string[]>> = {
  6: ["2.8.24", "3.0.7"],
  7: ["3.2.13"],
  8: ["4.0.14"],
  9: ["5.0.14", "6.2.14"],
  10: ["7.0.15"],
  11: ["7.2.4"],
  12: ["7.4.1"],
};

/** What digests.json has of a version. */
export interface WrittenVersion {
  /** DEBUG DIGEST of the sample. */
  readonly digest: string;
  /** The servers that have loaded the file, and taken payloads of all keys, and then answered DEBUG DIGEST with this. */
  readonly servers: readonly string[];
}

/** The file of a version. */
export function writtenFile(version: number): URL {
  return new URL(`version-${version}.rdb`, fixtures);
}

export const writtenDigests = new URL("digests.json", fixtures);

/**
 * What a server says of its data: DEBUG DIGEST; how many keys of the first database expire; and what no digest tells
 * of, the groups of its streams and the times of fields.
 */
export type Answer = [digest: string, expiring: number, untold: string];

/** Runs a request; replies are as a TestServer has them. */
type Ask = (...words: string[]) => unknown;

/** What this server answers. */
export async function expectedAnswer(s: TestServer): Promise<Answer> {
  const { expiringCount } = s.keyspace.databases[0];
  return [datasetDigest(s.keyspace), expiringCount, await untold((...words) => s.run(...words))];
}

/** What no digest tells of. */
async function untold(ask: Ask): Promise<string> {
  const lines: string[] = [];
  for (const key of await ask("KEYS", "x:*") as string[]) {
    for (const [, name] of await ask("XINFO", "GROUPS", key) as string[][]) {
      const pending = await ask("XPENDING", key, name, "-", "+", "10000") as unknown[][];
      lines.push(groupLine(key, name, await ask("XPENDING", key, name), pending));
    }
  }
  for (const key of await ask("KEYS", "t:*") as string[]) {
    const fields = (await ask("HKEYS", key) as string[]).toSorted();
    const times = await ask("HPEXPIRETIME", key, "FIELDS", String(fields.length), ...fields);
    lines.push(JSON.stringify([key, fields, times]));
  }
  return lines.toSorted().join("\n");
}

/** A group with what is pending in it, but for how long: that is another time each time. */
function groupLine(key: string, name: string, sum: unknown, pending: unknown[][]): string {
  return JSON.stringify([key, name, sum, pending.map(([id, who, , times]) => [id, who, times])]);
}

/** Starts a server on `dir`. */
function startOn(program: string, dir?: string): Promise<ServerProcess> {
  const { stdout } = new Deno.Command(program, { args: ["--version"] }).outputSync();
  const asksForDebug = /v=[7-9]/.test(new TextDecoder().decode(stdout));
  return ServerProcess.start({
    name: program,
    command: [program],
    args: [
      "--save",
      "",
      "--dbfilename",
      "dump.rdb",
      ...asksForDebug ? ["--enable-debug-command", "yes"] : [],
    ],
    dir,
  });
}

/** A snapshot as BGSAVE makes it. */
export function walkedBytes(s: TestServer, version: number): Uint8Array {
  const snapshot = new TestSnapshot(s, true, version);
  while (!snapshot.step());
  return snapshot.bytes();
}

/** What a server says once it has loaded a file. */
export async function askLoaded(program: string, bytes: Uint8Array): Promise<Answer> {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${dir}/dump.rdb`, bytes);
    await using server = await startOn(program, dir);
    return await answer(server);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What a server says once all keys have been given to it by DUMP, in this version, and RESTORE. */
export async function askRestored(
  program: string,
  s: TestServer,
  version: number,
): Promise<Answer> {
  await using server = await startOn(program);
  using client = await server.connect();
  s.run("CONFIG", "SET", "rdb-version", version);
  for (const { index, count } of s.keyspace.databases) {
    if (count === 0) continue;
    s.run("SELECT", index);
    await client.call("SELECT", String(index));
    for (const key of s.run("KEYS", "*") as string[]) {
      s.run("MULTI");
      s.run("DUMP", key);
      const [payload] = s.run("EXEC") as string[];
      const expiresAtMs = s.run("PEXPIRETIME", key) as number;
      const ttlMs = expiresAtMs < 0 ? 0 : expiresAtMs - Date.now();
      const reply = await client.call("RESTORE", key, String(ttlMs), payload);
      if (reply.kind !== "status") throw new Error(`RESTORE ${key}: ${Deno.inspect(reply)}`);
    }
  }
  s.run("SELECT", 0);
  return await answer(server);
}

async function answer(server: ServerProcess): Promise<Answer> {
  using client = await server.connect();
  const ask = async (...words: string[]) => plain(await client.call(...words));
  const digest = await digestOf(server, client);
  return [digest, await expiringKeys(client), await untold(ask)];
}

/** DEBUG DIGEST; since 7.2, which sees scores otherwise, ours of what the server saves. */
async function digestOf(server: ServerProcess, client: RespClient): Promise<string> {
  const info = textOf(await client.call("INFO", "server"));
  if (!/redis_version:(7\.[2-9]|[89])/.test(info)) {
    return textOf(await client.call("DEBUG", "DIGEST"));
  }
  const reply = textOf(await client.call("SAVE"));
  if (reply !== "OK") throw new Error(`SAVE: ${reply}`);
  const { keyspace } = testServer({ nowMs: SAMPLE_NOW_MS });
  loadBytes(keyspace, await Deno.readFile(`${server.dir}/dump.rdb`));
  return datasetDigest(keyspace);
}

/** A reply as a TestServer has it. */
function plain(reply: Reply): unknown {
  if (reply.kind === "array") return reply.items.map(plain);
  if (reply.kind === "integer") return Number(reply.value);
  return reply.kind === "null" ? null : textOf(reply);
}

/** How many keys expire when those of the sample do, in the first database. */
async function expiringKeys(client: RespClient): Promise<number> {
  const reply = await client.call("KEYS", "*");
  if (reply.kind !== "array") throw new Error(`KEYS: ${Deno.inspect(reply)}`);
  let count = 0;
  for (const key of reply.items) {
    const ttl = await client.call("PTTL", textOf(key));
    if (ttl.kind !== "integer") throw new Error(`PTTL: ${Deno.inspect(ttl)}`);
    const at = Number(ttl.value) + Date.now();
    if (Math.abs(at - SAMPLE_EXPIRY_MS) < 60_000) count++;
    else if (Number(ttl.value) !== -1) throw new Error(`${textOf(key)} expires at ${at}`);
  }
  return count;
}

async function make(folder: string): Promise<boolean> {
  await Deno.mkdir(fixtures, { recursive: true });
  let isGood = true;
  const digests: Record<string, WrittenVersion> = {};
  const before = await Deno.readTextFile(writtenDigests).then(JSON.parse, () => ({}));
  for (const version of VERSIONS) {
    const sample = sampleServer(version);
    const { keyspace } = sample;
    const bytes = saveToBytes(keyspace, { version });
    const digest = datasetDigest(keyspace);
    await Deno.writeFile(writtenFile(version), bytes);
    const servers: string[] = [];
    for (const name of SERVERS[version]) {
      const program = `${folder}/${name}/src/redis-server`;
      if (!await Deno.stat(program).then(() => true, () => false)) {
        const isKnown = before[version]?.digest === digest &&
          before[version].servers.includes(name);
        if (isKnown) servers.push(name);
        continue;
      }
      const expected = `${await expectedAnswer(sample)}`;
      const answers = [
        await askLoaded(program, bytes),
        await askLoaded(program, walkedBytes(sample, version)),
        await askRestored(program, sample, version),
      ];
      const isSame = answers.every((answer) => `${answer}` === expected);
      const said = isSame ? "the same" : `${answers.join(" and ")}, not ${expected}`;
      console.log(`version ${version}, ${name}: ${said}`);
      if (isSame) servers.push(name);
      else isGood = false;
    }
    digests[version] = { digest, servers };
  }
  await Deno.writeTextFile(writtenDigests, JSON.stringify(digests, null, 2) + "\n");
  console.log(`Written: ${fromFileUrl(fixtures)}`);
  return isGood;
}

if (import.meta.main) {
  seedHash(...SAMPLE_HASH_SEED);
  Deno.exit(await make(Deno.args[0]) ? 0 : 1);
}
