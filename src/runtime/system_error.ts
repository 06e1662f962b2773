/**
 * What the system refuses, in the system's words: the same class, codes and texts under every runtime,
 * as log lines and error replies show them ("No such file or directory").
 */

/** Words for codes, as strerror(3) has them on Linux. */
const WORDS: Record<string, string> = {
  EACCES: "Permission denied",
  EADDRINUSE: "Address already in use",
  EADDRNOTAVAIL: "Cannot assign requested address",
  EAFNOSUPPORT: "Address family not supported by protocol",
  EAGAIN: "Resource temporarily unavailable",
  EBADF: "Bad file descriptor",
  EBUSY: "Device or resource busy",
  ECONNABORTED: "Software caused connection abort",
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EEXIST: "File exists",
  EHOSTUNREACH: "No route to host",
  EINVAL: "Invalid argument",
  EIO: "Input/output error",
  EISDIR: "Is a directory",
  ELOOP: "Too many levels of symbolic links",
  EMFILE: "Too many open files",
  EMLINK: "Too many links",
  ENAMETOOLONG: "File name too long",
  ENETUNREACH: "Network is unreachable",
  ENFILE: "Too many open files in system",
  ENODEV: "No such device",
  ENOENT: "No such file or directory",
  ENOMEM: "Cannot allocate memory",
  ENOSPC: "No space left on device",
  ENOTCONN: "Transport endpoint is not connected",
  ENOTDIR: "Not a directory",
  ENOTEMPTY: "Directory not empty",
  ENOTFOUND: "Name or service not known",
  EINTR: "Interrupted system call",
  ENOTSUP: "Operation not supported",
  EPERM: "Operation not permitted",
  EPIPE: "Broken pipe",
  EROFS: "Read-only file system",
  ETIMEDOUT: "Connection timed out",
  ETXTBSY: "Text file busy",
  EXDEV: "Invalid cross-device link",
};

export class SystemError extends Error {
  override readonly name = "SystemError";

  /** `code` as errno names it; `words` where the system has words of its own for it. */
  constructor(readonly code: string, words: string = WORDS[code] ?? code, options?: ErrorOptions) {
    super(words, options);
  }
}

/** A SystemError: with our words for the code where we have some, else with those of the runtime. */
export function systemErrorOf(code: string, words: string, cause: unknown): SystemError {
  return new SystemError(code, WORDS[code] ?? words, { cause });
}

/** Whether an error is the system's, with this code. */
export function isSystemError(error: unknown, code: string): boolean {
  return error instanceof SystemError && error.code === code;
}

/** Whether these words, those of an error perhaps among others, say that there is no room on the disk. */
export function tellsOfNoSpace(problem: string | null): boolean {
  return problem !== null && problem.includes(WORDS.ENOSPC);
}

/** An error's words, whatever was thrown. */
export function problemOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What the attempt to sync a folder has thrown; some file systems do not let folders be synced. */
export function throwUnlessUnsyncable(error: unknown): void {
  const codes = ["EINVAL", "EBADF", "EISDIR", "ENOTSUP"];
  if (!codes.some((code) => isSystemError(error, code))) throw error;
}
