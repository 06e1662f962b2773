/** Compares the function libraries of two datasets. */

import { equalBytes } from "../../base/bytes.ts";
import { libraryName } from "../../keyspace/function_libraries.ts";
import type { DiffReport } from "./diff_report.ts";

export class LibraryComparison {
  readonly #a = new Map<string, Uint8Array>();
  readonly #b = new Map<string, Uint8Array>();

  /** A dataset that is gone through again may say the same again. */
  add(isOfA: boolean, code: Uint8Array): void {
    (isOfA ? this.#a : this.#b).set(libraryName(code) ?? "", code.slice());
  }

  tell(report: DiffReport): void {
    for (const [name, code] of this.#a) {
      const other = this.#b.get(name);
      if (other === undefined) report.library(name, "a");
      else if (!equalBytes(code, 0, code.length, other, 0, other.length)) {
        report.library(name, "both");
      }
    }
    for (const name of this.#b.keys()) if (!this.#a.has(name)) report.library(name, "b");
  }
}
