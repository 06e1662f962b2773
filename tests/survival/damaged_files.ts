/**
 * Snapshots of all versions and servers, damaged: a start either says why it ends, with code 1, or serves what it
 * has loaded, saves it, and has the same after the next start.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Crc64 } from "../../src/rdb/crc64.ts";
import { corpusBytes, corpusNames } from "../rdb/corpus.ts";
import type { Random } from "../support/random.ts";
import { ask, askText, assertNoFaults } from "../support/replication_peers.ts";
import { connect } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { type Field, type Figures, pause, type Trial } from "./trial.ts";

export const damagedFiles: Trial = {
  name: "damaged-files",
  title:
    "starts on damaged snapshots, made of every file of tests/fixtures/rdb: each either ends with code 1 " +
    "and the reason, or serves and saves what it has loaded",
  unit: "rounds",
  sizeOf: "bytes damaged at most",
  short: { amount: 6, size: 12 },
  long: { amount: 613, size: 12 },
  msPerUnit: 450,
  run,
};

async function run(field: Field): Promise<Figures> {
  const names = field.random(-1).shuffle([...corpusNames(), ...corpusNames(true)]);
  const counts = { refused: 0, loaded: 0 };
  for (let number = 0; number < field.extent.amount; number++) {
    const random = field.random(number);
    const name = names[number % names.length];
    await field.round(number, name, async () => {
      const whole = corpusBytes(name);
      const dir = await field.folder();
      await Deno.writeFile(`${dir}/dump.rdb`, damaged(whole, random, field.extent.size));
      if (await startsOn(field, dir)) counts.loaded++;
      else counts.refused++;
      await Deno.remove(`${dir}/dump.rdb`);
    });
  }
  return { files: field.extent.amount, ...counts };
}

/** Cut, flipped, overwritten, doubled or without a piece; in most cases with a checksum that fits. */
function damaged(whole: Uint8Array, random: Random, bytesMax: number): Uint8Array {
  let bytes = whole.slice();
  const at = random.below(bytes.length);
  const length = random.between(1, bytesMax);
  switch (random.below(6)) {
    case 0:
      bytes = bytes.slice(0, at);
      break;
    case 1:
      bytes[at] ^= 1 << random.below(8);
      break;
    case 2:
      bytes.set(random.bytes(Math.min(length, bytes.length - at)), at);
      break;
    case 3:
      bytes = joined(bytes.subarray(0, at), bytes.subarray(at + length));
      break;
    case 4:
      bytes = joined(bytes.subarray(0, at + length), bytes.subarray(at));
      break;
    default: // a length of four thousand million, where one may stand
      bytes.set([0x80, 0xff, 0xff, 0xff, 0xff].slice(0, bytes.length - at), at);
  }
  return random.chance(0.6) && bytes.length > 20 ? sealed(bytes) : bytes;
}

/** With a checksum that fits, so that the damage is met inside. */
function sealed(bytes: Uint8Array): Uint8Array {
  const crc = new Crc64();
  crc.update(bytes, 0, bytes.length - 8);
  const copy = bytes.slice();
  crc.writeTo(copy, bytes.length - 8);
  return copy;
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}

/** Starts on a damaged file; whether it serves. Throws when it neither serves nor says why. */
async function startsOn(field: Field, dir: string): Promise<boolean> {
  const server = await field.spawn([], dir);
  if (!await answers(server)) {
    assertEquals((await server.ended()).code, 1, server.log);
    assertMatch(server.log, /Cannot load snapshot: .*( at byte \d+)?/);
    assertNoFaults(server, /Cannot load snapshot|Fatal error loading/);
    return false;
  }
  const digest = await askText(server, "DEBUG", "DIGEST");
  await ask(server, "SAVE");
  assertNoFaults(server);
  await server.stop("SIGKILL");
  const again = await field.start([], dir);
  assertEquals(await askText(again, "DEBUG", "DIGEST"), digest, "saved and loaded again");
  await again.stop("SIGKILL");
  return true;
}

/** Waits until a server answers PING, or has ended. */
async function answers(server: ServerProcess): Promise<boolean> {
  let hasEnded = false;
  server.child.status.then(() => hasEnded = true);
  for (let tries = 0; tries < 2_000 && !hasEnded; tries++) {
    const client = await connect(server.port).catch(() => null);
    if (client !== null) {
      using _ = client;
      const reply = await client.call("PING").catch(() => null);
      if (reply?.kind === "status") return true;
    }
    await pause(10);
  }
  if (!hasEnded) throw new Error(`neither serves nor ends:\n${server.log}`);
  return false;
}
