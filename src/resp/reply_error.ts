/**
 * Error replies: what is thrown where a request cannot be carried out, and the texts that several
 * commands share.
 */

/**
 * An error reply, which has no stack because it is an answer, not a fault (see "Faults" in NOTES).
 * `text` begins with the error's code.
 */
export class ReplyError {
  constructor(readonly text: string) {}
}

export const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
export const NOT_AN_INTEGER = "ERR value is not an integer or out of range";
export const NOT_A_FLOAT = "ERR value is not a valid float";
export const SYNTAX_ERROR = "ERR syntax error";
export const NO_SUCH_KEY = "ERR no such key";
export const OUT_OF_RANGE = "ERR value is out of range";
export const INDEX_OUT_OF_RANGE = "ERR index out of range";
export const OVERFLOW = "ERR increment or decrement would overflow";
export const STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
export const NO_AUTH = "NOAUTH Authentication required.";
export const EXEC_ABORTED = "EXECABORT Transaction discarded because of previous errors.";
export const READ_ONLY = "READONLY You can't write against a read only replica.";
export const LOADING = "LOADING Redis is loading the dataset in memory";
export const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
/** The heap of JavaScript objects has grown to the share of its limit from which on nothing is begun. */
export const HEAP_FULL = "OOM command not allowed when the heap of the process is nearly full.";
/** The system has refused a buffer, or has too little memory left for one. */
export const NO_MEMORY = "OOM command not allowed when the system has no memory left for it.";
export const SAVE_FAILED =
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. " +
  "Commands that may modify the data set are disabled, because this instance is configured to report " +
  "errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). " +
  "Please check the Redis logs for details about the RDB error.";
