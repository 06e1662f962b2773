/**
 * A handshake that is under way on an accepted connection, whichever runtime's: it has a limit of time,
 * and comes to one end, which the listener's handler is told.
 */

import {
  type Address,
  HANDSHAKE_MAX_MS,
  type ServerHandshake,
  type TlsListenerHandler,
} from "./runtime.ts";
import { BAD_CERTIFICATE, HANDSHAKE_TIMEOUT, NO_CERTIFICATE } from "./tls_problem.ts";

/** What a runtime says of a peer whose handshake is done. */
export interface ShownCertificate {
  readonly isShown: boolean;
  /** The common name in it; null where there is none, or several. */
  readonly commonName: string | null;
  /** Whether it is valid: issued by an authority of ours, and of this time. */
  readonly isValid: boolean;
}

/** What the certificate object of `node:tls` says, which Bun has too. */
export function shownCertificate(
  certificate: { readonly subject?: { readonly CN?: string | string[] } } | undefined,
  isValid: boolean,
): ShownCertificate {
  const name = certificate?.subject?.CN;
  return {
    isShown: Object.keys(certificate ?? {}).length > 0,
    commonName: typeof name === "string" ? name : null,
    isValid,
  };
}

export class TlsHandshake {
  #isOver = false;
  /** The common name in the certificate that has let the peer in; null if it did not take one. */
  commonName: string | null = null;
  readonly #timer: ReturnType<typeof setTimeout>;

  /** `abandon` ends the connection. */
  constructor(
    readonly how: ServerHandshake,
    readonly handler: TlsListenerHandler,
    readonly remote: Address,
    readonly local: Address,
    readonly abandon: () => void,
  ) {
    this.#timer = setTimeout(() => this.failed(HANDSHAKE_TIMEOUT), HANDSHAKE_MAX_MS);
  }

  /** Nothing further comes of it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** It is done. Whether the peer may be served; if not, it has been turned away. */
  isWelcome({ isShown, commonName, isValid }: ShownCertificate): boolean {
    const { clientCertificates, context } = this.how;
    const needsOne = clientCertificates === "yes";
    if (clientCertificates !== "no") {
      if (!isShown && needsOne) return this.#refused(NO_CERTIFICATE);
      // Without authorities some libraries go by those of the system.
      const isTrusted = isValid && context.files.authorities.length > 0;
      if (isShown && !isTrusted) return this.#refused(BAD_CERTIFICATE);
      this.commonName = commonName;
    }
    if (this.#isOver) return false;
    this.#end();
    return true;
  }

  #refused(reason: string): false {
    this.failed(reason);
    return false;
  }

  /** It has failed; may be told repeatedly, the first reason counts. */
  failed(reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.abandon();
    this.handler.handshakeFailed(reason, this.remote, this.local);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
