import { assertEquals } from "@std/assert";
import { InputClient } from "../../support/input_client.ts";
import { testServer } from "../../support/test_server.ts";

const WRONG_PASS = {
  error: "WRONGPASS invalid username-password pair or user is disabled.",
};
const NO_AUTH = { error: "NOAUTH Authentication required." };

function withPassword() {
  const s = testServer({ directives: { requirepass: "secret" } });
  const c = s.connect();
  c.client.setNeedsAuth(true);
  return { s, c };
}

Deno.test("AUTH with the password opens the other commands", () => {
  for (const words of [["secret"], ["default", "secret"]]) {
    const { c } = withPassword();
    assertEquals(c.run("GET", "k"), NO_AUTH);
    assertEquals(c.run("AUTH", ...words), "OK");
    assertEquals(c.run("GET", "k"), null);
  }
});

for (
  const words of [["wrong"], [""], ["secre"], ["secrets"], ["SECRET"], ["nobody", "secret"], [
    "default",
    "wrong",
  ]]
) {
  Deno.test(`AUTH ${words.join(" ")} is refused`, () => {
    const { c } = withPassword();
    assertEquals(c.run("AUTH", ...words), WRONG_PASS);
    assertEquals(c.run("GET", "k"), NO_AUTH);
  });
}

Deno.test("AUTH without a password set: an error without the user's name, right with it", () => {
  const s = testServer();
  assertEquals(s.run("AUTH", "x"), {
    error: "ERR AUTH <password> called without any password configured for the default user. " +
      "Are you sure your configuration is correct?",
  });
  assertEquals(s.run("AUTH", "default", "x"), "OK");
  assertEquals(s.run("AUTH", "nobody", "x"), WRONG_PASS);
  assertEquals(s.run("AUTH", "a", "b", "c"), { error: "ERR syntax error" });
  assertEquals(s.run("AUTH"), { error: "ERR wrong number of arguments for 'auth' command" });
});

Deno.test("a refused AUTH does not end the present authentication", () => {
  const { c } = withPassword();
  c.run("AUTH", "secret");
  assertEquals(c.run("AUTH", "wrong"), WRONG_PASS);
  assertEquals(c.run("GET", "k"), null);
});

Deno.test("HELLO tells that the server is a replica", () => {
  const s = testServer();
  s.run("REPLICAOF", "127.0.0.1", 1);
  const hello = s.run("HELLO") as string[];
  assertEquals(hello[hello.indexOf("role") + 1], "replica");
  s.run("REPLICAOF", "NO", "ONE");
});

Deno.test("HELLO tells about the server, as a map in RESP3", () => {
  const s = testServer();
  const c = s.connect();
  const id = c.client.id;
  const pairs: [string, unknown][] = [
    ["server", "redis"],
    ["version", "7.2.4"],
    ["proto", 3],
    ["id", id],
    ["mode", "standalone"],
    ["role", "master"],
    ["modules", []],
  ];
  assertEquals(c.run("HELLO", 3), { map: pairs } as never);
  assertEquals(c.run("GET", "k"), null);
  assertEquals(c.client.reply.resp, 3);
  pairs[2][1] = 2;
  assertEquals(c.run("HELLO", 2), pairs.flat() as never);
  assertEquals(c.run("HELLO"), pairs.flat() as never);
});

Deno.test("HELLO authenticates and names in one", () => {
  const { c } = withPassword();
  c.run("HELLO", 3, "SETNAME", "me", "AUTH", "default", "secret");
  assertEquals(c.run("CLIENT", "GETNAME"), "me");
  assertEquals(c.client.reply.resp, 3);
});

Deno.test("HELLO without authentication is refused and changes nothing", () => {
  const { c } = withPassword();
  const needsAuth = {
    error: "NOAUTH HELLO must be called with the client already authenticated, otherwise the " +
      "HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the " +
      "RESP protocol version at the same time",
  };
  assertEquals(c.run("HELLO"), needsAuth);
  assertEquals(c.run("HELLO", 3, "SETNAME", "me"), needsAuth);
  assertEquals(c.run("HELLO", 3, "AUTH", "default", "wrong", "SETNAME", "me"), WRONG_PASS);
  assertEquals([c.client.name, c.client.reply.resp], ["", 2]);
});

for (
  const [words, error] of [
    [["x"], "ERR Protocol version is not an integer or out of range"],
    [["1"], "NOPROTO unsupported protocol version"],
    [["4"], "NOPROTO unsupported protocol version"],
    [["3", "x"], "ERR Syntax error in HELLO option 'x'"],
    [["3", "AUTH", "a"], "ERR Syntax error in HELLO option 'AUTH'"],
    [["3", "SETNAME"], "ERR Syntax error in HELLO option 'SETNAME'"],
    [
      ["3", "SETNAME", "a b"],
      "ERR Client names cannot contain spaces, newlines or special characters.",
    ],
  ] as [string[], string][]
) {
  Deno.test(`HELLO ${words.join(" ")} is refused and changes nothing`, () => {
    const s = testServer();
    const c = s.connect();
    assertEquals(c.run("HELLO", ...words), { error });
    assertEquals([c.client.name, c.client.reply.resp], ["", 2]);
  });
}

Deno.test("RESET puts the connection back into the state of a new one", () => {
  const { s, c } = withPassword();
  c.run("HELLO", 3, "AUTH", "default", "secret", "SETNAME", "me");
  c.run("SELECT", 3);
  c.run("CLIENT", "NO-TOUCH", "on");
  c.run("CLIENT", "NO-EVICT", "on");
  c.run("WATCH", "k");
  c.run("MULTI");
  c.run("SET", "k", "1");
  assertEquals(c.run("RESET"), "RESET");
  const { client } = c;
  assertEquals(
    [client.reply.resp, client.database.index, client.name, client.noTouch, client.noEvict],
    [2, 0, "", false, false],
  );
  assertEquals(client.holdsMore, false);
  assertEquals(c.run("GET", "k"), NO_AUTH);
  c.run("AUTH", "secret");
  assertEquals(c.run("EXEC"), { error: "ERR EXEC without MULTI" });
  assertEquals(s.run("GET", "k"), null);
});

Deno.test("RESET ends MONITOR and turns replies on", () => {
  const s = testServer();
  const c = s.connect();
  c.client.isMonitor = true;
  s.clients.monitors.add(c.client);
  c.run("CLIENT", "REPLY", "OFF");
  assertEquals(c.run("RESET"), "RESET");
  assertEquals(s.clients.monitors.size, 0);
  s.run("PING");
  assertEquals(c.received(), []);
});

Deno.test("QUIT is answered; what follows is not", () => {
  const c = new InputClient(testServer());
  c.send("QUIT with words\r\nPING\r\n");
  assertEquals(c.received(), ["OK"]);
  assertEquals(c.client.isClosing, true);
});

Deno.test("PING and ECHO answer with what they are given", () => {
  const s = testServer();
  assertEquals(s.run("PING"), "PONG");
  assertEquals(s.run("PING", "\0\xff"), "\0\xff");
  assertEquals(s.run("PING", "a", "b"), {
    error: "ERR wrong number of arguments for 'ping' command",
  });
  assertEquals(s.run("ECHO", ""), "");
});
