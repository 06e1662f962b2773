/** Commands of a cluster, where there is none: as redis 7.2.4 without `cluster-enabled` answers. */

import { assertEquals } from "@std/assert";
import { cluster } from "../../../src/commands/cluster/cluster.ts";
import { testServer } from "../../support/test_server.ts";

const DISABLED = { error: "ERR This instance has cluster support disabled" };
const wrongArity = (name: string) => ({
  error: `ERR wrong number of arguments for '${name}' command`,
});

for (const name of ["READONLY", "READWRITE", "ASKING"]) {
  Deno.test(`${name} answers that there is no cluster`, () => {
    assertEquals(testServer().run(name), DISABLED);
    assertEquals(testServer().run(name, "x"), wrongArity(name.toLowerCase()));
  });
}

for (const { name, arity } of cluster.subcommands!) {
  const [, word] = name.split("|");
  Deno.test(`CLUSTER ${word} answers that there is no cluster`, () => {
    const s = testServer();
    const more = Array(Math.abs(arity) - 2).fill("1");
    assertEquals(s.run("CLUSTER", word.toUpperCase(), ...more), DISABLED);
    if (arity !== -2) {
      assertEquals(
        s.run("CLUSTER", word, ...more.slice(1), ...more.length === 0 ? ["x"] : []),
        wrongArity(name),
      );
    }
  });
}

Deno.test("CLUSTER without a subcommand, or with an unknown one, is refused as such", () => {
  const s = testServer();
  assertEquals(s.run("CLUSTER"), wrongArity("cluster"));
  assertEquals(s.run("CLUSTER", "NOSUCH"), {
    error: "ERR unknown subcommand 'NOSUCH'. Try CLUSTER HELP.",
  });
});

Deno.test("CLUSTER is queued in a transaction, and its refusal is one of EXEC's answers", () => {
  const s = testServer();
  s.run("MULTI");
  assertEquals(s.run("CLUSTER", "INFO"), "QUEUED");
  assertEquals(s.run("EXEC"), [DISABLED]);
});
