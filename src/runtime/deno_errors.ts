/** What Deno throws, as a SystemError: with errno's code and the system's words, nothing else. */

import { SystemError, systemErrorOf } from "./system_error.ts";

/**
 * Codes of the classes whose objects may come without one. (Asked for when needed: this module is also
 * loaded where there is no Deno.)
 */
const codes = (): [new (...args: never[]) => Error, string][] => [
  [Deno.errors.NotFound, "ENOENT"],
  [Deno.errors.PermissionDenied, "EACCES"],
  // Something outside of what Deno's sandbox lets the program reach. The system has no part in it,
  // but for whoever reads the log it is the same: not permitted.
  [Deno.errors.NotCapable, "EACCES"],
  [Deno.errors.AlreadyExists, "EEXIST"],
  [Deno.errors.IsADirectory, "EISDIR"],
  [Deno.errors.NotADirectory, "ENOTDIR"],
  [Deno.errors.FilesystemLoop, "ELOOP"],
  [Deno.errors.BadResource, "EBADF"],
  [Deno.errors.Busy, "EBUSY"],
  [Deno.errors.AddrInUse, "EADDRINUSE"],
  [Deno.errors.AddrNotAvailable, "EADDRNOTAVAIL"],
  [Deno.errors.BrokenPipe, "EPIPE"],
  [Deno.errors.ConnectionAborted, "ECONNABORTED"],
  [Deno.errors.ConnectionRefused, "ECONNREFUSED"],
  [Deno.errors.ConnectionReset, "ECONNRESET"],
  [Deno.errors.NotConnected, "ENOTCONN"],
  [Deno.errors.TimedOut, "ETIMEDOUT"],
  [Deno.errors.NetworkUnreachable, "ENETUNREACH"],
  [Deno.errors.NotSupported, "ENOTSUP"],
  [Deno.errors.Interrupted, "EINTR"],
  [Deno.errors.UnexpectedEof, "EIO"],
  [Deno.errors.WriteZero, "EIO"],
];

/** The SystemError for what Deno threw. What the system has no part in comes back as it is. */
export function denoError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof SystemError) return error;
  const words = error.message.replace(/ \(os error \d+\).*$/s, "");
  const { code } = error as { code?: unknown };
  if (typeof code === "string") return systemErrorOf(code, words, error);
  for (const [kind, code] of codes()) {
    if (error instanceof kind) return systemErrorOf(code, words, error);
  }
  // Deno refuses this one itself, with an error that has neither class nor code.
  if (error.message === "Empty path is not allowed") return systemErrorOf("ENOENT", words, error);
  // An error of the system that Deno has no name for.
  if (words !== error.message) return systemErrorOf("EIO", words, error);
  return error;
}

/** Runs `operation`; what Deno throws in it is thrown as a SystemError. */
export function translated<T>(operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw denoError(error);
  }
}
