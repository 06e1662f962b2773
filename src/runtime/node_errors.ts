/** What `node:` modules throw, as a SystemError: with errno's code and the system's words. */

import { SystemError, systemErrorOf } from "./system_error.ts";

/** The SystemError for what a `node:` module threw. What the system has no part in stays as it is. */
export function nodeError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof SystemError) return error;
  const { code } = error as { code?: unknown };
  // A path with a zero byte, which the module refuses itself.
  if (code === "ERR_INVALID_ARG_VALUE") return systemErrorOf("EINVAL", error.message, error);
  if (typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  // "ENOENT: no such file or directory, open '/x'"
  const words = error.message.replace(`${code}: `, "").replace(/, \w+( '.*)?$/s, "");
  return systemErrorOf(code, words, error);
}

/** Runs `operation`; what it throws of the system is thrown as a SystemError. */
export function translatedFromNode<T>(operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw nodeError(error);
  }
}
