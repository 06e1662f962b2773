/** Files by `node:fs`, as Bun has them: here under Deno, whose `node:fs` has to do the same. */

import { NodeFiles } from "../../src/runtime/node_files.ts";
import { filesSuite } from "./files_suite.ts";
import { hostFilesRig } from "./host_files_rig.ts";

filesSuite("node", () => hostFilesRig(new NodeFiles()));
