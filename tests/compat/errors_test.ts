/**
 * The recorded error replies of a real server, replayed: each case of fixtures/facts/errors.txt
 * whose commands the server under test has is sent again and must get exactly the recorded text.
 * Needs no redis-server. What is not replayed is in {@link SECTIONS} and {@link SKIPPED}, under its
 * reason; cases of commands that do not exist yet are left out and named.
 */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { render } from "./reply.ts";
import { commandsOf } from "./session.ts";
import { Connection, type Peer, testedServer } from "./support.ts";

/** One case: calls that prepare, the call that matters, and what is replied to it. */
interface Case {
  calls: string[];
  expected: string[];
  /** Of raw bytes: whether the server closes after its reply. */
  closes: boolean;
}

interface Section {
  /** How its heading begins. */
  title: string;
  /** Why it is not replayed. */
  skip?: string;
  /** A command without which the section means nothing. */
  needs?: string;
  /** Arguments of its server. */
  args?: string[];
  /** All cases on one connection in turn, after these calls. */
  inTurn?: string[][];
  /** Brings the server into the state that the section is about. */
  prepare?: (server: Peer, conn: Connection) => Promise<void>;
  raw?: boolean;
}

const SECTIONS: Section[] = [
  { title: "wrong arity" },
  { title: "wrong type" },
  { title: "integers, floats" },
  { title: "options of SET" },
  { title: "streams" },
  { title: "geo" },
  { title: "transactions" },
  { title: "scripts" },
  { title: "clients" },
  { title: "acl" },
  { title: "server commands" },
  { title: "protocol errors", raw: true },
  { title: "the same on a connection", raw: true, args: ["--requirepass", "secret"] },
  { title: "NOAUTH", args: ["--requirepass", "secret"], inTurn: [] },
  {
    title: "NOREPLICAS",
    needs: "PSYNC",
    inTurn: [["CONFIG", "SET", "min-replicas-to-write", "1"]],
  },
  { title: "OOM", inTurn: [["SET", "there", "x"], ["CONFIG", "SET", "maxmemory", "1"]] },
  {
    title: "MISCONF",
    args: ["--save", "3600 1"],
    inTurn: [],
    prepare: async (server, conn) => {
      await Deno.mkdir(`${server.dir}/dump.rdb`); // so that no file can be renamed to it
      await conn.call("BGSAVE");
      await eventually(async () =>
        (await conn.call("INFO", "persistence")).text.includes("rdb_last_bgsave_status:err")
      );
    },
  },
  { title: "commands that need", args: ["--enable-debug-command", "no"], inTurn: [] },
  { title: "READONLY", skip: "needs a master; the replication tests have these" },
  { title: "BGSAVE and", skip: "a child process of the real server decides how long it lasts" },
  { title: "BUSY", skip: "needs a script that loops" },
  { title: "LOADING", skip: "needs a data set that takes seconds to load" },
  { title: "UNBLOCKED", skip: "needs blocked clients" },
  { title: "DENIED", skip: "needs a client from another address" },
  { title: "cluster mode", skip: "there is no cluster mode" },
];

/** Cases that are not replayed although their commands exist: how the last call begins, and why. */
const SKIPPED: [RegExp, string][] = [
  [/^LPOS l v RANK -9223372036854775808/, "since 7.2 refused"],
  [/^COMMAND GETKEYS (GET|PING)$/, "since 7.2 the command alone is enough"],
  [/^BLPOP k 1e400/, "since 7.2 another text"],
  [/^XREAD STREAMS a b 0$/, "since 7.2 another text"],
  [/^EVAL "return redis.call\('BLPOP', 'k', 0\)" 0$/, "since 7.2 scripts may call what blocks"],
  [/^ACL DRYRUN u /, "since 7.2 the user is named"],
  [/^HELLO( 2| 3)?$/, "since 7.2 another text where it is refused"],
  [/^AUTH u pw/, "since 7.2 rights are refused in other words"],
  [/^CONFIG REWRITE$/, "without a configuration file the reply is another"],
  [/^SHUTDOWN( SAVE)?$/, "would end a server whose folder has become writable"],
  [/^QUIT/, "ends the connection"],
];

/** Errors of tsredis alone, for parts of a command that it does not have. */
const SAYS_IT_LACKS = /not supported by this server|this version of tsredis has no/;

const FIXTURE = new URL("../fixtures/facts/errors.txt", import.meta.url);

function readCases(): Map<string, Case[]> {
  const sections = new Map<string, Case[]>();
  let cases: Case[] = [];
  let open: Case | null = null;
  for (const line of Deno.readTextFileSync(FIXTURE).split(/\r?\n/)) {
    if (line.startsWith("## ")) {
      sections.set(line.slice(3), cases = []);
      open = null;
    } else if (line.startsWith("> ")) {
      if (open === null || open.expected.length > 0) {
        cases.push(open = { calls: [], expected: [], closes: false });
      }
      open.calls.push(line.slice(2));
    } else if (line.startsWith("# ")) {
      if (open !== null && line.includes("server closes")) open.closes = true;
    } else if (line !== "" && open !== null) open.expected.push(line);
  }
  return sections;
}

/** Splits a line as redis-cli does: words, and quoted words with escapes. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    words.push(quoted === undefined ? plain : unescape(quoted));
  }
  return words;
}

function unescape(text: string): string {
  return text.replace(/\\(x[0-9a-f]{2}|.)/g, (_, code: string) => {
    if (code.length === 3) return String.fromCharCode(parseInt(code.slice(1), 16));
    return { n: "\n", r: "\r", t: "\t" }[code] ?? code;
  });
}

/** The bytes that a "raw bytes:" line stands for. */
function rawBytes(line: string): string {
  const text = line.slice("raw bytes: ".length);
  if (text.startsWith("65600 bytes A")) return "A".repeat(65_600);
  if (text.startsWith("* and 65600")) return "*" + "1".repeat(65_600);
  if (text.startsWith("*1 CRLF $ and")) return "*1\r\n$" + "1".repeat(65_600);
  return unescape(text);
}

async function replayRaw(server: Peer, one: Case, problems: string[]): Promise<void> {
  const conn = await Connection.open(server.port);
  const expected = one.expected.filter((line) => line !== "(no reply)");
  await conn.send(rawBytes(one.calls[0]));
  const got: string[] = [];
  for (let i = 0; i < expected.length; i++) got.push(render(await conn.read()));
  let ending = one.closes;
  if (one.closes) ending = (await conn.read()).text.includes("closed the connection");
  conn.close();
  if (got.join("\n") !== expected.join("\n") || ending !== one.closes) {
    problems.push(
      `> ${one.calls[0]}\n  recorded: ${expected.join(" | ") || "(no reply)"}${
        one.closes ? ", then it closes" : ""
      }\n  tsredis:  ${got.join(" | ") || "(no reply)"}${
        ending === one.closes ? "" : ", stays open"
      }`,
    );
  }
}

/** What a reply looks like in the fixture, which does not tell the kinds of null apart. */
function renderAsRecorded(text: string): string {
  return text.replaceAll("(nil array)", "(nil)").replaceAll("(null)", "(nil)");
}

const sections = readCases();

Deno.test("every section of recorded errors is replayed, or has a reason why not", () => {
  for (const heading of sections.keys()) {
    const section = SECTIONS.find((one) => heading.startsWith(one.title));
    if (section === undefined) throw new Error(`nothing is known of the section ${heading}`);
    if (section.skip !== undefined) console.log(`not replayed: ${heading}: ${section.skip}`);
  }
});

for (const [heading, cases] of sections) {
  const section = SECTIONS.find((one) => heading.startsWith(one.title));
  if (section === undefined || section.skip !== undefined) continue;
  Deno.test({
    name: `error replies are the recorded ones: ${heading}`,
    fn: async () => {
      const problems: string[] = [];
      const left = new Map<string, number>();
      let replayed = 0;
      const server = testedServer(section.args ?? []);
      try {
        await server.start();
        let conn = await Connection.open(server.port);
        const locked = section.args?.[0] === "--requirepass";
        const known = await commandsOf(server.port, locked ? "secret" : undefined);
        if (section.inTurn !== undefined) {
          for (const words of section.inTurn) await conn.call(...words);
          await section.prepare?.(server, conn);
          conn.close();
          conn = await Connection.open(server.port);
        }
        for (const one of cases) {
          const last = one.calls[one.calls.length - 1];
          if (section.raw) {
            if (last.startsWith("raw bytes: ")) await replayRaw(server, one, problems);
            replayed++;
            continue;
          }
          if (section.needs !== undefined && !known.has(section.needs)) {
            left.set(`no ${section.needs} yet`, cases.length);
            break;
          }
          const skipped = SKIPPED.find(([pattern]) => pattern.test(last));
          if (skipped !== undefined) {
            if (last.startsWith("AUTH u pw")) break; // what follows is about that user
            left.set(skipped[1], (left.get(skipped[1]) ?? 0) + 1);
            continue;
          }
          const missing = one.calls.map((call) => wordsOf(call)[0].toUpperCase())
            .find((name) => !known.has(name) && !name.includes("NOSUCH"));
          if (missing !== undefined && known.size > 0) {
            left.set(`no ${missing} yet`, (left.get(`no ${missing} yet`) ?? 0) + 1);
            continue;
          }
          if (section.inTurn === undefined) {
            // EXEC after a refused call belongs to the transaction of the case before.
            const goesOn = last === "EXEC" && !one.expected[0].includes("without MULTI");
            if (!goesOn) {
              conn.close();
              conn = await Connection.open(server.port);
              await conn.pipeline([["FLUSHALL"], ["FUNCTION", "FLUSH"], ["ACL", "DELUSER", "u"]]);
            }
          }
          let reply = "";
          for (const call of one.calls) {
            reply = renderAsRecorded(render(await conn.call(...wordsOf(call))));
          }
          if (SAYS_IT_LACKS.test(reply)) {
            left.set(
              "the server says it lacks this",
              (left.get("the server says it lacks this") ?? 0) + 1,
            );
            continue;
          }
          replayed++;
          if (reply !== renderAsRecorded(one.expected.join("\n"))) {
            problems.push(
              `> ${one.calls.join("\n> ")}\n  recorded: ${
                one.expected.join("\n")
              }\n  tsredis:  ${reply}`,
            );
          }
        }
        conn.close();
      } finally {
        await server.stop();
      }
      const reasons = [...left].map(([reason, times]) => `${reason} (${times})`).join(", ");
      console.log(
        `replayed ${replayed} of ${cases.length} cases${reasons && `; left out: ${reasons}`}`,
      );
      assertEquals(problems.length, 0, "\n" + problems.join("\n"));
    },
  });
}
