/** Client programs as they are: what they send first (HELLO, CLIENT, COMMAND) has to be answered. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { hasPythonRedis, hasRedisCli, pythonWithRedis } from "../support/real_redis.ts";
import { RunningServer } from "./running_server.ts";

/** The standard output of a program; fails with its error output. */
async function outputOf(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`${program} failed:\n${text}${new TextDecoder().decode(stderr)}`);
  return text;
}

Deno.test({
  name: "redis-cli speaks RESP2 and RESP3, with a password and a name",
  ignore: !hasRedisCli,
  fn: async () => {
    await using s = await RunningServer.start("requirepass secret");
    const cli = (...args: string[]) =>
      outputOf("redis-cli", "-p", `${s.port}`, "--no-auth-warning", "-a", "secret", ...args);
    assertEquals(await cli("SET", "k", "a b"), "OK\n");
    assertEquals(await cli("-3", "GET", "k"), "a b\n");
    assertEquals(await cli("-n", "3", "--user", "default", "EXISTS", "k"), "0\n");
    assertStringIncludes(await cli("-3", "CLIENT", "INFO"), " resp=3 ");
    const denied = await outputOf("redis-cli", "-p", `${s.port}`, "GET", "k");
    assertEquals(denied, "NOAUTH Authentication required.\n\n");
  },
});

const SCRIPT = `
import sys, redis
client = redis.Redis(port=int(sys.argv[1]), password="secret", client_name="py", decode_responses=True)
assert client.set("k", "v") and client.get("k") == "v"
assert client.client_getname() == "py" and client.client_id() > 0
assert any(each["name"] == "py" for each in client.client_list())
with client.pipeline(transaction=True) as pipe:
    pipe.incr("n").incr("n").get("missing")
    assert pipe.execute() == [1, 2, None]
with client.pipeline() as pipe:
    pipe.watch("n")
    client.set("n", "5")
    pipe.multi()
    pipe.incr("n")
    try:
        pipe.execute()
        raise SystemExit("a watched key was changed")
    except redis.WatchError:
        pass
with client.monitor() as monitor:
    client.echo("seen")
    assert any(monitor.next_command()["command"] == "ECHO seen" for _ in range(9))
try:
    redis.Redis(port=int(sys.argv[1]), password="wrong").ping()
    raise SystemExit("a wrong password was taken")
except (redis.AuthenticationError, redis.ResponseError):
    pass
assert client.client_kill_filter(_type="normal", skipme=True) >= 1
print("done")
`;

Deno.test({
  name: "redis-py: pipelines, transactions, WATCH, MONITOR, CLIENT",
  ignore: !hasPythonRedis,
  fn: async () => {
    await using s = await RunningServer.start("requirepass secret");
    assertEquals(await outputOf(pythonWithRedis!, "-c", SCRIPT, `${s.port}`), "done\n");
  },
});

const USERS_SCRIPT = `
import sys, redis
port = int(sys.argv[1])
admin = redis.Redis(port=port, decode_responses=True)
assert admin.acl_whoami() == "default" and admin.acl_users() == ["default"]
assert "transaction" in admin.acl_cat() and "multi" in admin.acl_cat("transaction")
assert len(admin.acl_genpass()) == 64
assert admin.acl_getuser("nobody") is None
assert admin.acl_setuser("u", enabled=True, passwords=["+one", "+two"], commands=["+get", "+mget", "+hset"],
    keys=["cache:*", "objects:*"], channels=["message:*"])
user = admin.acl_getuser("u")
assert user["enabled"] is True and "on" in user["flags"] and len(user["passwords"]) == 2
assert user["commands"] == ["+get", "+mget", "+hset"] and user["categories"] == ["-@all"], user
assert user["keys"] == ["~cache:*", "~objects:*"] and user["channels"] == ["&message:*"], user
admin.acl_setuser("u", enabled=True, passwords=["-one"], commands=["+@string", "-@dangerous"], categories=["+@hash"], keys=["a"])
other = redis.Redis(port=port, username="u", password="two", decode_responses=True)
assert other.get("cache:1") is None
for refused in (lambda: other.get("x"), lambda: other.lpush("cache:1", 1), lambda: other.acl_list()):
    try:
        refused()
        raise SystemExit("was not refused")
    except redis.exceptions.NoPermissionError:
        pass
try:
    redis.Redis(port=port, username="u", password="one").ping()
    raise SystemExit("a password that was taken back is right")
except (redis.AuthenticationError, redis.ResponseError):
    pass
log = admin.acl_log()
assert len(log) == 4 and {each["reason"] for each in log} == {"key", "command", "auth"}, log
assert log[0]["username"] == "u" and log[0]["client-info"]["cmd"] == "auth"
assert len(admin.acl_log(count=1)) == 1 and admin.acl_log_reset()
assert len(admin.acl_list()) == 2
assert admin.acl_deluser("u") == 1
print("done")
`;

Deno.test({
  name: "redis-py: users, what they may do, and the log of what was refused",
  ignore: !hasPythonRedis,
  fn: async () => {
    await using s = await RunningServer.start("");
    assertEquals(await outputOf(pythonWithRedis!, "-c", USERS_SCRIPT, `${s.port}`), "done\n");
  },
});
