/**
 * The configuration of tsredis beside that of a real redis-server 7.0: the same CONFIG SETs with
 * equal replies and equal values afterwards, and the same lines of a file refused in equal words.
 */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { Config } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/parse.ts";
import { type Directive, DIRECTIVES, NAMES } from "../../src/config/table.ts";
import { hasRedisServer, startRealRedis } from "../support/real_redis.ts";
import type { Reply } from "../support/resp_client.ts";
import { runtime } from "../../src/runtime/here.ts";

// Numbers beyond 32 bits are cut by the real server in `save` and the output limits; not here.
const VALUES = [
  ..."0 1 -1 -2 5 10 99 100 101 501 1000 1023 1024 65535 65536 1048576 2147483647 2147483648"
    .split(" "),
  ..."4294967295 4294967296 9223372036854775807 9223372036854775808 007 +5 1.5 0x10 1e3".split(" "),
  ..."1b 1k 1KB 2m 2mb 1g 1Gb 1t 50% 0% 101% -5% k yes NO Yes true always ALWAYS local".split(" "),
  ..."ip hostname swapdb debug allkeys-lfu ignore panic relative optional clients".split(" "),
  ..."KEA AKE g$ KExn q A An m default now nosave foo".split(" "),
  ...["", " ", "1 2", "1  2", "1 2 3", "60 1 300 10", "0 1", "1 x", "save now", "save nosave"],
  ...["normal 1gb 2g 3", "slave 1mb 2k 3 pubsub 1 1 1", "normal 1 2", "foo 1 2 3", "50 99.5 1e1"],
];

/** What the real server does on top of the value: opens sockets, asks the kernel, loads keys. */
const BEYOND_THE_VALUE = new Set(
  ("port bind maxclients activedefrag appendonly oom-score-adj oom-score-adj-values requirepass " +
    "masteruser maxmemory maxmemory-clients loglevel tls-port tls-cluster tls-replication " +
    "jemalloc-bg-thread watchdog-period").split(" "),
);

function textOf(reply: Reply): string {
  return "text" in reply ? reply.text : Deno.inspect(reply);
}

const options = { name: "", ignore: !hasRedisServer };

Deno.test({
  ...options,
  name: "CONFIG SET answers as redis-server for every directive and many values",
  async fn() {
    await using server = await startRealRedis();
    using client = await server.connect();
    const config = new Config(runtime, "/");
    const names = [...NAMES].filter(([name, directive]) => {
      const { since, notActing, refused } = DIRECTIVES[directive] as Directive<unknown>;
      const isTls = name.startsWith("tls-") && (notActing !== null || refused !== null);
      return !BEYOND_THE_VALUE.has(name) && !isTls && name !== "dir" &&
        (since === null || name.includes("_"));
    }).map(([name]) => name);
    const calls = names.flatMap((name) => VALUES.map((value) => ({ name, value })));
    config.set([["save", ""]]); // as startRealRedis has it

    const replies: Reply[] = await client.pipeline(calls.flatMap(({ name, value }) => [
      ["CONFIG", "SET", name, value],
      ["CONFIG", "GET", name],
    ]));
    let taken = 0;
    const ours: string[] = [];
    const theirs: string[] = [];
    calls.forEach(({ name, value }, i) => {
      const context = `CONFIG SET ${name} ${JSON.stringify(value)}`;
      const said = config.set([[name, value]]);
      if (said === null) taken++;
      const { settable } = DIRECTIVES[NAMES.get(name)!];
      // Where the server was started with another value than the default, only the reply counts.
      const shown = (value: string) => settable === true ? ` -> ${value}` : "";
      ours.push(`${context}: ${said ?? "OK"}${shown(config.get([name])[0][1])}`);
      const answer = replies[2 * i + 1];
      const theirValue = answer.kind === "array" ? textOf(answer.items[1]) : "";
      theirs.push(`${context}: ${textOf(replies[2 * i])}${shown(theirValue)}`);
    });
    assertEquals(ours.filter((line, i) => line !== theirs[i]), []);
    assertEquals(ours, theirs);
    assert(calls.length > 5_000 && taken > 1_000, `${taken} of ${calls.length}`);
  },
});

const LINES = [
  ..."port|port 1 2|port x|prot 1|save 1|save a|save 60 1 # c|unixsocketperm 999|databases 0".split(
    "|",
  ),
  ..."unixsocketperm 778|tcp-backlog -1|replicaof a 70000|slaveof a|rename-command get".split("|"),
  ..."sentinel x|dir /nowhere|dbfilename a/b|appenddirname a/b|supervised x|io-threads 0".split(
    "|",
  ),
  ..."user|loadmodule|include|include a b|--port 5|maxmemory 1 mb|notify-keyspace-events q".split(
    "|",
  ),
  ..."enable-debug-command x|socket-mark-id -1|syslog-facility x|cluster-port 70000".split("|"),
  ...['port "1', "port '1'x", 'port a"b"c', "\x01", 'timeout ""', 'appendfilename ""', 'dir ""'],
  // Accepted: the line behind it is the one that is refused.
  ..."save|bind|save 60 1 300 10|slaveof no one|replicaof a 0|shutdown-on-sigint now".split("|"),
  "user alice on",
  ...['save "60 1"', 'logfile ""', '"\\x70ort" 5', 'bind "1.1.1.1 2.2.2.2"', "server_cpulist 0"],
  ..."list-max-ziplist-entries 5|unixsocketperm 700|include /nowhere*/x|tls-protocols x|PORT 5"
    .split("|"),
];

Deno.test({
  ...options,
  name: "a line of redis.conf is refused in the words of redis-server, or accepted as there",
  fn() {
    const path = Deno.makeTempFileSync();
    try {
      for (const line of LINES) {
        const text = `# first\n${line}\nzz`;
        Deno.writeFileSync(path, latin1(text));
        const { stdout, stderr } = new Deno.Command("redis-server", { args: [path] }).outputSync();
        const theirs = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
        let ours = "";
        try {
          Config.load(runtime, { file: path, fromStdin: false, options: "" });
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          ours = error.report();
        }
        const [, place, shown, message] = ours.split("\n");
        assertEquals([place, shown, message], theirs.trim().split("\n").slice(1), line);
      }
    } finally {
      Deno.removeSync(path);
    }
  },
});
