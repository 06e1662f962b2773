/** What users may do, wherever a command is run: at once, by EXEC, by scripts, for clients that wait. */

import { assert, assertEquals } from "@std/assert";
import { InputClient } from "../support/input_client.ts";
import { type TestClient, type TestServer, testServer } from "../support/test_server.ts";

const noCommand = (user: string, command: string) => ({
  error: `NOPERM User ${user} has no permissions to run the '${command}' command`,
});
const NO_KEY = { error: "NOPERM No permissions to access a key" };
const NO_CHANNEL = { error: "NOPERM No permissions to access a channel" };

/** A client that is a user of these rules, separated by spaces. */
function userClient(s: TestServer, name: string, rules: string): TestClient {
  assertEquals(s.run("ACL", "SETUSER", name, "on", "nopass", ...rules.split(" ")), "OK");
  const c = s.connect();
  assertEquals(c.run("AUTH", name, ""), "OK");
  return c;
}

/** The entries of ACL LOG, newest first: reason, context, object, user and count. */
function logOf(s: TestServer): string[] {
  return (s.run("ACL", "LOG") as (string | number)[][]).map((entry) =>
    [3, 5, 7, 9, 1].map((at) => entry[at]).join(" ")
  );
}

Deno.test("a user may run what its rules allow, and is told what it may not", () => {
  const s = testServer();
  const c = userClient(s, "u", "+get +set +config|get ~a:* &news");
  assertEquals(c.run("SET", "a:1", "x"), "OK");
  assertEquals(c.run("GET", "a:1"), "x");
  assertEquals(c.run("GET", "b"), NO_KEY);
  assertEquals(c.run("DEL", "a:1"), noCommand("u", "del"));
  assertEquals(c.run("CONFIG", "GET", "port"), ["port", "6379"]);
  assertEquals(c.run("CONFIG", "SET", "port", "1"), noCommand("u", "config|set"));
  assertEquals(c.run("PUBLISH", "news", "x"), noCommand("u", "publish"));
  assertEquals(logOf(s), [
    "command toplevel publish u 1",
    "command toplevel config|set u 1",
    "command toplevel del u 1",
    "key toplevel b u 1",
  ]);
});

Deno.test("commands before authentication need no right, words that make no sense name no key", () => {
  const s = testServer();
  const c = userClient(s, "u", "-@all +eval +xread");
  assertEquals(c.run("AUTH", "u", "x"), "OK");
  assertEquals((c.run("HELLO", "3") as { map: unknown[] }).map.length, 7);
  assertEquals(c.run("RESET"), "RESET");
  assertEquals(c.run("ACL", "WHOAMI"), "default");
  c.run("AUTH", "u", "x");
  assertEquals(c.run("EVAL", "return 1", "3", "k"), {
    error: "ERR Number of keys can't be greater than number of args",
  });
  assertEquals(c.run("XREAD", "COUNT", "1"), {
    error: "ERR wrong number of arguments for 'xread' command",
  });
  assertEquals(c.run("EVAL", "return 1", "1", "k"), NO_KEY);
  assertEquals(c.run("QUIT"), "OK");
});

Deno.test("rights to read and to write are asked for by what a command does to each key", () => {
  const s = testServer();
  const c = userClient(s, "u", "+@all %R~r* %W~w* %RW~rw*");
  for (
    const [line, answer] of [
      ["GET r", null],
      ["GET w", NO_KEY],
      ["SET w 1", "OK"],
      ["SET r 1", NO_KEY],
      ["SET w 1 GET", NO_KEY],
      ["SET rw 1 GET", null],
      ["COPY r w2", 0],
      ["COPY w r", NO_KEY],
      ["EXISTS r w rw", 2],
      ["EXISTS x", NO_KEY],
      ["BITFIELD r GET u8 0", [0]],
      ["BITFIELD r SET u8 0 1", NO_KEY],
      ["SORT r STORE w", 0],
      ["SORT r STORE r", NO_KEY],
      ["GEORADIUS r 0 0 1 m STORE w", 0],
      ["GEORADIUS r 0 0 1 m STORE store", NO_KEY],
      ["GEORADIUS r 0 0 1 m STORE w STORE r", NO_KEY],
      ["ZUNIONSTORE w 2 r r", 0],
      ["ZUNIONSTORE w 2 r w", NO_KEY],
    ] as const
  ) {
    assertEquals(c.run(...line.split(" ")), answer as never, line);
  }
});

Deno.test("a word of an option that is also a name does not hide the key behind it", () => {
  const s = testServer();
  for (const name of ["STREAMS", "streams"]) {
    s.run("XGROUP", "CREATE", "x", name, "0", "MKSTREAM");
  }
  const c = userClient(s, "u", "+@all ~r ~STORE ~BY ~GET ~STREAMS");
  for (
    const line of [
      "GEORADIUS r 0 0 1 m STOREDIST STORE STORE x",
      "GEORADIUS r 0 0 1 m STORE STOREDIST STOREDIST x",
      "GEORADIUSBYMEMBER r a 1 m STOREDIST STORE STORE x",
      "GEORADIUSBYMEMBER r a 1 m STORE r STOREDIST x",
      "SORT r STORE BY STORE x",
      "SORT r STORE x STORE r",
      "SORT r LIMIT 0 9 STORE GET STORE x",
      "XREADGROUP COUNT 1 GROUP STREAMS r STREAMS x >",
      "XREADGROUP NOACK GROUP g streams STREAMS x >",
    ]
  ) assertEquals(c.run(...line.split(" ")), NO_KEY, line);
  assertEquals(c.run(..."SORT r STORE BY STORE STORE".split(" ")), 0);
  assertEquals(c.run(..."XREADGROUP GROUP x y STREAMS r >".split(" ")), {
    error: "NOGROUP No such key 'r' or consumer group 'x' in XREADGROUP with GROUP option",
  });
});

Deno.test("of a long key that is refused, and of a long name of its client, ACL LOG keeps the beginning", () => {
  const s = testServer();
  const c = userClient(s, "u", "+@all ~a");
  c.run("CLIENT", "SETNAME", "n".repeat(5_000));
  assertEquals(c.run("GET", "k".repeat(5_000_000)), NO_KEY);
  assertEquals(c.run("AUTH", "v".repeat(5_000_000), "x"), {
    error: "WRONGPASS invalid username-password pair or user is disabled.",
  });
  const [auth, key] = s.run("ACL", "LOG") as string[][];
  assertEquals(auth[9], "v".repeat(256));
  assertEquals(key[7], "k".repeat(256));
  assertEquals(key[13].length, 2048);
});

Deno.test("SORT may make up names of keys only for who may read all", () => {
  const s = testServer();
  s.run("RPUSH", "l", "1");
  const c = userClient(s, "u", "+sort ~l");
  const refused = (option: string) => ({
    error: `ERR ${option} option of SORT denied due to insufficient ACL permissions.`,
  });
  assertEquals(c.run("SORT", "l", "BY", "v*"), refused("BY"));
  assertEquals(c.run("SORT", "l", "GET", "#"), refused("GET"));
  assertEquals(c.run("SORT", "l", "BY", "nosort"), ["1"]);
  s.run("ACL", "SETUSER", "u", "%W~*");
  assertEquals(c.run("SORT", "l", "BY", "v*"), refused("BY"));
  s.run("ACL", "SETUSER", "u", "%R~*");
  assertEquals(c.run("SORT", "l", "BY", "v*", "GET", "#"), ["1"]);
});

Deno.test("channels are matched by their patterns, patterns only by themselves", () => {
  const s = testServer();
  const c = userClient(s, "u", "+@pubsub &news:* &all");
  assertEquals(c.run("PUBLISH", "news:1", "x"), 0);
  assertEquals(c.run("PUBLISH", "other", "x"), NO_CHANNEL);
  assertEquals(c.run("SPUBLISH", "other", "x"), NO_CHANNEL);
  assertEquals(c.run("SUBSCRIBE", "news:1", "other"), NO_CHANNEL);
  assertEquals(c.run("SSUBSCRIBE", "other"), NO_CHANNEL);
  assertEquals(c.run("PSUBSCRIBE", "news:1"), NO_CHANNEL);
  assertEquals(c.run("UNSUBSCRIBE", "other"), ["unsubscribe", "other", 0]);
  assertEquals(c.run("PSUBSCRIBE", "news:*"), ["psubscribe", "news:*", 1]);
  assertEquals(c.run("SUBSCRIBE", "news:9"), ["subscribe", "news:9", 2]);
  assertEquals(
    s.run("INFO", "stats")!.toString().match(/acl_access_denied_channel:(\d+)/)![1],
    "5",
  );
});

Deno.test("one selector has to allow all of a call; the last word that none allows is told of", () => {
  const s = testServer();
  const c = userClient(s, "u", "+mget ~key (+mget ~key ~other) (%R~read +@all) (%W~write +@all)");
  assertEquals(c.run("COPY", "read", "write"), NO_KEY);
  assertEquals(c.run("MGET", "key", "other"), [null, null]);
  assertEquals(c.run("MGET", "key", "other", "third"), NO_KEY);
  assertEquals(logOf(s)[0], "key toplevel third u 1");
});

Deno.test("a first argument may be allowed of a command that is not", () => {
  const s = testServer();
  const c = userClient(s, "u", "-@all +select|0 +select|X");
  assertEquals(c.run("SELECT", "0"), "OK");
  assertEquals(c.run("SELECT", "1"), noCommand("u", "select"));
  assertEquals(c.run("SELECT", "x"), { error: "ERR value is not an integer or out of range" });
});

Deno.test("in a transaction rights are asked for twice: when a command is queued and when it is run", () => {
  const s = testServer();
  const c = userClient(s, "u", "+multi +exec +incr +get ~a");
  c.run("MULTI");
  assertEquals(c.run("SET", "a", "1"), noCommand("u", "set"));
  assertEquals(c.run("EXEC"), {
    error: "EXECABORT Transaction discarded because of previous errors.",
  });
  c.run("MULTI");
  c.run("INCR", "a");
  c.run("GET", "a");
  s.run("ACL", "SETUSER", "u", "-incr");
  const denied = (reason: string) => ({
    error:
      "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC " +
      `call. This command is no longer allowed for the following reason: ${reason}`,
  });
  assertEquals(c.run("EXEC"), [denied("no permission to execute the command or subcommand"), null]);
  assertEquals(logOf(s), ["command multi incr u 1", "command multi set u 1"]);
  const [newest] = s.run("ACL", "LOG") as string[][];
  assert(newest[13].includes(" cmd=exec "), newest[13]);
  c.run("MULTI");
  c.run("GET", "a");
  s.run("ACL", "SETUSER", "u", "resetkeys");
  assertEquals(c.run("EXEC"), [denied("no permission to touch the specified keys")]);
  s.run("ACL", "SETUSER", "u", "-exec");
  assertEquals(c.run("EXEC"), {
    error:
      "EXECABORT Transaction discarded because of: NOPERM User u has no permissions to run the " +
      "'exec' command",
  });
  assertEquals(c.client.isInMulti, false);
});

Deno.test("a script may do what its caller may, and may ask", () => {
  const s = testServer();
  const c = userClient(s, "u", "+eval +get +fcall ~a");
  assertEquals(c.run("EVAL", "return redis.call('get', KEYS[1])", "1", "a"), null);
  const sha = (text: string) =>
    text.replace(/script: [0-9a-f]{40}, on @user_script:1\.$/, "script");
  const refusal = (script: string) => sha((c.run("EVAL", script, "0") as { error: string }).error);
  assertEquals(
    refusal("return redis.call('set', 'a', 1)"),
    "ERR ACL failure in script: User u has no permissions to run the 'set' command script",
  );
  assertEquals(
    refusal("return redis.call('get', 'b')"),
    "ERR ACL failure in script: No permissions to access a key script",
  );
  assertEquals(logOf(s), ["key lua b u 1", "command lua set u 1"]);
  const [newest] = s.run("ACL", "LOG") as string[][];
  assert(newest[13].includes(" cmd=eval user=u "), newest[13]);
  for (
    const [call, may] of [
      ["'get', 'a'", 1],
      ["'get', 'b'", null],
      ["'set', 'a', 'x'", null],
      ["'get'", 1],
      ["'auth', 'x'", 1],
    ] as const
  ) {
    assertEquals(c.run("EVAL", `return redis.acl_check_cmd(${call})`, "0"), may, call);
  }
  assertEquals(s.run("EVAL", "return redis.acl_check_cmd('set', 'a', 'x')", "0"), 1);
  assertEquals(
    sha((c.run("EVAL", "return redis.acl_check_cmd('nosuch')", "0") as { error: string }).error),
    "ERR Invalid command passed to redis.acl_check_cmd() script",
  );
});

Deno.test("a function may do what its caller may", () => {
  const s = testServer();
  s.run(
    "FUNCTION",
    "LOAD",
    "#!lua name=l\nredis.register_function('f', function(keys) return redis.call('get', 'b') end)",
  );
  const c = userClient(s, "u", "+fcall +get ~a");
  assert(
    (c.run("FCALL", "f", "1", "a") as { error: string }).error.includes(
      "No permissions to access a key",
    ),
  );
  assertEquals(s.run("FCALL", "f", "0"), null);
});

Deno.test("a blocked client that may not run its command any more is refused when it is served", () => {
  const s = testServer();
  userClient(s, "u", "+blpop ~*");
  const c = new InputClient(s);
  c.send("AUTH u x\r\nBLPOP l 0\r\n");
  assertEquals(c.received(), ["OK"]);
  s.run("ACL", "SETUSER", "u", "resetkeys", "+ping");
  s.run("CONFIG", "RESETSTAT");
  s.run("RPUSH", "l", "x");
  c.send("PING\r\n");
  assertEquals(c.received(), [NO_KEY, "PONG"]);
  assertEquals(s.run("LRANGE", "l", "0", "-1"), ["x"]);
  assertEquals(s.clients.blockedCount, 0);
  const stats = s.run("INFO", "commandstats") as string;
  assert(/cmdstat_blpop:calls=0,usec=0,.*,rejected_calls=1,failed_calls=0/.test(stats), stats);
});

Deno.test("DELUSER ends all clients of a user: blocked ones, subscribers, monitors, in a transaction", () => {
  const s = testServer();
  s.run("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*", "&*");
  const clients = ["BLPOP l 0", "SUBSCRIBE c", "MONITOR", "MULTI", "PING"].map((line) => {
    const c = new InputClient(s);
    c.send(`AUTH u x\r\n${line}\r\n`);
    return c;
  });
  const other = new InputClient(s);
  other.send("PING\r\n");
  assertEquals(s.run("ACL", "DELUSER", "u", "nosuch"), 1);
  assertEquals(clients.map(({ closed }) => closed), clients.map(() => "at once"));
  assertEquals(other.closed, "no");
  assertEquals(s.clients.monitors.size, 0);
  assertEquals(s.run("ACL", "USERS"), ["default"]);
});

Deno.test("a client that removes its own user is answered first, and may do nothing more", () => {
  const s = testServer();
  s.run("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*");
  const c = new InputClient(s);
  c.send("AUTH u x\r\nACL DELUSER u\r\nSET k v\r\n");
  assertEquals(c.received(), ["OK", 1]);
  assertEquals(c.client.isClosing, true);
  assertEquals(s.run("GET", "k"), null);
});

Deno.test("what a transaction has left once it has removed its own user is not run as another", () => {
  const s = testServer();
  s.run("SET", "k", "secret");
  const c = userClient(s, "u", "+multi +exec +acl +eval +ping ~a");
  c.run("MULTI");
  c.run("ACL", "DELUSER", "u");
  c.run("EVAL", "return redis.call('GET', 'k')", "0");
  c.run("PING");
  const refused = {
    error:
      "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. " +
      "This command is no longer allowed for the following reason: no permission to execute the command " +
      "or subcommand",
  };
  assertEquals(c.run("EXEC"), [1, refused, refused]);
});

Deno.test("a password is compared also of users that are off, or that there are not", () => {
  const s = testServer();
  s.run("ACL", "SETUSER", "is", "on", ">p");
  s.run("ACL", "SETUSER", "off", ">p");
  let compared = 0;
  const { runtime } = s.services;
  const { isSameSecret } = runtime;
  Object.assign(runtime, {
    isSameSecret: (given: Uint8Array, secret: Uint8Array) => {
      compared++;
      return isSameSecret(given, secret);
    },
  });
  const c = s.connect();
  for (const [user, password] of [["is", "x"], ["off", "x"], ["off", "p"], ["nosuch", "x"]]) {
    compared = 0;
    assertEquals(c.run("AUTH", user, password), {
      error: "WRONGPASS invalid username-password pair or user is disabled.",
    });
    assertEquals(compared, 1, user);
  }
  assertEquals(c.run("AUTH", "is", "p"), "OK");
});

for (
  const [before, listens, after, stays] of [
    ["&foo", "SUBSCRIBE foo", "resetchannels", false],
    ["&foo", "SSUBSCRIBE foo", "resetchannels", false],
    ["&foo*", "PSUBSCRIBE foo*", "resetchannels &foo:*", false],
    ["&*", "SUBSCRIBE foo", "resetchannels &foo", true],
    ["&*", "PSUBSCRIBE foo", "resetchannels", false],
    ["&foo &bar*", "SUBSCRIBE foo", "resetchannels &foo", true],
    ["&foo &bar*", "SUBSCRIBE foo bar1", "resetchannels &foo", false],
    ["&foo", "SUBSCRIBE foo", "&bar", true],
    ["&foo", "SUBSCRIBE foo", "resetchannels (&*)", true],
    ["&foo", "SUBSCRIBE foo", "resetchannels (&f*)", true],
    ["&foo", "SUBSCRIBE foo", "off -@all resetkeys", true],
  ] as const
) {
  const what = stays ? "goes on" : "is ended";
  Deno.test(`a subscriber (${before}: ${listens}) ${what} at ACL SETUSER ${after}`, () => {
    const s = testServer();
    s.run("ACL", "SETUSER", "u", "on", "nopass", "+@all", "resetchannels", ...before.split(" "));
    const c = new InputClient(s);
    c.send(`AUTH u x\r\n${listens}\r\n`);
    assertEquals(s.run("ACL", "SETUSER", "u", ...after.split(" ")), "OK");
    assertEquals(c.closed, stays ? "no" : "at once");
  });
}

Deno.test("a user that is off keeps its connections, but nobody comes as it any more", () => {
  const s = testServer();
  const c = userClient(s, "u", "+@all");
  s.run("ACL", "SETUSER", "u", "off");
  assertEquals(c.run("PING"), "PONG");
  assertEquals(c.run("AUTH", "u", ""), {
    error: "WRONGPASS invalid username-password pair or user is disabled.",
  });
});

Deno.test("a default user that needs a password or is off asks all who have not authenticated", () => {
  const s = testServer();
  const early = new InputClient(s);
  for (const rules of [["resetpass", ">p"], ["nopass", "off"]]) {
    s.run("ACL", "SETUSER", "default", ...rules);
    const c = s.connect();
    s.core.access.admit(c.client);
    assertEquals(c.run("PING"), { error: "NOAUTH Authentication required." });
    early.send("PING\r\n");
    assertEquals(early.received(), ["PONG"]);
    s.run("ACL", "SETUSER", "default", "nopass", "on");
    assertEquals(c.run("PING"), "PONG");
  }
});

Deno.test("passwords are SHA-256, several, and taken back one by one", () => {
  const s = testServer();
  const c = s.connect();
  const tries = () =>
    ["one", "two", "passwd4"].filter((password) => c.run("AUTH", "u", password) === "OK");
  s.run("ACL", "SETUSER", "u", "on", ">one", ">two", "+@all");
  s.run("ACL", "SETUSER", "u", "#34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6");
  assertEquals(tries(), ["one", "two", "passwd4"]);
  s.run("ACL", "SETUSER", "u", "<one");
  assertEquals(tries(), ["two", "passwd4"]);
  assertEquals(s.run("ACL", "SETUSER", "u", "<one"), {
    error:
      "ERR Error in ACL SETUSER modifier '<one': The password you are trying to remove from the " +
      "user does not exist",
  });
  s.run("ACL", "SETUSER", "u", "resetpass");
  assertEquals(tries(), []);
  s.run("ACL", "SETUSER", "u", "nopass");
  assertEquals(tries(), ["one", "two", "passwd4"]);
});

Deno.test("requirepass is the password of the default user; taken back, it needs none", () => {
  const s = testServer({ directives: { requirepass: "secret" } });
  const line = () => (s.run("ACL", "LIST") as string[])[0];
  assert(/^user default on sanitize-payload #[0-9a-f]{64} ~\* &\* \+@all$/.test(line()), line());
  s.run("ACL", "SETUSER", "default", ">second");
  s.run("CONFIG", "SET", "requirepass", "third");
  const c = s.connect();
  assertEquals(c.run("AUTH", "second"), {
    error: "WRONGPASS invalid username-password pair or user is disabled.",
  });
  assertEquals(c.run("AUTH", "third"), "OK");
  s.run("CONFIG", "SET", "requirepass", "");
  assertEquals(line(), "user default on nopass sanitize-payload ~* &* +@all");
});

Deno.test("rules that are no good change nothing, also not those before them", () => {
  const s = testServer();
  s.run("ACL", "SETUSER", "u", "+get");
  for (
    const rule of [
      "+nosuch",
      "nosuch",
      "(+get",
      "(nosuch)",
      "~a b",
      "#abc",
      "%",
      "%~a",
      '(~"a)',
      "+get|a b",
    ]
  ) {
    const reply = s.run("ACL", "SETUSER", "u", "on", "nopass", "+@all", rule);
    assert(typeof reply === "object" && reply !== null && "error" in reply, rule);
    assertEquals(s.run("ACL", "SETUSER", "new", rule), reply, rule);
  }
  assertEquals(s.run("ACL", "LIST"), [
    "user default on nopass sanitize-payload ~* &* +@all",
    "user u off sanitize-payload resetchannels -@all +get",
  ]);
});

Deno.test("names of users have no spaces or zero bytes", () => {
  const s = testServer();
  const error = "ERR Usernames can't contain spaces or null characters";
  for (const name of ["a a", "a\0", "a\n", "\t"]) {
    assertEquals(s.run("ACL", "SETUSER", name, "on"), { error });
  }
});

Deno.test("acl-pubsub-default allchannels is of effect for what is new", () => {
  const s = testServer({ directives: { "acl-pubsub-default": "allchannels" } });
  const channels = (user: string) => (s.run("ACL", "GETUSER", user) as string[])[9];
  s.run("ACL", "SETUSER", "a", "(+get)");
  assertEquals(channels("a"), "&*");
  s.run("CONFIG", "SET", "acl-pubsub-default", "resetchannels");
  assertEquals(channels("a"), "&*");
  s.run("ACL", "SETUSER", "a", "reset");
  assertEquals(channels("a"), "");
});

Deno.test("a user's name is in CLIENT LIST, and CLIENT KILL knows it", () => {
  const s = testServer();
  userClient(s, "u", "+client");
  assert(/ user=u /.test(s.run("CLIENT", "LIST", "ID", "2") as string));
  assertEquals(s.run("CLIENT", "KILL", "USER", "nosuch"), { error: "ERR No such user 'nosuch'" });
  assertEquals(s.run("CLIENT", "KILL", "USER", "u"), 1);
});

Deno.test("passwords are shown by nobody: not by MONITOR, not by the slow log", () => {
  const s = testServer({ directives: { "slowlog-log-slower-than": "0" } });
  const monitor = s.connect();
  monitor.run("MONITOR");
  s.run("ACL", "SETUSER", "u", "on", ">secret1", "+@all");
  s.run("AUTH", "u", "secret1");
  s.run("AUTH", "u", "secret2");
  s.run("HELLO", "3", "AUTH", "u", "secret1");
  s.run("ACL", "SETUSER", "u", ">secret3", "nosuchrule");
  for (
    const [line, error] of [
      ["AUTH u secret1 x", "ERR syntax error"],
      ["HELLO 3 AUTH u secret1 BOGUS", "ERR Syntax error in HELLO option 'BOGUS'"],
      ["HELLO 3 BOGUS AUTH u secret1", "ERR Syntax error in HELLO option 'BOGUS'"],
      ["HELLO 3 AUTH secret1", "ERR Syntax error in HELLO option 'AUTH'"],
      ["HELLO 4 AUTH u secret1", "NOPROTO unsupported protocol version"],
      ["HELLO x AUTH u secret1", "ERR Protocol version is not an integer or out of range"],
      ["CONFIG SET requirepass secret1 secret2", "ERR syntax error"],
    ]
  ) assertEquals(s.run(...line.split(" ")), { error }, line);
  const named = s.connect();
  named.run(..."HELLO 2 SETNAME AUTH AUTH u secret2 AUTH u secret1".split(" "));
  assertEquals([named.run("CLIENT", "GETNAME"), named.client.user!.name], ["AUTH", "u"]);
  const shown = JSON.stringify([monitor.received(), s.run("SLOWLOG", "GET", "100"), s.logLines]);
  assert(shown.includes("(redacted)"));
  assertEquals(shown.match(/secret\d/g), null);
});
