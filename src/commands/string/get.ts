/** GET and its relatives that read or replace whole strings. */

import { type Call } from "../../dispatch/call.ts";
import { ENC_EXTERNAL, TYPE_STRING } from "../../arena/record.ts";
import { WRONG_TYPE } from "../../resp/reply_error.ts";
import { defineCommand } from "../command.ts";
import { oneKey } from "../key_specs.ts";

/**
 * `GET key`.
 *
 * @see {@link https://redis.io/docs/latest/commands/get/}
 */
export const get = defineCommand({
  name: "get",
  group: "string",
  since: "1.0.0",
  summary: "Reads the string at a key",
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key",
  run: runGet,
});

function runGet({ database, words, reply }: Call): void {
  const ref = database.lookupRead(words.bytes, words.starts[1], words.lengths[1]);
  if (ref === 0) return reply.null();
  const meta = database.dict.metaOf(ref);
  if ((meta & 0xf) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  if (((meta >>> 4) & 0xf) === ENC_EXTERNAL) {
    const bytes = database.stringBytes(ref);
    return reply.bulk(bytes, 0, database.stringLength);
  }
  const { dict } = database;
  reply.bulk(dict.bytesOf(ref), dict.valueOffset(ref), dict.valueLength(ref));
}
