import { assert, assertEquals, assertMatch } from "@std/assert";
import { Config } from "../../src/config/config.ts";
import {
  type Directive,
  DIRECTIVE_NAMES,
  DIRECTIVES,
  FILE_ONLY,
  NAMES,
  nearestName,
  notActing,
  notActingMarkdown,
  refusalOf,
} from "../../src/config/table.ts";
import facts from "../fixtures/facts/config.json" with { type: "json" };
import { runtime } from "../../src/runtime/here.ts";

/** What a real server said of one directive. */
interface Fact {
  default: string;
  settable: boolean;
  invalid_value_error?: string;
  takes_any_text?: boolean;
  protected?: string;
  same_setting_as?: string[];
}
const FACTS = Object.entries(facts as Record<string, Fact>);

/** Where 7.2 differs from the 7.0 server that the facts come from. */
const NEWER: Record<string, (error: string) => string> = {
  loglevel: (error) => error + ", nothing",
};

Deno.test("the table knows every directive of a real server, and no other but those of 7.2", () => {
  const known = new Set(FACTS.map(([name]) => name));
  assertEquals([...known].filter((name) => !NAMES.has(name)), []);
  for (const [name, directive] of NAMES) {
    const { since, hidden } = DIRECTIVES[directive] as Directive<unknown>;
    if (!known.has(name)) assert(since !== null || hidden, `${name} is not a directive of 7.0`);
  }
});

Deno.test("CONFIG GET shows the defaults of a real server", () => {
  const config = new Config(runtime, "/somewhere");
  for (const [name, fact] of FACTS) {
    const expected = name === "dir" ? "/somewhere" : fact.default;
    assertEquals(config.get([name]), [[name, expected]], name);
  }
});

Deno.test("CONFIG SET takes the directives that a real server takes", () => {
  const config = new Config(runtime, "/");
  for (const [name, fact] of FACTS) {
    if (fact.settable) {
      // A value in use can always be set again.
      assertEquals(config.set([[name, config.get([name])[0][1]]]), null, name);
    } else {
      const what = fact.protected ? "protected" : "immutable";
      assertEquals(
        config.set([[name, fact.default]]),
        `ERR CONFIG SET failed (possibly related to argument '${name}') - can't set ${what} config`,
      );
    }
  }
});

Deno.test("CONFIG SET refuses an invalid value in the words of a real server", () => {
  // What the recorder sent to each directive that refused it; binding is the server's business.
  const invalid = "certainly-no-value";
  const config = new Config(runtime, "/");
  let refused = 0;
  for (const [name, fact] of FACTS) {
    const isRefused = refusalOf(name)?.isFor(invalid) ?? false;
    if (fact.takes_any_text && !isRefused) assertEquals(config.set([[name, invalid]]), null, name);
    if (!fact.invalid_value_error || name === "bind") continue;
    const expected = (NEWER[name] ?? ((same: string) => same))(fact.invalid_value_error);
    const before = config.get([name]);
    assertEquals(config.set([[name, invalid]]), expected, name);
    assertEquals(config.get([name]), before, name);
    refused++;
  }
  assert(refused > 100, "most directives refuse some value");
});

Deno.test("names of one setting share their value, as on a real server", () => {
  const config = new Config(runtime, "/");
  for (const [name, fact] of FACTS) {
    for (const other of fact.same_setting_as ?? []) {
      assertEquals(NAMES.get(name), NAMES.get(other), `${name} and ${other}`);
    }
  }
  assertEquals(config.set([["slave-priority", "7"]]), null);
  assertEquals(config.get(["replica-priority"]), [["replica-priority", "7"]]);
});

Deno.test("settings that 7.2 added have its defaults", () => {
  const config = new Config(runtime, "/");
  assertEquals(config.value("set-max-listpack-entries"), 128);
  assertEquals(config.value("set-max-listpack-value"), 64);
  // The spelling with dashes came with 7.4.
  assertEquals(config.get(["bio-cpulist", "bio_cpulist"]), [["bio_cpulist", ""]]);
});

Deno.test("what does not act says why, in a sentence that the README can print", () => {
  const listed = notActing();
  assert(listed.length > 0);
  for (const { name, reason } of listed) {
    assertMatch(reason, /^[a-zA-Z'].*[a-z0-9]$/, name);
    assert(name in DIRECTIVES || name in FILE_ONLY, name);
    assert(notActingMarkdown().includes("`" + name + "`"), name);
  }
  const names = listed.map(({ name }) => name);
  for (const name of ["port", "maxmemory", "save", "requirepass"]) assert(!names.includes(name));
  assertEquals(new Set(names).size, names.length);
});

for (
  const [typed, meant] of [
    ["prot", "port"],
    ["maxmemroy", "maxmemory"],
    ["max-memory", "maxmemory"],
    ["slave-of", "slaveof"],
    ["incldue", "include"],
    ["hash-max-ziplist-entires", "hash-max-ziplist-entries"],
    ["frobnicate", null],
    ["x", null],
    ["", null],
  ]
) {
  Deno.test(`the mistyped name "${typed}" is taken for ${meant ?? "nothing"}`, () => {
    assertEquals(nearestName(typed!), meant);
  });
}

Deno.test("no name stands for two directives", () => {
  const all = DIRECTIVE_NAMES.flatMap((name) => [name, ...DIRECTIVES[name].aliases]);
  assertEquals(new Set(all).size, all.length);
  for (const name of all) assert(!(name in FILE_ONLY), name);
});
