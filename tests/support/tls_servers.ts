/** Servers that speak TLS, with certificates of a test's own, and connections to them. */

import type { Certificates } from "./certificates.ts";
import { freePort } from "./free_port.ts";
import { startRealRedis } from "./real_redis.ts";
import { RespClient } from "./resp_client.ts";
import type { ServerProcess } from "./server_process.ts";
import { startTsredis } from "./tsredis_process.ts";

/** The directives of a server with TLS as arguments; `name` is that of its certificate. */
export function tlsArgs(certificates: Certificates, tlsPort: number, name = "server"): string[] {
  return [
    ...["--tls-port", `${tlsPort}`, "--tls-ca-cert-file", certificates.path("ca.crt")],
    ...["--tls-cert-file", certificates.path(`${name}.crt`)],
    ...["--tls-key-file", certificates.path(`${name}.key`)],
  ];
}

/** A server that listens at two ports, one of them with TLS. */
export interface TlsServer extends AsyncDisposable {
  readonly process: ServerProcess;
  readonly tlsPort: number;
}

/** Starts one. */
export async function startTls(
  certificates: Certificates,
  args: string[] = [],
  make: "tsredis" | "redis" = "tsredis",
): Promise<TlsServer> {
  const tlsPort = freePort();
  const all = ["--save", "", ...tlsArgs(certificates, tlsPort), ...args];
  const process = await (make === "tsredis" ? startTsredis : startRealRedis)({ args: all });
  return { process, tlsPort, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

/** Connects with TLS and shows the certificate `name`; null shows none. */
export async function connectTls(
  certificates: Certificates,
  port: number,
  name: string | null = "client",
  authority = "ca",
): Promise<RespClient> {
  const text = (file: string) => new TextDecoder().decode(certificates.read(file));
  const shown = name === null ? {} : { cert: text(`${name}.crt`), key: text(`${name}.key`) };
  const caCerts = [text(`${authority}.crt`)];
  const conn = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts, ...shown });
  await conn.handshake();
  return new RespClient(conn);
}

/** Whether a client with this certificate is answered. */
export async function isAnswered(
  certificates: Certificates,
  port: number,
  name: string | null = "client",
  authority = "ca",
): Promise<boolean> {
  try {
    using client = await connectTls(certificates, port, name, authority);
    return (await client.call("PING")).kind === "status";
  } catch {
    return false;
  }
}
