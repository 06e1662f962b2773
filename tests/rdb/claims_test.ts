/** Two servers that would write the same file: the second is told of the first, and what it may do about it. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runtime } from "../../src/runtime/here.ts";
import type { OpenFile } from "../../src/runtime/runtime.ts";
import { World } from "../../src/runtime/simulated.ts";
import { SystemError } from "../../src/runtime/system_error.ts";
import { Random } from "../support/random.ts";
import { type TestServer, testServer, type TestServerOptions } from "../support/test_server.ts";

const PID = runtime.process.id;

/** A folder, and servers on it. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "tsredis-test-" });
  readonly #servers: TestServer[] = [];

  server(
    directives: TestServerOptions["directives"] = {},
    options: TestServerOptions = {},
  ): TestServer {
    const server = testServer({ folder: this.path, directives, keepsStream: false, ...options });
    this.#servers.push(server);
    return server;
  }

  get names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    for (const { core } of this.#servers) core.close();
    Deno.removeSync(this.path, { recursive: true });
  }
}

const claim = ({ core }: TestServer) => core.persistence.claims.update();

Deno.test("who would save to the file of another is told its pid; the end of that one makes it free", () => {
  using folder = new Folder();
  const first = folder.server({ "save": "900 1" });
  assertEquals(claim(first), null);
  assertEquals(folder.names, [".dump.rdb.lock"]);
  const second = folder.server({ "save": "900 1" });
  assertEquals(
    claim(second),
    `${folder.path}/dump.rdb is written by another server (pid ${PID}). Give this one a \`dir\` or ` +
      '`dbfilename` of its own, or `save ""`.',
  );
  first.core.close();
  assertEquals(folder.names, []);
  assertEquals(claim(second), null);
});

Deno.test("servers with other file names, or that only read, share a folder", () => {
  using folder = new Folder();
  const directives: Record<string, string>[] = [
    { "save": "900 1" },
    { "save": "900 1", "dbfilename": "other.rdb" },
    { "save": "", "dbfilename": "dump.rdb" },
    { "save": "", "appendonly": "yes" },
    { "save": "", "appendonly": "yes", "appenddirname": "otherdir" },
    { "save": "", "appendonly": "yes", "appendfilename": "other.aof" },
  ];
  const servers = directives.map((each) => folder.server(each));
  assertEquals(servers.map(claim), servers.map(() => null));
  assertEquals(folder.names, [
    ".appendonlydir+appendonly.aof.lock",
    ".appendonlydir+other.aof.lock",
    ".dump.rdb.lock",
    ".other.rdb.lock",
    ".otherdir+appendonly.aof.lock",
  ]);
  const problem = claim(folder.server({ "save": "", "appendonly": "yes" }));
  assertStringIncludes(
    String(problem),
    `${folder.path}/appendonlydir/appendonly.aof is written by another server`,
  );
  // What was to be had is not kept by who does not begin.
  const both = folder.server({ "save": "1 1", "dbfilename": "third.rdb", "appendonly": "yes" });
  assert(claim(both) !== null);
  assert(!folder.names.includes(".third.rdb.lock"));
});

Deno.test("SAVE and BGSAVE of a server without save points do not write the file of another", () => {
  using folder = new Folder();
  const first = folder.server({ "save": "900 1" });
  claim(first);
  const second = folder.server({ "save": "" });
  assertEquals(claim(second), null);
  second.run("SET", "k", "of the second");
  for (const command of ["SAVE", "BGSAVE"]) {
    const reply = second.run(command);
    assertStringIncludes(JSON.stringify(reply), "ERR");
    assertStringIncludes(JSON.stringify(reply), "dump.rdb is written by another server (pid ");
  }
  assertEquals(folder.names, [".dump.rdb.lock"]);
  first.core.close();
  assertEquals(second.run("SAVE"), "OK");
  // It stays the second one's.
  assert(claim(folder.server({ "save": "900 1" })) !== null);
});

Deno.test("CONFIG SET of what would be written is refused while another server writes it", () => {
  using folder = new Folder();
  using other = new Folder();
  claim(folder.server({ "save": "900 1", "appendonly": "yes" }));
  const second = folder.server({ "save": "", "enable-protected-configs": "yes" });
  claim(second);
  const refused = (...words: string[]) => {
    const reply = second.run("CONFIG", "SET", ...words);
    assertStringIncludes(JSON.stringify(reply), "is written by another server");
  };
  refused("save", "900 1");
  refused("appendonly", "yes");
  assertEquals(second.run("CONFIG", "GET", "save"), ["save", ""]);
  assertEquals(second.core.aof.isOn, false);
  assertEquals(second.run("CONFIG", "SET", "dbfilename", "second.rdb", "save", "900 1"), "OK");
  assert(folder.names.includes(".second.rdb.lock"));
  refused("dbfilename", "dump.rdb");
  assert(folder.names.includes(".second.rdb.lock"));
  assertEquals(second.run("CONFIG", "SET", "dir", other.path), "OK");
  assertEquals([folder.names.length, other.names], [2, [".second.rdb.lock"]]);
  assertEquals(second.run("CONFIG", "SET", "save", ""), "OK");
  assertEquals(other.names, []);
});

Deno.test("what a killed process has left behind is no claim, whatever pid it names", () => {
  using folder = new Folder();
  Deno.writeTextFileSync(`${folder.path}/.dump.rdb.lock`, `${PID} 0123456789abcdef\n`);
  const server = folder.server({ "save": "900 1" });
  assertEquals(claim(server), null);
  assertEquals(Deno.readTextFileSync(`${folder.path}/.dump.rdb.lock`).split(" ")[0], String(PID));
  assertEquals(Deno.readTextFileSync(`${folder.path}/.dump.rdb.lock`).split("\n").length, 2);
});

Deno.test("a lock file that its holder has removed in between is made anew", () => {
  using folder = new Folder();
  const path = `${folder.path}/.dump.rdb.lock`;
  let removals = 0;
  const { files } = runtime;
  const server = folder.server({ "save": "900 1" }, {
    files: new Proxy(files, {
      get(target, name) {
        const member = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...given: unknown[]) => {
          const result = Reflect.apply(member, target, given);
          if (name === "open" && given[0] === path && removals++ < 2) Deno.removeSync(path);
          return result;
        };
      },
    }),
  });
  assertEquals(claim(server), null);
  assert(removals >= 3);
  assert(claim(folder.server({ "save": "900 1" })) !== null);
});

Deno.test("where nothing can be written or locked the server goes on, and says so once", () => {
  for (const code of ["EROFS", "EACCES", "no locks"]) {
    using folder = new Folder();
    const { files } = runtime;
    const server = folder.server({ "save": "900 1" }, {
      files: new Proxy(files, {
        get(target, name) {
          const member = Reflect.get(target, name);
          if (typeof member !== "function") return member;
          return (...given: unknown[]) => {
            if (name !== "open") return Reflect.apply(member, target, given);
            if (code !== "no locks") throw new SystemError(code, `${code} of a test`);
            const file = Reflect.apply(member, target, given) as OpenFile;
            file.tryLock = () => false;
            return file;
          };
        },
      }),
    });
    assertEquals([claim(server), claim(server)], [null, null]);
    const told = server.logLines.filter((line) => line.includes("Cannot make sure that no other"));
    assertEquals(told.length, 1);
    assertEquals(folder.names.filter((name) => name.includes("lock.")), []);
  }
});

Deno.test("a start waits a while for a server that is just ending", async () => {
  using folder = new Folder();
  const first = folder.server({ "save": "900 1" });
  claim(first);
  const second = folder.server({ "save": "900 1" });
  const begun = second.core.persistence.claims.begin();
  setTimeout(() => first.core.close(), 100);
  await begun;
  assert(claim(folder.server({ "save": "900 1" })) !== null);
});

Deno.test("a start that waits in vain is refused, with all that it had", async () => {
  const world = new World(new Random(1).draw);
  const machine = world.machine("a");
  const { files, timers } = machine.start();
  files.makeFolder("/data");
  const server = () =>
    testServer({ folder: "/data", files, timers, directives: { "save": "900 1" } });
  const first = server();
  claim(first);
  const refused = assertRejects(
    () => server().core.load(),
    Error,
    "/data/dump.rdb is written by another server",
  );
  await world.run(3_000);
  await refused;
});
