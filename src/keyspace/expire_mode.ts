/**
 * What a lookup does with a key past its time, as `Keyspace.expireMode` says: a master deletes it, a
 * replica waits for its master's word. A file of its own, so that the database and the keyspace that
 * holds it need not import each other's values.
 */

/** The key is deleted, and its DEL enters the stream of writes. */
export const EXPIRE_DELETES = 0;
/** A replica: the key is answered as missing, its master will send the DEL. */
export const EXPIRE_HIDES = 1;
/** Commands from the master, or a load: the key is as if it had no expiry. */
export const EXPIRE_IGNORED = 2;
