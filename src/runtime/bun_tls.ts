/**
 * TLS on Bun. A connection is accepted (or made) as one of TCP, and TLS is put on it with the context
 * of that moment: so another context takes over between two connections, and those that there are keep
 * theirs. From the end of the handshake on the socket is served as any other (`Connected`).
 */

import {
  type Attempt,
  callbacks,
  Connected,
  connectWith,
  networkError,
  type Raw,
  type SocketEvents,
} from "./bun_sockets.ts";
import type { BunSecureSocket, BunSocketCallbacks, BunTlsOptions } from "./bun_types.ts";
import {
  type ConnectHandler,
  HANDSHAKE_MAX_MS,
  type TlsContext,
  type TlsFiles,
  type TlsListenerHandler,
} from "./runtime.ts";
import { SystemError } from "./system_error.ts";
import { readTlsFiles } from "./tls_files.ts";
import { shownCertificate, TlsHandshake } from "./tls_handshake.ts";
import { BAD_CERTIFICATE, HANDSHAKE_TIMEOUT, tlsProblem, UNEXPECTED_END } from "./tls_problem.ts";

// OpenSSL's SSL_OP_NO_TLSv1_2 and SSL_OP_NO_TLSv1_3.
const NO_TLS_1_2 = 0x08000000;
const NO_TLS_1_3 = 0x20000000;

/** Node's code for a certificate that names another host. */
const OTHER_NAME = "ERR_TLS_CERT_ALTNAME_INVALID";

type SecureRaw = BunSecureSocket<SocketEvents | undefined>;

export class BunTlsContext implements TlsContext {
  readonly options: BunTlsOptions;

  /** @throws TlsFileError */
  constructor(readonly files: TlsFiles) {
    const { certificate, key, authorities } = readTlsFiles(files);
    const { versions } = files;
    this.options = {
      cert: certificate,
      key,
      ca: authorities,
      // Who is not authorized is turned away by us, who can say why.
      rejectUnauthorized: false,
      secureOptions: (versions.includes("TLSv1.2") ? 0 : NO_TLS_1_2) |
        (versions.includes("TLSv1.3") ? 0 : NO_TLS_1_3),
    };
  }
}

/** Told how a handshake ends; until then nothing else is to be heard of the socket. */
abstract class HandshakeEvents implements SocketEvents {
  /** The socket with TLS on it; null before the handshake has begun. */
  raw: SecureRaw | null = null;

  /** The handshake is done; whether what the peer has shown is valid. */
  abstract secured(isValid: boolean): void;
  abstract failed(reason: string): void;

  /** Ends the connection. */
  protected abandon(): void {
    this.raw?.close();
  }

  /** From now on it is a connection like others. */
  protected connected(): Connected {
    const raw = this.raw!;
    const connected = new Connected(raw, null, () => raw.close());
    raw.data = connected;
    return connected;
  }

  arrived(): void {}
  drained(): void {}

  ended(): void {
    this.failed(UNEXPECTED_END);
  }

  closed(error: Error | undefined): void {
    this.failed(error === undefined ? UNEXPECTED_END : networkError(error).message);
  }
}

const tlsCallbacks: BunSocketCallbacks<SocketEvents | undefined> = {
  ...callbacks,
  handshake(raw, isDone, error) {
    const events = raw.data;
    if (!(events instanceof HandshakeEvents)) return;
    // Bun looks at the name last: who has but another one is valid.
    const hasOtherName = (error as { code?: unknown } | null)?.code === OTHER_NAME;
    if (isDone || hasOtherName) events.secured(events.raw!.authorized || hasOtherName);
    else events.failed(reasonOf(error));
  },
  error(raw, error) {
    // What a peer has done wrong after its handshake (such as to begin another) comes here too.
    if (!/^error:[0-9a-f]+:/i.test(error.message)) return callbacks.error!(raw, error);
    raw.data?.closed(new SystemError("EPROTO", tlsProblem(error)));
    (raw as SecureRaw).close();
  },
};

/** Puts TLS on a connection. */
function secure(
  raw: Raw,
  options: BunTlsOptions,
  isServer: boolean,
  events: HandshakeEvents,
): void {
  raw.setNoDelay(true); // else the last message of a handshake holds up what comes next
  [, events.raw] = (raw as SecureRaw).upgradeTLS<SocketEvents | undefined>({
    tls: options,
    isServer,
    allowHalfOpen: true,
    data: events,
    socket: tlsCallbacks,
  });
}

/** Below a socket with TLS: nothing of it is looked at. */
const BELOW: BunSocketCallbacks<SocketEvents | undefined> = { drain() {}, error: callbacks.error };

/** Has what is accepted shake hands first. */
export function acceptingTls(
  handler: TlsListenerHandler,
): BunSocketCallbacks<SocketEvents | undefined> {
  return {
    ...BELOW,
    open(raw) {
      // A peer that has reset the connection before its turn came has no address any more.
      const how = raw.remoteAddress === undefined ? null : handler.arrived();
      if (how === null) {
        raw.end();
        return;
      }
      const { options } = how.context as BunTlsContext;
      const asks = how.clientCertificates !== "no";
      const events = new ServerEvents(raw, how, handler);
      try {
        secure(raw, { ...options, requestCert: asks }, true, events);
      } catch (error) {
        raw.end();
        events.failed(tlsProblem(error));
      }
    },
  };
}

class ServerEvents extends HandshakeEvents {
  readonly #handshake: TlsHandshake;

  constructor(raw: Raw, how: TlsHandshake["how"], readonly handler: TlsListenerHandler) {
    super();
    this.#handshake = new TlsHandshake(
      how,
      handler,
      { hostname: raw.remoteAddress ?? "", port: raw.remotePort },
      { hostname: raw.localAddress, port: raw.localPort },
      () => this.abandon(),
    );
  }

  secured(isValid: boolean): void {
    const shown = shownCertificate(this.raw!.getPeerCertificate(), isValid);
    if (!this.#handshake.isWelcome(shown)) return;
    const connected = this.connected();
    connected.commonName = this.#handshake.commonName;
    const server = this.handler.accepted(connected);
    if (server === null) connected.close();
    else connected.serveWith(server);
  }

  failed(reason: string): void {
    this.#handshake.failed(reason);
  }
}

/** Begins to connect and to shake hands. */
export function connectTls(
  hostname: string,
  port: number,
  { options }: BunTlsContext,
  handler: ConnectHandler,
  source: string,
): { cancel(): void } {
  return connectWith(hostname, port, source, (raw, attempt) => {
    const isName = !/^[\d.]+$|:/.test(hostname);
    const own = isName ? { ...options, serverName: hostname } : options;
    secure(raw, own, false, new ClientEvents(handler, attempt));
  }, (reason) => handler.failed(reason));
}

class ClientEvents extends HandshakeEvents {
  readonly #timer = setTimeout(() => this.failed(HANDSHAKE_TIMEOUT), HANDSHAKE_MAX_MS);

  constructor(readonly handler: ConnectHandler, readonly attempt: Attempt) {
    super();
    attempt.abandon = () => this.#end();
  }

  secured(isValid: boolean): void {
    if (this.attempt.isOver) return;
    if (!isValid) return this.failed(BAD_CERTIFICATE);
    clearTimeout(this.#timer);
    this.attempt.isOver = true;
    this.attempt.abandon = null;
    const connected = this.connected();
    connected.serveWith(this.handler.connected(connected));
  }

  failed(reason: string): void {
    if (this.attempt.isOver) return;
    this.attempt.isOver = true;
    this.#end();
    this.handler.failed(reason);
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.attempt.abandon = null;
    this.abandon();
  }
}

/** The words for a handshake that has failed. */
function reasonOf(error: Error | null): string {
  if (error === null) return UNEXPECTED_END;
  const { code } = error as { readonly code?: unknown };
  // Bun's words for an end of the connection without an error of the system.
  return code === "ECONNRESET" && error.message.startsWith("Client network socket")
    ? UNEXPECTED_END
    : code === "ECONNRESET"
    ? new SystemError("ECONNRESET").message
    : tlsProblem(error);
}
