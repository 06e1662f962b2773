/** The project's own files, for the tests that look at them as text. */

import { join } from "@std/path";
import { ROOT } from "../../tools/server_flags.ts";

/** A file of the project, `path` relative to its root, with slashes. */
export interface SourceFile {
  path: string;
  text: string;
}

/** All files below a folder of the project whose name ends in one of `endings`, by path. */
export async function sourceFiles(folder: string, ...endings: string[]): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for await (const entry of Deno.readDir(join(ROOT, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) files.push(...await sourceFiles(path, ...endings));
    else if (endings.some((ending) => entry.name.endsWith(ending))) {
      files.push({ path, text: await Deno.readTextFile(join(ROOT, path)) });
    }
  }
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** An import or re-export of a module. */
export interface Import {
  specifier: string;
  /** Whether it is gone once types are stripped (`import type …`, `import { type … }`). */
  typeOnly: boolean;
}

/** The static imports and re-exports of a module. */
export function importsOf(text: string): Import[] {
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s)?([\w*{][^;"'`]*?\sfrom\s+)?"([^"]+)"/gm,
  );
  return [...statements].map(([, type, names, specifier]) => ({
    specifier,
    typeOnly: type !== undefined || /^\{(\s*type\s[^,}]+,?)+\s*\}/.test(names ?? ""),
  }));
}
