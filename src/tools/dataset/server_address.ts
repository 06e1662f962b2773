/** Servers as a command line names them, in the forms that redis-cli takes. */

import { UsageError } from "../tool.ts";

/** Where a server is, and as whom to ask. */
export interface ServerAddress {
  /** As it was named, without a password. */
  readonly name: string;
  readonly hostname: string;
  readonly port: number;
  readonly user: string | null;
  readonly password: string | null;
}

const REDIS_PORT = 6379;
const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/\s]+)):(\d{1,5})$/;
const SCHEME = /^[a-z][a-z+]*:\/\//i;

/**
 * The server that a word names: `host:port`, or `redis://[user[:password]@]host[:port]`, as redis-cli takes them. Null
 * for other words. Without a password in it, it is `defaultPassword`. @throws UsageError
 */
export function serverAddressOf(
  word: string,
  defaultPassword: string | undefined,
): ServerAddress | null {
  const found = HOST_AND_PORT.exec(word);
  const password = defaultPassword || null;
  if (found !== null) {
    return {
      name: word,
      hostname: found[1] ?? found[2],
      port: Number(found[3]),
      user: null,
      password,
    };
  }
  if (!SCHEME.test(word)) return null;
  return addressOfUrl(word, password);
}

function addressOfUrl(word: string, defaultPassword: string | null): ServerAddress {
  const url = URL.canParse(word) ? new URL(word) : null;
  if (url === null || url.protocol !== "redis:" || url.hostname === "") {
    throw new UsageError(
      `a server is named as host:port or redis://[user[:password]@]host[:port]; ` +
        "one that speaks TLS alone is asked by redis-cli --rdb for a file",
    );
  }
  if (url.pathname.length > 1) {
    throw new UsageError(
      "an address names no database: leave out what stands behind the port",
    );
  }
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = Number(url.port || REDIS_PORT);
  const user = decodeURIComponent(url.username) || null;
  const password = decodeURIComponent(url.password) || defaultPassword;
  return { name: `${url.hostname}:${port}`, hostname, port, user, password };
}
