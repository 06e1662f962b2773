/** Files of this machine, in a folder that goes away again. */

import type { Files } from "../../src/runtime/runtime.ts";
import type { FilesRig } from "./files_suite.ts";

export function hostFilesRig(files: Files): FilesRig {
  const folder = Deno.makeTempDirSync({ prefix: "tsredis-files-" });
  return {
    files,
    folder,
    settled: (promise) => promise,
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}
