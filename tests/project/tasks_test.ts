/** The tasks of deno.json: Deno prints a task's command at each run, and lists them all by name. */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { ROOT } from "../../tools/server_flags.ts";

type Task = { description?: string; command: string };

const { tasks }: { tasks: Record<string, Task> } = JSON.parse(
  Deno.readTextFileSync(join(ROOT, "deno.json")),
);

Deno.test("every task says in a line what it does, and has a command that fits one", () => {
  for (const [name, { description, command }] of Object.entries(tasks)) {
    assert(description !== undefined && description.length <= 100, `description of ${name}`);
    assert(command.length <= 130, `${name} has a command of ${command.length} characters`);
  }
});

Deno.test("the map of packages is made in one task, which the others use", () => {
  const making = Object.entries(tasks).filter(([, { command }]) => command.includes("import_map"));
  assertEquals(making.map(([name]) => name), ["map"]);
});

Deno.test("README names every task", async () => {
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  for (const name of Object.keys(tasks)) {
    const isNamed = readme.includes(`\`${name}\``) || readme.includes(`deno task ${name}`);
    assert(isNamed, `README does not name the task ${name}`);
  }
});
