/** What a master holds when replicas ask for a full sync, and what clients ask of it meanwhile. */

import { encodeCommand } from "../compare/client.ts";
import { ELEMENT_KINDS, fillElements } from "../compare/data.ts";
import type { RunningServer } from "../compare/servers.ts";

/** Data of one size and shape. */
export interface Dataset {
  title: string;
  fill(server: RunningServer): Promise<void>;
  /** Keys that are there after `fill`, however often the probes have asked. */
  keys: number;
  /** Commands of the probes, sent in turn. The writes change what is there already. */
  masterCommands: string[][];
  replicaCommands: string[][];
}

/** Commands of a probe before it begins again. */
const PROBED = 3_000;

/** Eight of ten keys are strings, one is a hash, one a list; strings and parts have 16 to 32 bytes. */
export function manyKeys(keys: number): Dataset {
  const probed = (i: number) => `key:${drawn(i, Math.floor(keys / 10)) * 10}`; // strings
  return {
    title: `${keys.toLocaleString("en")} keys`,
    fill: (server) => server.fill(keys, fillCommand),
    keys,
    masterCommands: inTurn((i) => [["PING"], ["GET", probed(i)], ["SET", probed(i), valueOf(i)]]),
    replicaCommands: inTurn((i) => [["PING"], ["GET", probed(i)]]),
  };
}

/** A hash, a sorted set, a list and a stream. */
const LARGE_KINDS = ELEMENT_KINDS.filter(({ title }) => title !== "set");

/** One large collection of each of four types, with `elements` elements each. */
export function largeCollections(elements: number): Dataset {
  const field = (i: number) => `field:${drawn(i, elements)}`;
  const member = (i: number) => `member:${drawn(i, elements)}`;
  return {
    title: `${LARGE_KINDS.length} collections of ${elements.toLocaleString("en")}`,
    fill: async (server) => {
      for (const kind of LARGE_KINDS) await fillElements(server, kind, elements, kind.title);
    },
    keys: LARGE_KINDS.length,
    masterCommands: inTurn((i) => [
      ["PING"],
      ["HSET", "hash", field(i), `value:${i}`],
      ["ZSCORE", "sorted set", member(i)],
      ["ZADD", "sorted set", String(i), member(i)],
      ["LINDEX", "list", String(-1 - i % 100)],
    ]),
    replicaCommands: inTurn((i) => [
      ["PING"],
      ["HGET", "hash", field(i)],
      ["ZSCORE", "sorted set", member(i)],
    ]),
  };
}

function inTurn(commandsAt: (i: number) => string[][]): string[][] {
  return Array.from({ length: PROBED }, (_, i) => {
    const commands = commandsAt(i);
    return commands[i % commands.length];
  });
}

function fillCommand(i: number): string {
  const key = `key:${i}`;
  switch (i % 10) {
    case 8:
      return encodeCommand(
        "HSET",
        key,
        ...[0, 1, 2, 3].flatMap((n) => [`field:${n}`, valueOf(i + n)]),
      );
    case 9:
      return encodeCommand("RPUSH", key, ...[0, 1, 2, 3].map((n) => valueOf(i + n)));
    default:
      return encodeCommand("SET", key, valueOf(i));
  }
}

function valueOf(i: number): string {
  const mixed = mix(i + 1);
  return mixed.toString(36).padStart(8, "v").repeat(4).slice(0, 16 + mixed % 17);
}

/** A number below `end` for each i, neighbours far from one another. */
function drawn(i: number, end: number): number {
  return mix(i) % end;
}

function mix(i: number): number {
  return Math.imul(i, 0x9e3779b1) >>> 0;
}
