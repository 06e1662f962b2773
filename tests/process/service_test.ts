/** The server under a service manager: what it is told, and what the systemd unit does. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { textOf } from "../support/resp_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { spawnTsredis, startTsredis } from "../support/tsredis_process.ts";

/** Plays systemd: prints each message that arrives, behind the id of the process that sent it. */
const MANAGER = `
import socket, struct, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
address = sys.argv[1]
manager.bind("\\0" + address[1:] if address[0] == "@" else address)
print("listening", flush=True)
while True:
    message, [(_, _, sender)], _, _ = manager.recvmsg(4096, 1024)
    print(struct.unpack("iII", sender)[0], message.decode(), end="", flush=True)
`;

class Manager implements AsyncDisposable {
  output = "";
  readonly #child: Deno.ChildProcess;
  readonly #drained: Promise<void>;

  private constructor(readonly address: string) {
    const args = ["-c", MANAGER, address];
    this.#child = new Deno.Command("python3", { args, stdout: "piped" }).spawn();
    this.#drained = this.#drain();
  }

  static async start(address: string): Promise<Manager> {
    const manager = new Manager(address);
    await eventually(() => manager.output === "listening\n");
    manager.output = "";
    return manager;
  }

  /** How to start a server under it. */
  get env(): Record<string, string> {
    return { NOTIFY_SOCKET: this.address };
  }

  /** What this server has said, and that nobody else has said anything. */
  saidBy({ child }: ServerProcess): string[] {
    return this.output.trimEnd().split("\n").filter((line) => line !== "").map((line) => {
      assertEquals(line.split(" ")[0], `${child.pid}`, "systemd listens to the main process only");
      return line.slice(line.indexOf(" ") + 1);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.status;
    await this.#drained;
  }

  async #drain(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) this.output += decoder.decode(chunk);
  }
}

function hasProgram(name: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(name, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

const ignore = Deno.build.os !== "linux" || !hasProgram("python3", "--version");

async function supervisedBy(server: ServerProcess): Promise<string | undefined> {
  using client = await server.connect();
  return /process_supervised:(\w+)/.exec(textOf(await client.call("INFO", "server")))?.[1];
}

const LOADING = "STATUS=Redis is loading...";
const SERVING = "STATUS=Ready to accept connections";

Deno.test({
  name: "supervised systemd tells of the load, the start, the save and the end",
  ignore,
  fn: async () => {
    const dir = await Deno.makeTempDir();
    try {
      await using manager = await Manager.start(`${dir}/notify`);
      const options = { dir, env: manager.env };
      const args = ["--supervised", "systemd"];
      {
        await using server = await startTsredis({ ...options, args });
        await eventually(() => manager.output.includes("READY=1"));
        assertEquals(manager.saidBy(server), [LOADING, SERVING, "READY=1"]);
        assertEquals(await supervisedBy(server), "systemd");
        await server.untilLogged("* Supervised by systemd. Please make sure you set");
        using client = await server.connect();
        for (let i = 0; i < 100; i++) await client.call("SET", `k${i}`, "v");
        assertEquals((await server.stop()).code, 0);
        await eventually(() => manager.output.includes("STOPPING=1"));
        const end = ["STATUS=Saving the final RDB snapshot", "STOPPING=1"];
        assertEquals(manager.saidBy(server).slice(3), end);
      }
      manager.output = "";
      // Not ready before the dataset is there.
      await using server = await spawnTsredis({
        ...options,
        args: [...args, "--key-load-delay", "10000"],
      });
      await eventually(() => manager.output.includes(LOADING));
      assertEquals(manager.saidBy(server), [LOADING]);
      await eventually(() => manager.output.includes("READY=1"));
      await server.untilLogged("Done loading RDB, keys loaded: 100");
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  name: "supervised auto finds a manager on an abstract address; a replica tells of its sync",
  ignore,
  fn: async () => {
    await using manager = await Manager.start(`@tsredis-test-${crypto.randomUUID()}`);
    await using master = await startTsredis({ args: ["--repl-diskless-sync-delay", "0"] });
    await using replica = await startTsredis({
      args: ["--supervised", "auto", "--replicaof", "127.0.0.1", `${master.port}`],
      env: manager.env,
    });
    await eventually(() => manager.output.includes("Finished with success"));
    assertEquals(manager.saidBy(replica), [
      LOADING,
      `${SERVING} in read-only mode. Waiting for MASTER <-> REPLICA sync`,
      "READY=1",
      "STATUS=MASTER <-> REPLICA sync: Finished with success. Ready to accept connections in " +
      "read-write mode.",
    ]);
    using client = await replica.connect();
    await client.call("REPLICAOF", "NO", "ONE");
    await eventually(() => manager.saidBy(replica).at(-1) === SERVING);
  },
});

Deno.test({
  name: "without supervised nobody is told, and without a manager it changes nothing",
  ignore,
  fn: async () => {
    const dir = await Deno.makeTempDir();
    try {
      await using manager = await Manager.start(`${dir}/notify`);
      await using plain = await startTsredis({ env: manager.env });
      assertEquals(await supervisedBy(plain), "no");
      await plain.stop();
      assertEquals(manager.output, "");

      await using alone = await startTsredis({ args: ["--supervised", "systemd"] });
      assertEquals(await supervisedBy(alone), "no");
      await alone.untilLogged("# systemd supervision error: NOTIFY_SOCKET not found!\n");
      assertEquals((await alone.stop()).code, 0);

      // Nobody listens there, or it is no socket that a datagram can be sent to.
      for (const NOTIFY_SOCKET of [`${dir}/nosuch`, "vsock:2:1234", "/dev/null", ""]) {
        const args = ["--supervised", "auto"];
        await using unheard = await startTsredis({ args, env: { NOTIFY_SOCKET } });
        assertEquals((await unheard.stop()).code, 0);
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

// -- the unit ----------------------------------------------------------------------------

const UNIT = new URL("../../packaging/tsredis.service", import.meta.url);

Deno.test({
  name: "systemd finds no fault with the unit",
  ignore: !hasProgram("systemd-analyze", "--version"),
  fn: async () => {
    const { success, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["verify", UNIT.pathname],
    }).output();
    assertEquals(new TextDecoder().decode(stderr), "");
    assert(success);
  },
});

/** What the unit starts when the configuration lies in `folder`: its arguments before `--dir`. */
async function startedWith(folder: string): Promise<string> {
  const unit = await Deno.readTextFile(UNIT);
  assertMatch(unit, /^Type=notify$/m);
  const script = /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(unit)![1].replaceAll("$$", "$")
    .replaceAll("/etc/tsredis", folder).replace("exec /usr/local/bin/tsredis", "echo");
  assertStringIncludes(script, "--supervised systemd");
  // What root may read says nothing.
  const nobody = Deno.uid() === 0 ? { uid: 65534, gid: 65534 } : {};
  const args = ["-c", script];
  const { stdout } = await new Deno.Command("/bin/sh", { args, ...nobody, cwd: "/" }).output();
  const [before, behind] = new TextDecoder().decode(stdout).split("--dir /var/lib/tsredis");
  assert(behind !== undefined, before);
  return before.trim();
}

Deno.test({
  name: "the unit starts without a configuration only if there is none",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const conf = `${folder}/tsredis.conf`;
    try {
      await Deno.chmod(folder, 0o755);
      assertEquals(await startedWith(folder), "");
      await Deno.writeTextFile(conf, "requirepass x\n");
      assertEquals(await startedWith(folder), conf);
      await Deno.chmod(conf, 0);
      assertEquals(await startedWith(folder), conf);
      await Deno.chmod(folder, 0);
      assertEquals(await startedWith(folder), conf);
      await Deno.chmod(folder, 0o755);
      await Deno.remove(conf);
      await Deno.symlink("/nosuch", conf);
      assertEquals(await startedWith(folder), conf);
    } finally {
      await Deno.chmod(folder, 0o755);
      await Deno.remove(folder, { recursive: true });
    }
  },
});
