/**
 * What goes wrong with TLS, in the words that OpenSSL has for it and the log of a Redis shows, whatever
 * library the runtime has: people search for these.
 */

import { problemOf } from "./system_error.ts";

/** Words by the name of the fault, which OpenSSL, BoringSSL and Node have in common. */
const BY_NAME: Readonly<Record<string, string>> = {
  PEER_DID_NOT_RETURN_A_CERTIFICATE:
    "error:0A0000C7:SSL routines::peer did not return a certificate",
  CERTIFICATE_VERIFY_FAILED: "error:0A000086:SSL routines::certificate verify failed",
  UNSUPPORTED_PROTOCOL: "error:0A000102:SSL routines::unsupported protocol",
  WRONG_VERSION_NUMBER: "error:0A00010B:SSL routines::wrong version number",
  HTTP_REQUEST: "error:0A00009C:SSL routines::http request",
  NO_SHARED_CIPHER: "error:0A0000C1:SSL routines::no shared cipher",
  UNEXPECTED_EOF_WHILE_READING: "error:0A000126:SSL routines::unexpected eof while reading",
  SSLV3_ALERT_BAD_CERTIFICATE: "error:0A000412:SSL routines::sslv3 alert bad certificate",
  SSLV3_ALERT_CERTIFICATE_EXPIRED: "error:0A000415:SSL routines::sslv3 alert certificate expired",
  SSLV3_ALERT_CERTIFICATE_UNKNOWN: "error:0A000416:SSL routines::sslv3 alert certificate unknown",
  TLSV1_ALERT_UNKNOWN_CA: "error:0A000418:SSL routines::tlsv1 alert unknown ca",
  TLSV1_ALERT_PROTOCOL_VERSION: "error:0A00042E:SSL routines::tlsv1 alert protocol version",
  TLSV13_ALERT_CERTIFICATE_REQUIRED:
    "error:0A00045C:SSL routines::tlsv13 alert certificate required",
};

export const NO_CERTIFICATE = BY_NAME.PEER_DID_NOT_RETURN_A_CERTIFICATE;
export const BAD_CERTIFICATE = BY_NAME.CERTIFICATE_VERIFY_FAILED;
/** The peer has ended the connection before the handshake was done. */
export const UNEXPECTED_END = BY_NAME.UNEXPECTED_EOF_WHILE_READING;
/** Ours: OpenSSL leaves time to who uses it. */
export const HANDSHAKE_TIMEOUT = "TLS handshake timeout";

/** Codes that Node has for what is wrong with a certificate, which to OpenSSL is one and the same fault. */
const OF_A_CERTIFICATE =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|CRL_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|ERROR_IN_CERT)/;

/** The words for what the runtime's library has thrown or told in a handshake. */
export function tlsProblem(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  const message = problemOf(error);
  if (typeof code === "string" && OF_A_CERTIFICATE.test(code)) return BAD_CERTIFICATE;
  // Node: code "ERR_SSL_WRONG_VERSION_NUMBER"; BoringSSL: "error:…:OPENSSL_internal:WRONG_VERSION_NUMBER".
  const inCode = /^ERR_SSL_([A-Z0-9_]+)$/.exec(typeof code === "string" ? code : "");
  const inMessage = /:OPENSSL_internal:([A-Z0-9_]+)$/.exec(message);
  const name = inMessage?.[1] ?? inCode?.[1] ?? "";
  if (Object.hasOwn(BY_NAME, name)) return BY_NAME[name];
  if (inMessage !== null) return `error:SSL routines::${name.toLowerCase().replaceAll("_", " ")}`;
  return `error:SSL routines::${message}`;
}
