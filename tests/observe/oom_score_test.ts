/** `oom-score-adj`: what the kernel is told, by role, and that it is taken back. */

import { assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { runtime } from "../../src/runtime/here.ts";
import type { Files } from "../../src/runtime/runtime.ts";
import { World } from "../../src/runtime/simulated.ts";
import { Random } from "../support/random.ts";
import { testServer, type TestServerOptions } from "../support/test_server.ts";

const PATH = "/proc/self/oom_score_adj";
const NOT_APPLIED = "Failed to apply new oom_score_adj configuration, check server logs.";

/** A system whose kernel thinks `base` of the process; null: one that does not tell. */
function filesWith(base: number | null): Files {
  const { files } = new World(new Random(1).draw).machine("a").start();
  if (base === null) return files;
  for (const path of ["/proc", "/proc/self"]) files.makeFolder(path);
  using file = files.open(PATH, "write");
  const text = latin1(`${base}\n`);
  file.write(text, 0, text.length);
  return files;
}

function serverOn(
  files: Files,
  directives: TestServerOptions["directives"] = {},
  folder?: string,
) {
  const s = testServer({ files, directives, folder });
  const score = () => Number(toLatin1(files.read(PATH)));
  const set = (...words: string[]) => s.run("CONFIG", "SET", ...words);
  return { s, score, set };
}

Deno.test("CONFIG SET oom-score-adj adds a value to what the process had, another one on a replica", () => {
  const { s, score, set } = serverOn(filesWith(7));
  assertEquals(set("oom-score-adj-values", "10 20 30"), "OK");
  assertEquals(score(), 7);
  assertEquals(set("oom-score-adj", "yes"), "OK");
  assertEquals(score(), 17);
  assertEquals(set("oom-score-adj-values", "15 20 30"), "OK");
  assertEquals(score(), 22);
  s.run("REPLICAOF", "127.0.0.1", "1");
  assertEquals(score(), 27);
  s.run("REPLICAOF", "NO", "ONE");
  assertEquals(score(), 22);
  assertEquals(set("oom-score-adj", "absolute"), "OK");
  assertEquals(score(), 15);
  assertEquals(set("oom-score-adj", "relative", "oom-score-adj-values", "-1500 2000 0"), "OK");
  assertEquals(score(), -1000);
  s.run("REPLICAOF", "127.0.0.1", "1");
  assertEquals(score(), 1000);
  assertEquals(set("oom-score-adj", "no"), "OK");
  assertEquals(score(), 7);
});

Deno.test("oom-score-adj of the configuration holds from the start to the end of the server", async () => {
  const files = filesWith(0);
  files.makeFolder("/data");
  const { s, score } = serverOn(files, { "oom-score-adj": "yes", "save": "" }, "/data");
  await s.core.load();
  assertEquals(score(), 0, "the value of a master is 0 unless another is given");
  s.run("CONFIG", "SET", "oom-score-adj-values", "5 200 800");
  assertEquals(score(), 5);
  s.core.close();
  assertEquals(score(), 0);
});

Deno.test("where oom-score-adj cannot be set CONFIG SET is refused, and nothing changes", () => {
  const { s, set } = serverOn(filesWith(null));
  const reply = JSON.stringify(set("oom-score-adj", "yes"));
  assertEquals(reply.includes(NOT_APPLIED), true, reply);
  assertEquals(s.run("CONFIG", "GET", "oom-score-adj"), ["oom-score-adj", "no"]);
  assertEquals(s.logLines.filter((line) => line.includes("Unable to set oom_score_adj")).length, 1);
});

Deno.test("on Linux the kernel is told, where the runtime lets it be told", () => {
  if (runtime.process.os !== "linux") return;
  const { s, score, set } = serverOn(runtime.files);
  const reply = set("oom-score-adj-values", "3 20 30", "oom-score-adj", "yes");
  if (reply === "OK") {
    const told = score();
    assertEquals(set("oom-score-adj", "no"), "OK");
    assertEquals(told, Math.min(1000, score() + 3));
  } else {
    // Deno keeps /proc from those who have not all permissions.
    assertEquals(JSON.stringify(reply).includes(NOT_APPLIED), true);
    assertEquals(
      s.logLines.some((line) => line.includes("Unable to set oom_score_adj")),
      true,
    );
  }
});
