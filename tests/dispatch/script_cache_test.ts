import { assertEquals } from "@std/assert";
import { testServer } from "../support/test_server.ts";

function statsOf(s: ReturnType<typeof testServer>): Map<string, number> {
  const text = `${s.run("INFO", "memory")}${s.run("INFO", "stats")}`;
  return new Map(
    text.split("\r\n").map((line) => line.split(":")).map(([name, n]) => [name, Number(n)]),
  );
}

Deno.test("of the scripts of EVAL those that were not used for the longest time go beyond 500", () => {
  const s = testServer();
  const loaded = s.run("SCRIPT", "LOAD", "return 'loaded'") as string;
  const script = (i: number) => `return ${i}`;
  for (let i = 0; i < 500; i++) assertEquals(s.run("EVAL", script(i), 0), i);
  const first = s.run("SCRIPT", "LOAD", "return 'x'") as string;
  assertEquals(statsOf(s).get("number_of_cached_scripts"), 502);
  assertEquals(statsOf(s).get("evicted_scripts"), 0);

  s.run("EVAL", script(0), 0); // used again
  s.run("SCRIPT", "LOAD", script(1)); // is kept from now on
  for (let i = 500; i < 510; i++) s.run("EVAL", script(i), 0);
  const after = statsOf(s);
  assertEquals(after.get("number_of_cached_scripts"), 503);
  assertEquals(after.get("evicted_scripts"), 9);
  const names = [0, 1, 2, 10, 11].map((i) => {
    const cached = testServer().run("SCRIPT", "LOAD", script(i)) as string;
    return cached;
  });
  assertEquals(s.run("SCRIPT", "EXISTS", loaded, first, ...names), [1, 1, 1, 1, 0, 0, 1]);
  // What was pushed out is compiled again.
  assertEquals(s.run("EVAL", script(2), 0), 2);
});

Deno.test("the memory of scripts and functions is counted, and is none of the dataset", () => {
  const s = testServer();
  const before = statsOf(s);
  assertEquals(before.get("used_memory_scripts_eval"), 0);
  const comment = `-- ${"x".repeat(100_000)}\n`;
  s.run("SCRIPT", "LOAD", `${comment}return 1`);
  s.run("FUNCTION", "LOAD", `#!lua name=a\n${comment}redis.register_function('f', function() end)`);
  const after = statsOf(s);
  for (const name of ["used_memory_scripts_eval", "used_memory_functions"]) {
    assertEquals(after.get(name)! > 100_000, true, name);
  }
  assertEquals(after.get("used_memory_scripts")! > 200_000, true);
  assertEquals(after.get("used_memory_vm_eval")! > 0, true);
  assertEquals(after.get("used_memory_vm_functions")! > 0, true);
  assertEquals([after.get("number_of_functions"), after.get("number_of_libraries")], [1, 1]);
  assertEquals(after.get("used_memory_dataset")! - before.get("used_memory_dataset")! < 5000, true);
  assertEquals(after.get("used_memory_startup"), before.get("used_memory_startup"));
  const stats = s.run("MEMORY", "STATS") as (string | number)[];
  const valueOf = (name: string) => stats[stats.indexOf(name) + 1];
  assertEquals(valueOf("lua.caches"), after.get("used_memory_scripts_eval"));
  assertEquals(valueOf("functions.caches"), after.get("used_memory_functions"));

  s.run("SCRIPT", "FLUSH", "SYNC");
  s.run("FUNCTION", "FLUSH", "ASYNC");
  const flushed = statsOf(s);
  for (const name of ["used_memory_scripts", "used_memory_vm_total", "number_of_libraries"]) {
    assertEquals(flushed.get(name), 0, name);
  }
});
