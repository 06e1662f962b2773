/** Files by Deno's own API. */

import { assertEquals, assertThrows } from "@std/assert";
import { DenoFiles } from "../../src/runtime/deno_files.ts";
import { SystemError } from "../../src/runtime/system_error.ts";
import { filesSuite } from "./files_suite.ts";
import { hostFilesRig } from "./host_files_rig.ts";

filesSuite("Deno", () => hostFilesRig(new DenoFiles()));

Deno.test("an empty path names no file, also where Deno refuses it without a code", () => {
  const error = assertThrows(() => new DenoFiles().open("", "read"), SystemError);
  assertEquals([error.code, error.message], ["ENOENT", "No such file or directory"]);
});

Deno.test({
  name: "what Deno's sandbox refuses is refused in the system's words",
  ignore: Deno.build.os !== "linux",
  fn() {
    // Deno gives nobody /proc who has not all permissions, and the tests have not.
    const error = assertThrows(() => new DenoFiles().info("/proc"), SystemError);
    assertEquals([error.code, error.message], ["EACCES", "Permission denied"]);
  },
});
