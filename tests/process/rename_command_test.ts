/** `rename-command`: a command is known by the name it is called by, and tells of itself by its own. */

import { assertEquals } from "@std/assert";
import { hasRedisServer, startRealRedis } from "../support/real_redis.ts";
import { startTsredis } from "../support/tsredis_process.ts";

const RENAMES = ["get fetch", "config cfg", 'set ""', "object obj", "acl rights"].flatMap(
  (words) => ["--rename-command", ...words.split(" ").map((word) => word === '""' ? "" : word)],
);

const REQUESTS = [
  "COMMAND GETKEYS get k",
  "COMMAND GETKEYS fetch k",
  "COMMAND GETKEYS set k v",
  "COMMAND GETKEYS obj encoding k",
  "COMMAND GETKEYSANDFLAGS get k",
  "COMMAND GETKEYSANDFLAGS fetch k",
  "COMMAND INFO get",
  "COMMAND INFO config|get",
  "COMMAND INFO cfg|nosuch",
  "COMMAND DOCS get",
  "COMMAND LIST FILTERBY PATTERN cfg*",
  "COMMAND LIST FILTERBY PATTERN config|g*",
  "RIGHTS DRYRUN default get k",
  "RIGHTS DRYRUN default fetch k",
  "RIGHTS DRYRUN default cfg get x",
  "CFG nosuch",
  "cFg nosuch",
  "CFG",
  "CFG GET",
  "OBJ foo",
  "RIGHTS nosuch",
  "GET k",
  "FETCH",
  "LATENCY HISTOGRAM get",
];
/** Of these the first line is as in Redis. */
const FIRST = ["CFG HELP", "OBJ HELP", "RIGHTS HELP", "COMMAND INFO fetch", "COMMAND INFO cfg|get"];

Deno.test({
  name: "renamed commands answer as redis-server's, by their names and by their own",
  ignore: !hasRedisServer,
  async fn() {
    await using theirs = await startRealRedis({ args: RENAMES });
    await using ours = await startTsredis({ args: RENAMES });
    using a = await theirs.connect();
    using b = await ours.connect();
    for (const request of REQUESTS) {
      const words = request.split(" ");
      assertEquals(await b.call(...words), await a.call(...words), request);
    }
    for (const request of FIRST) {
      const words = request.split(" ");
      const first = (reply: unknown): unknown => {
        const { items, ...rest } = reply as { items?: unknown[] };
        return items === undefined ? rest : first(items[0]);
      };
      assertEquals(first(await b.call(...words)), first(await a.call(...words)), request);
    }
  },
});
