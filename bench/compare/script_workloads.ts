/**
 * Tests of scripts, called by their SHA-1 as clients do it: what a call costs at all, one of two commands, a rate
 * limiter, and one as large as job queues have them.
 */

import { hex, sha1, SHA1_BYTES } from "../../src/base/sha1.ts";
import { encodeCommand } from "./client.ts";
import type { Workload } from "./workloads.ts";

/** Draws `__rand_int__` from so many numbers: users, or jobs. */
const RANDOM = ["-r", "100000"];

const GET_SET = `local old = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
return old`;

/** A window of fixed length for each user: points used, and when it ends. */
const RATE_LIMITER = `
local points = tonumber(ARGV[1])
local windowMs = tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
local used = redis.call('INCRBY', KEYS[1], points)
local leftMs
if used == points then
  redis.call('PEXPIRE', KEYS[1], windowMs)
  leftMs = windowMs
else
  leftMs = redis.call('PTTL', KEYS[1])
  if leftMs < 0 then
    redis.call('PEXPIRE', KEYS[1], windowMs)
    leftMs = windowMs
  end
end
local isAllowed = 1
if used > limit then isAllowed = 0 end
return {isAllowed, used, leftMs}`;

/**
 * Adds a job to a queue. Of all the ways a job can take, one is taken here: a plain one, to the end of the list; the
 * others are what makes the script long.
 */
const ADD_JOB = await Deno.readTextFile(new URL("add_job.lua", import.meta.url));

const JOB_OPTIONS = JSON.stringify({ attempts: 3, removeOnComplete: true, backoff: 1000 });
const JOB_DATA = JSON.stringify({ to: "somebody@example.com", template: "welcome", locale: "en" });

const QUEUE_KEYS = ["wait", "paused", "meta", "id", "delayed", "prioritized", "events", "marker"];

export const SCRIPT_WORKLOADS: Workload[] = [
  { name: "eval_return_1", ...script("return 1", []) },
  { name: "eval_get_set", ...script(GET_SET, ["key:__rand_int__"], ["value"]) },
  {
    name: "eval_rate_limiter",
    ...script(RATE_LIMITER, ["limit:__rand_int__"], ["1", "60000", "100"]),
    args: RANDOM,
  },
  {
    name: "eval_add_job",
    ...script(
      ADD_JOB,
      QUEUE_KEYS.map((key) => `queue:mail:${key}`),
      ["queue:mail:", "welcome", "1700000000000", JOB_DATA, JOB_OPTIONS, ""],
    ),
    growth: () => 1_000,
  },
];

function script(source: string, keys: string[], args: string[] = []) {
  return {
    variants: [],
    command: ["EVALSHA", nameOf(source), String(keys.length), ...keys, ...args],
    prepare: (server: Fillable) => server.fill(1, () => encodeCommand("SCRIPT", "LOAD", source)),
  };
}

type Fillable = Parameters<NonNullable<Workload["prepare"]>>[0];

/** The SHA-1 by which the server knows a script. */
function nameOf(source: string): string {
  const bytes = new TextEncoder().encode(source);
  const digest = new Uint8Array(SHA1_BYTES);
  sha1(bytes, 0, bytes.length, digest);
  return hex(digest);
}
