import { assert, assertEquals, assertMatch } from "@std/assert";
import { InputClient } from "../../support/input_client.ts";
import { testServer } from "../../support/test_server.ts";

const SYNTAX = "ERR syntax error";
const NAMES = "ERR Client names cannot contain spaces, newlines or special characters.";
const REFUSALS: [words: string, error: string][] = [
  ["SETNAME a\tb", NAMES],
  ["SETNAME a\x7f", NAMES],
  ["SETINFO lib-name a\nb", "ERR lib-name cannot contain spaces, newlines or special characters."],
  ["SETINFO LIB-VER \xe9", "ERR LIB-VER cannot contain spaces, newlines or special characters."],
  ["SETINFO lib-x 1", "ERR Unrecognized option 'lib-x'"],
  ["REPLY x", SYNTAX],
  ["NO-EVICT x", SYNTAX],
  ["NO-TOUCH x", SYNTAX],
  ["LIST x", SYNTAX],
  ["LIST TYPE", SYNTAX],
  ["LIST ID", SYNTAX],
  ["LIST TYPE x", "ERR Unknown client type 'x'"],
  ["LIST TYPE normal x", SYNTAX],
  ["LIST ID a", "ERR Invalid client ID"],
  ["LIST ID 1 a", "ERR Invalid client ID"],
  ["KILL 1.2.3.4:5", "ERR No such client"],
  ["KILL ID 0", "ERR client-id should be greater than 0"],
  ["KILL ID -1", "ERR client-id should be greater than 0"],
  ["KILL ID x", "ERR client-id should be greater than 0"],
  ["KILL TYPE x", "ERR Unknown client type 'x'"],
  ["KILL USER nobody", "ERR No such user 'nobody'"],
  ["KILL SKIPME x", SYNTAX],
  ["KILL ID 1 ADDR", SYNTAX],
  ["KILL x y", SYNTAX],
  ["PAUSE x", "ERR timeout is not an integer or out of range"],
  ["PAUSE -1", "ERR timeout is negative"],
  ["PAUSE 1 x", "ERR CLIENT PAUSE mode must be WRITE or ALL"],
  ["UNBLOCK x", "ERR value is not an integer or out of range"],
  ["UNBLOCK 1 x", "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"],
  ["TRACKING x", SYNTAX],
  ["TRACKING on PREFIX a", "ERR PREFIX option requires BCAST mode to be enabled"],
  ["TRACKING on BCAST OPTIN", "ERR OPTIN and OPTOUT are not compatible with BCAST"],
  ["TRACKING on OPTIN OPTOUT", "ERR You can't specify both OPTIN mode and OPTOUT mode"],
  ["TRACKING on REDIRECT 12345", "ERR The client ID you want redirect to does not exist"],
  [
    "CACHING yes",
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or " +
    "OPTOUT mode enabled",
  ],
];
for (const [words, error] of REFUSALS) {
  Deno.test(`CLIENT ${JSON.stringify(words)} is refused`, () => {
    const s = testServer();
    assertEquals(s.run("CLIENT", ...words.split(" ")), { error });
    assertEquals(s.pause.endsMs, 0);
    assertEquals(s.clients.count, 1);
  });
}

Deno.test("CLIENT ID counts connections", () => {
  const s = testServer();
  const other = s.connect();
  assertEquals(other.run("CLIENT", "ID"), (s.run("CLIENT", "ID") as number) + 1);
});

Deno.test("CLIENT SETNAME names the connection, an empty name takes it away", () => {
  const s = testServer();
  assertEquals(s.run("CLIENT", "GETNAME"), null);
  assertEquals(s.run("CLIENT", "SETNAME", "me!~"), "OK");
  assertEquals(s.run("CLIENT", "GETNAME"), "me!~");
  assertEquals(s.run("CLIENT", "SETNAME", ""), "OK");
  assertEquals(s.run("CLIENT", "GETNAME"), null);
});

const LINE = new RegExp(
  "^id=\\d+ addr=127\\.0\\.0\\.1:50000 laddr=127\\.0\\.0\\.1:6379 fd=8 name=me age=5 idle=0 flags=xd " +
    "db=3 sub=0 psub=0 ssub=0 multi=0 qbuf=\\d+ qbuf-free=\\d+ argv-mem=\\d+ multi-mem=0 rbs=\\d+ " +
    "rbp=\\d+ obl=\\d+ oll=0 omem=0 tot-mem=\\d+ events=r cmd=client\\|list user=default redir=-1 " +
    "resp=3 lib-name=lib lib-ver=1\\.2$",
);

Deno.test("a line of CLIENT LIST has the fields of Redis 7.2 in their order", () => {
  const s = testServer({ nowMs: 1_000 });
  const c = new InputClient(s);
  c.send("HELLO 3 SETNAME me\r\nSELECT 3\r\nCLIENT SETINFO lib-name lib\r\n");
  c.send("CLIENT SETINFO LIB-VER 1.2\r\nWATCH k\r\n");
  s.run("SELECT", 3);
  s.run("SET", "k", 1);
  s.clock.nowMs = 6_900;
  c.send("MULTI\r\nCLIENT LIST\r\n");
  c.received();
  // Queued by MULTI; seen from outside: the command last sent, and a watch that failed.
  c.client.queue = null;
  const [line] = (s.run("CLIENT", "LIST", "ID", c.client.id) as string).split("\n");
  assertMatch(line, LINE);
});

Deno.test("CLIENT INFO is one's own line of CLIENT LIST", () => {
  const s = testServer();
  const c = new InputClient(s);
  c.send("CLIENT INFO\r\n");
  const [info] = c.received() as string[];
  assertMatch(info, /^id=\d+ .*cmd=client\|info .*\n$/);
  assert(!info.trimEnd().includes("\n"));
});

Deno.test("CLIENT LIST shows all, those of a type, or those with an ID", () => {
  const s = testServer();
  const a = new InputClient(s);
  const b = new InputClient(s);
  b.client.channelCount = 2;
  const ids = (...words: (string | number)[]) =>
    [...String(s.run("CLIENT", "LIST", ...words)).matchAll(/^id=(\d+)/gm)].map((m) => Number(m[1]));
  const [me, first, second] = [1, a.client.id, b.client.id];
  assertEquals(ids(), [me, first, second]);
  assertEquals(ids("TYPE", "normal"), [me, first]);
  assertEquals(ids("TYPE", "PubSub"), [second]);
  assertEquals(ids("TYPE", "slave"), []);
  assertEquals(ids("ID", second, 999, first), [second, first]);
});

Deno.test("CLIENT KILL addr ends the connection with this address", () => {
  const s = testServer();
  const a = new InputClient(s, "127.0.0.1:1");
  const b = new InputClient(s, "127.0.0.1:2");
  assertEquals(s.run("CLIENT", "KILL", "127.0.0.1:2"), "OK");
  assertEquals([a.closed, b.closed], ["no", "at once"]);
});

for (
  const [filter, killed] of [
    ["ADDR 127.0.0.1:2", "b"],
    ["LADDR 127.0.0.1:6379", "a b c"],
    ["LADDR 127.0.0.1:6380", ""],
    ["TYPE normal", "a b"],
    ["TYPE pubsub", "c"],
    ["TYPE master", ""],
    ["USER default", "a b c"],
    ["ADDR 127.0.0.1:2 TYPE normal", "b"],
    ["ADDR 127.0.0.1:2 TYPE pubsub", ""],
    ["TYPE normal ADDR 127.0.0.1:1 USER default SKIPME yes", "a"],
    ["ID 999", ""],
  ]
) {
  Deno.test(`CLIENT KILL ${filter} ends: ${killed === "" ? "none" : killed}`, () => {
    const s = testServer();
    const clients = ["a", "b", "c"].map((name, i) => ({
      name,
      client: new InputClient(s, `127.0.0.1:${i + 1}`),
    }));
    clients[2].client.client.channelCount = 1;
    assertEquals(
      s.run("CLIENT", "KILL", ...filter.split(" ")),
      killed === "" ? 0 : killed.split(" ").length,
    );
    const closed = clients.filter(({ client }) => client.closed === "at once");
    assertEquals(closed.map(({ name }) => name).join(" "), killed);
  });
}

Deno.test("a client that kills itself is answered and runs nothing more", () => {
  const s = testServer();
  const c = new InputClient(s);
  c.send(`CLIENT KILL ID ${c.client.id}\r\n`);
  assertEquals([c.received(), c.closed, c.client.isClosing], [[0], "no", false]);
  c.send(`CLIENT KILL ID ${c.client.id} SKIPME no\r\nPING\r\n`);
  assertEquals([c.received(), c.closed, c.client.isClosing], [[1], "no", true]);
  const d = new InputClient(s, "127.0.0.1:9");
  d.send("CLIENT KILL 127.0.0.1:9\r\nPING\r\n");
  assertEquals([d.received(), d.client.isClosing], [["OK"], true]);
});

Deno.test("CLIENT REPLY OFF silences replies, errors and QUEUED until ON", () => {
  const c = new InputClient(testServer());
  c.send("CLIENT REPLY OFF\r\nPING\r\nNOSUCH\r\nGET\r\nMULTI\r\nPING\r\nINCR k\r\nEXEC\r\n");
  c.send("CLIENT REPLY SKIP\r\nPING\r\n");
  assertEquals(c.received(), []);
  c.send("CLIENT REPLY ON\r\nGET k\r\n");
  assertEquals(c.received(), ["OK", "1"]);
});

for (const next of ["PING", "NOSUCH", "GET", "LRANGE k 0 -1"]) {
  Deno.test(`CLIENT REPLY SKIP silences itself and a following ${next} only`, () => {
    const c = new InputClient(testServer());
    c.send(`CLIENT REPLY SKIP\r\n${next}\r\nPING\r\n`);
    assertEquals(c.received(), ["PONG"]);
  });
}

Deno.test("CLIENT REPLY SKIP before a transaction silences MULTI, inside one the whole EXEC", () => {
  const c = new InputClient(testServer());
  c.send("CLIENT REPLY SKIP\r\nMULTI\r\nPING\r\nEXEC\r\n");
  assertEquals(c.received(), ["QUEUED", ["PONG"]]);
  c.send("MULTI\r\nCLIENT REPLY SKIP\r\nEXEC\r\nPING\r\nPING\r\n");
  assertEquals(c.received(), ["OK", "QUEUED", "PONG"]);
});

Deno.test("CLIENT NO-EVICT and NO-TOUCH are kept and shown", () => {
  const s = testServer();
  const c = s.connect();
  assertEquals(c.run("CLIENT", "NO-EVICT", "ON"), "OK");
  assertEquals(c.run("CLIENT", "NO-TOUCH", "on"), "OK");
  assertMatch(String(c.run("CLIENT", "INFO")), / flags=eT /);
  c.run("CLIENT", "NO-EVICT", "off");
  c.run("CLIENT", "NO-TOUCH", "off");
  assertMatch(String(c.run("CLIENT", "INFO")), / flags=N /);
});

Deno.test("CLIENT UNBLOCK ends the wait of a blocking command, not that of a pause", () => {
  const s = testServer();
  const c = s.connect();
  const ended: boolean[] = [];
  c.client.park = { isBlocking: true, unblock: (withError) => ended.push(withError) };
  assertEquals(s.run("CLIENT", "UNBLOCK", c.client.id), 1);
  assertEquals(s.run("CLIENT", "UNBLOCK", c.client.id, "ERROR"), 1);
  assertEquals(ended, [false, true]);
  c.client.park = { isBlocking: false, unblock: () => ended.push(true) };
  assertEquals(s.run("CLIENT", "UNBLOCK", c.client.id), 0);
  assertEquals(s.run("CLIENT", "UNBLOCK", 12345), 0);
  assertEquals(ended.length, 2);
});

Deno.test("without tracking, what is asked about it is answered so", () => {
  const s = testServer();
  assertEquals(s.run("CLIENT", "GETREDIR"), -1);
  assertEquals(s.run("CLIENT", "TRACKING", "off"), "OK");
  assertEquals(s.connect(3).run("CLIENT", "TRACKINGINFO"), {
    map: [["flags", { set: ["off"] }], ["redirect", -1], ["prefixes", []]],
  });
});

Deno.test("CLIENT HELP names every subcommand", () => {
  const s = testServer();
  const lines = s.run("CLIENT", "HELP") as string[];
  assertEquals(
    lines[0],
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  );
  for (const name of s.dispatcher.byName.get("client")!.subcommands!.keys()) {
    assert(lines.some((line) => line.split(" ")[0] === name.toUpperCase()), name);
  }
});
