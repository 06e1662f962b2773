/** The network that Bun has: plain sockets (bun_sockets.ts) and those with TLS (bun_tls.ts). */

import { accepting, Connected, connectWith, listenUnix, listenWith } from "./bun_sockets.ts";
import { acceptingTls, BunTlsContext, connectTls } from "./bun_tls.ts";
import type {
  ConnectHandler,
  Listener,
  ListenerHandler,
  Network,
  TlsContext,
  TlsFiles,
  TlsListenerHandler,
} from "./runtime.ts";

export class BunNetwork implements Network {
  listenTcp(hostname: string, port: number, handler: ListenerHandler): Listener {
    return listenWith(hostname, port, accepting(handler, null));
  }

  listenUnix(path: string, mode: number, handler: ListenerHandler): Listener {
    return listenUnix(path, mode, handler);
  }

  connectTcp(
    hostname: string,
    port: number,
    handler: ConnectHandler,
    source = "",
  ): { cancel(): void } {
    return connectWith(hostname, port, source, (raw, attempt) => {
      attempt.isOver = true;
      const connected = new Connected(raw, null);
      raw.data = connected;
      connected.serveWith(handler.connected(connected));
    }, (reason) => handler.failed(reason));
  }

  tlsContext(files: TlsFiles): TlsContext {
    return new BunTlsContext(files);
  }

  listenTls(hostname: string, port: number, handler: TlsListenerHandler): Listener {
    return listenWith(hostname, port, acceptingTls(handler));
  }

  connectTls(
    hostname: string,
    port: number,
    context: TlsContext,
    handler: ConnectHandler,
    source = "",
  ): { cancel(): void } {
    return connectTls(hostname, port, context as BunTlsContext, handler, source);
  }
}
