/**
 * Permissions that are narrower than those of `deno task start`: SECURITY.md has the flags. The server does
 * all that it needs to with them, and reaches nothing else. (Deno lets a program give up what it was
 * started with only as a whole, or entry by entry of a list, so it is for who starts it to name the
 * folders.)
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { importMapFlags, ROOT } from "../../tools/server_flags.ts";
import { Certificates, hasOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free_port.ts";
import { bulk, status, textOf } from "../support/resp_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { connectTls, tlsArgs } from "../support/tls_servers.ts";
import { testExecutable } from "../support/tsredis_process.ts";

/** The flags that SECURITY.md names, for these folders. */
async function narrowedFlags(dir: string, config: string, more: string[]): Promise<string[]> {
  const text = await Deno.readTextFile(`${ROOT}SECURITY.md`);
  const command = /```\n(deno run [^`]*?) main\.ts/.exec(text.replaceAll("\\\n", " "))![1];
  return command.split(/\s+/).slice(2).map((flag) =>
    flag.replace("read=src,", `read=${ROOT}src,`).replaceAll("/var/lib/tsredis", dir).replaceAll(
      "/etc/tsredis",
      [config, ...more].join(","),
    )
  );
}

if (testExecutable === undefined) {
  Deno.test({
    name:
      "with the permissions of SECURITY.md the server serves, saves and reloads, and reads nothing else",
    ignore: !hasOpenssl || Deno.build.os !== "linux",
    async fn() {
      using certificates = Certificates.usual();
      const outside = await Deno.makeTempDir();
      const dir = await Deno.makeTempDir();
      const config = await Deno.makeTempDir();
      try {
        for (const name of ["ca.crt", "server.crt", "server.key"]) {
          await Deno.copyFile(certificates.path(name), `${outside}/${name}`);
        }
        await Deno.writeTextFile(`${outside}/users.acl`, "user spy on nopass ~* &* +@all\n");
        await Deno.writeTextFile(`${config}/tsredis.conf`, "enable-protected-configs yes\n");
        const flags = await narrowedFlags(dir, config, [certificates.folder]);
        const tlsPort = freePort();
        const launch = {
          name: "tsredis",
          command: [
            ...[Deno.execPath(), "run", "-q", ...flags, ...await importMapFlags()],
            ...[`${ROOT}main.ts`, `${config}/tsredis.conf`],
          ],
          args: [...tlsArgs(certificates, tlsPort), "--save", "3600 1", "--bind", "127.0.0.1"],
          dir,
        };
        {
          await using server = await ServerProcess.start(launch);
          using client = await connectTls(certificates, tlsPort);
          assertEquals(await client.call("SET", "k", "v"), status("OK"));
          assertEquals(await client.call("SAVE"), status("OK"));
          await client.call("BGSAVE");
          await server.untilLogged("Background saving terminated with success");
          assertEquals(await client.call("CONFIG", "REWRITE"), status("OK"));
          assertMatch(textOf(await client.call("INFO")), /used_memory_rss:[1-9]/);

          const refusal = async (...words: string[]) => {
            const reply = await client.call(...words);
            return "text" in reply ? reply.text : reply.kind;
          };
          assertMatch(await refusal("CONFIG", "SET", "dir", outside), /^ERR .*Permission denied$/);
          const file = `${outside}/server.crt`;
          assertMatch(
            await refusal("CONFIG", "SET", "tls-cert-file", file),
            /^ERR CONFIG SET failed/,
          );
          await server.untilLogged(`Failed to load certificate: ${file}: error:8000000D`);
          assertEquals(await client.call("PING"), status("PONG"));
        }
        {
          await using server = await ServerProcess.start(launch);
          using client = await server.connect();
          await eventually(async () => "text" in await client.call("GET", "k"));
          assertEquals(await client.call("GET", "k"), bulk("v"));
        }
        await using spied = await ServerProcess.spawn({
          ...launch,
          command: launch.command.slice(0, -1), // CONFIG REWRITE has put users into that file
          args: ["--aclfile", `${outside}/users.acl`],
        });
        assertEquals((await spied.ended()).code, 1);
        assertStringIncludes(spied.log, "Permission denied");
      } finally {
        for (const folder of [outside, dir, config]) await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
