/**
 * Certificates and keys, looked at before anything uses them: by `node:crypto`, which Deno and Bun both
 * have, so that a file is refused by both for the same reason and in OpenSSL's words.
 */

import type { KeyObject, X509Certificate } from "node:crypto";
import { nodeCrypto } from "./builtin_modules.ts";
import type { TlsFiles } from "./runtime.ts";

/** Which of the files cannot be used. */
export type TlsFileKind = "certificate" | "key" | "authorities";

/** A file that cannot be used; the message is OpenSSL's. */
export class TlsFileError extends Error {
  override readonly name = "TlsFileError";

  constructor(readonly kind: TlsFileKind, words: string, options?: ErrorOptions) {
    super(words, options);
  }
}

/** TlsFiles as texts, checked: all certificates can be read, and the key is that of the first one. */
export interface TlsTexts {
  readonly certificate: string;
  /** Not encrypted. */
  readonly key: string;
  readonly authorities: string[];
}

const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;
const NO_START_LINE = "error:0480006C:PEM routines::no start line";

/** @throws TlsFileError */
export function readTlsFiles(files: TlsFiles): TlsTexts {
  const chain = certificatesIn(files.certificate);
  if (chain.length === 0) throw new TlsFileError("certificate", NO_START_LINE);
  const [first] = chain.map((text) => parsed(text, "certificate"));
  const key = privateKey(files);
  if (!first.checkPrivateKey(key)) {
    const words = "error:05800074:x509 certificate routines::key values mismatch";
    throw new TlsFileError("key", words);
  }
  const authorities = files.authorities.flatMap((file) => {
    const texts = certificatesIn(file);
    const words = "error:05800088:x509 certificate routines::no certificate or crl found";
    if (texts.length === 0) throw new TlsFileError("authorities", words);
    return texts;
  });
  for (const text of authorities) parsed(text, "authorities");
  return {
    certificate: chain.join("\n"),
    key: key.export({ type: "pkcs8", format: "pem" }) as string,
    authorities,
  };
}

// Object identifiers in DER: the extension that limits purposes, and the purpose of a client.
const PURPOSES = "06 03 55 1d 25";
const CLIENT_PURPOSE = "06 08 2b 06 01 05 05 07 03 02";

/**
 * Whether the certificate of a client, with those behind it that it has shown (DER), leads to one of the
 * authorities (PEM) at this time, and is for clients. For sessions that are taken up again: their
 * certificates were looked at when they began, perhaps by other authorities.
 */
export function isClientOf(chain: readonly Uint8Array[], authorities: readonly string[]): boolean {
  const { X509Certificate } = nodeCrypto();
  try {
    const certificates = chain.map((each) => new X509Certificate(each));
    const trusted = authorities.map((text) => new X509Certificate(text));
    if (chain.length === 0 || !isForClients(chain[0])) return false;
    for (const [i, certificate] of certificates.entries()) {
      if (!isInTime(certificate) || (i > 0 && !certificate.ca)) return false;
      if (trusted.some((each) => isInTime(each) && isIssuedBy(certificate, each))) return true;
      const next = certificates[i + 1];
      if (next === undefined || !isIssuedBy(certificate, next)) return false;
    }
    return false;
  } catch {
    return false; // what cannot be read leads nowhere
  }
}

/** By bytes, since Deno does not tell: an authority has signed them, wherever in them they are. */
function isForClients(certificate: Uint8Array): boolean {
  const bytes = Array.from(certificate, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return !bytes.includes(PURPOSES) || bytes.includes(CLIENT_PURPOSE);
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isInTime({ validFrom, validTo }: X509Certificate): boolean {
  const nowMs = Date.now();
  return Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo);
}

/** The certificates of a PEM file, which may say something in words between them. */
function certificatesIn(file: Uint8Array): string[] {
  return new TextDecoder("latin1").decode(file).match(CERTIFICATE) ?? [];
}

function parsed(text: string, kind: TlsFileKind): X509Certificate {
  const { X509Certificate } = nodeCrypto();
  try {
    return new X509Certificate(text);
  } catch (cause) {
    const words = "error:0688010A:asn1 encoding routines::nested asn1 error";
    throw new TlsFileError(kind, words, { cause });
  }
}

function privateKey({ key, keyPassword }: TlsFiles): KeyObject {
  const { createPrivateKey } = nodeCrypto();
  const text = new TextDecoder("latin1").decode(key);
  const isEncrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text);
  try {
    if (!isEncrypted) return createPrivateKey({ key: text, format: "pem" });
    if (keyPassword === null) {
      const words = "error:07880109:common libcrypto routines::interrupted or cancelled";
      throw new TlsFileError("key", words);
    }
    const passphrase = Uint8Array.from(keyPassword, (char) => char.charCodeAt(0));
    return createPrivateKey({ key: text, format: "pem", passphrase: passphrase as never });
  } catch (cause) {
    if (cause instanceof TlsFileError) throw cause;
    const words = isEncrypted
      ? "error:1C800064:Provider routines::bad decrypt"
      : "error:1E08010C:DECODER routines::unsupported";
    throw new TlsFileError("key", words, { cause });
  }
}
