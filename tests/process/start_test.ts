/**
 * Starts that cannot be, as a person at the terminal sees them: Redis's messages, the code 1, and no
 * word of the program that runs tsredis. And what a start shows of itself.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { textOf } from "../support/resp_client.ts";
import { spawnTsredis, startTsredis, testExecutable } from "../support/tsredis_process.ts";

const FATAL = "\\*\\*\\* FATAL CONFIG FILE ERROR \\(tsredis [0-9.]+\\) \\*\\*\\*\n";

/** Arguments behind `--port`, `--bind` and `--dir`, and all or the end of what is printed. */
const FAILING: [args: string[], message: RegExp][] = [
  [["--logfile", "/nosuch/x.log"], /Can't open the log file: No such file or directory\n$/],
  [["--logfile", "/"], /Can't open the log file: Is a directory\n$/],
  [["--port", "0"], /^\d+:M .* # Configured to not listen anywhere, exiting\.\n$/],
  [
    ["--port", "0", "--unixsocket", "/nosuch/x"],
    /# Failed opening Unix socket: bind: No such .*\n$/,
  ],
  [["--dir", "/nosuch"], />>> 'dir "\/nosuch"'\nNo such file or directory\nFile: command line\n$/],
  [
    ["--bind", "192.0.2.1"],
    /# Warning: Could not create server TCP listening socket 192\.0\.2\.1:\d+: bind: Cannot assign requested address\n.*# Failed listening on port \d+ \(TCP\), aborting\.\n$/,
  ],
  [
    ["--bind", "nosuch.invalid"],
    /socket nosuch\.invalid:\d+: Name or service not known\n.*# Failed listening/,
  ],
  [["--prot", "1"], /Bad directive or wrong number of arguments\nDid you mean 'port'\?\n/],
  [["--user", "a", "on", "nosuch"], /Error in user declaration 'nosuch': Syntax error\n/],
  [
    ["--user", "a", "on", "+nosuch"],
    /# Error loading ACL rule '\+nosuch' [^]*# Critical error while/,
  ],
  [["--aclfile", "/nosuch"], /# Aborting Redis startup .*'\/nosuch': No such file or directory\n$/],
  [["--user", "a", "on", "--user", "a", "off"], /'a': Duplicate user found\. /],
  [
    ["--requirepass", "x", "--cluster-enabled", "yes", "--tls-ciphers", "HIGH"],
    /'cluster-enabled' [^]*'tls-ciphers' /,
  ],
];
// Deno lets nobody in there without all permissions, and speaks of --allow-all.
if (testExecutable === undefined) {
  FAILING.push([["--dir", "/proc"], /'\nPermission denied\nFile: /]);
}
for (const [args, message] of FAILING) {
  Deno.test({
    name: `tsredis ${args.join(" ")} ends with a message and code 1`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await using server = await spawnTsredis({ args });
      const { code } = await server.ended();
      assertMatch(server.log, message);
      if (!/^\d+:M/.test(server.log)) assertMatch(server.log, new RegExp("^" + FATAL));
      assert(!/os error|--allow|Deno|\bat .*\.ts:/.test(server.log), server.log);
      assertEquals(code, 1);
    },
  });
}

Deno.test("a port that is taken ends the start with a message and code 1", async () => {
  await using server = await startTsredis();
  await using second = await spawnTsredis({ args: ["--port", `${server.port}`] });
  assertEquals((await second.ended()).code, 1);
  assertMatch(
    second.log,
    new RegExp(
      `socket 127\\.0\\.0\\.1:${server.port}: bind: Address already in use\n.*` +
        `# Failed listening on port ${server.port} \\(TCP\\), aborting\\.\n$`,
    ),
  );
});

Deno.test("a folder that is gone is told of in the system's words, by SAVE, BGSAVE and the end", async () => {
  const dir = await Deno.makeTempDir();
  await using server = await startTsredis({ dir, args: ["--save", "3600 1"] });
  using client = await server.connect();
  await client.call("SET", "k", "v");
  await Deno.remove(dir, { recursive: true });
  assertEquals((await client.call("SAVE")).kind, "error");
  await client.call("BGSAVE");
  await eventually(() => server.log.includes("Background saving error"));
  server.child.kill("SIGTERM");
  await eventually(() => server.log.includes("Errors trying to shut down"));
  const failures = server.log.match(/Failed opening the temp RDB file .*/g) ?? [];
  assertEquals(failures.length, 3);
  const ending = `.rdb (in server root dir ${dir}) for saving: No such file or directory`;
  for (const failure of failures) assert(failure.endsWith(ending), failure);
});

Deno.test("--ignore-unsupported yes starts, and warns of each line that was ignored", async () => {
  const ignoring = [
    "--ignore-unsupported",
    "yes",
    "--cluster-enabled",
    "yes",
    "--daemonize",
    "yes",
  ];
  await using server = await startTsredis({ args: ignoring });
  for (const name of ["cluster-enabled", "daemonize"]) {
    await server.untilLogged(`# Warning: '${name}' is set but has no effect: `);
  }
  using client = await server.connect();
  const { text } = await client.call("CONFIG", "SET", "tls-ciphers", "HIGH") as { text: string };
  assertStringIncludes(text, "argument 'tls-ciphers') - the runtime's library chooses");
});

async function shownByPs(pid: number): Promise<string> {
  const args = ["-p", `${pid}`, "-o", "args="];
  const { stdout } = await new Deno.Command("ps", { args }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test({
  name: "ps says tsredis and where it listens, as proc-title-template has it, and no password",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using server = await startTsredis({ args: ["--user", "u", ">secret"] });
    const { pid } = server.child;
    await eventually(async () => await shownByPs(pid) === `tsredis 127.0.0.1:${server.port}`);
    using client = await server.connect();
    const set = await client.call("CONFIG", "SET", "proc-title-template", "{{{port}} {title}");
    assertEquals(textOf(set), "OK");
    assertEquals(await shownByPs(pid), `{${server.port}} tsredis`);
    await using untitled = await startTsredis({ args: ["--set-proc-title", "no"] });
    assertStringIncludes(await shownByPs(untitled.child.pid), "--set-proc-title no");
  },
});
