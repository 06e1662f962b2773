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
