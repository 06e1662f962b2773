/** The two versions that tsredis reports: its own, and the Redis whose behaviour it follows. */

/** The version of this server; a test keeps it equal to the one in deno.json. */
export const TSREDIS_VERSION = "0.1.0";

/** The Redis version whose behaviour is followed; what INFO and HELLO call the version. */
export const REDIS_VERSION = "7.2.4";
