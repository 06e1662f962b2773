/**
 * What the server's encrypted connections are made with: the certificates and keys that the `tls-…`
 * directives name, read at the start and whenever CONFIG SET changes (or only names again) one of them.
 * What cannot be used changes nothing: those before stay in use. Connections keep what they began with.
 *
 * Log lines and errors are those of Redis 7.2.
 */

import { resolve } from "@std/path";
import type { Config } from "../config/config.ts";
import { toPath } from "../config/parse.ts";
import type { Log } from "../observe/log.ts";
import type { Files, Runtime, ServerHandshake, TlsContext, TlsFiles } from "../runtime/runtime.ts";
import { problemOf, SystemError } from "../runtime/system_error.ts";
import { TlsFileError } from "../runtime/tls_files.ts";
import { tlsVersions } from "../config/tls_protocols.ts";

/** The directives that say what a context is made of. */
const FILE_DIRECTIVES = [
  "tls-replication",
  "tls-cluster",
  "tls-cert-file",
  "tls-key-file",
  "tls-key-file-pass",
  "tls-client-cert-file",
  "tls-client-key-file",
  "tls-client-key-file-pass",
  "tls-ca-cert-file",
  "tls-ca-cert-dir",
  "tls-protocols",
] as const;

/** The names that OpenSSL looks for in a folder of authorities: the hash of a name and a number. */
const HASHED_NAME = /^[0-9a-f]{8}\.\d+$/;
/** A file of certificates that is larger is none: it is not read. */
const FILE_BYTES_MAX = 16 << 20;

export const CANNOT_UPDATE = "Unable to update TLS configuration. Check server logs.";

/** A reason that a line of the log tells, after which nothing has changed. */
class Unusable extends Error {}

export class Tls {
  /** For connections that clients make; null as long as TLS is not configured. */
  #server: TlsContext | null = null;
  /** For those that this server makes. */
  #client: TlsContext | null = null;

  constructor(
    readonly config: Config,
    readonly runtime: Runtime,
    readonly log: Log,
  ) {
    config.onChange(FILE_DIRECTIVES, () => this.configure() ? undefined : CANNOT_UPDATE);
  }

  /** Whether anything of the server is to be encrypted. */
  get isWanted(): boolean {
    const { config } = this;
    return config.value("tls-port") !== 0 || config.value("tls-replication") ||
      config.value("tls-cluster");
  }

  /** Reads all files again, if TLS is wanted. False when they cannot be used; the log says why. */
  configure(): boolean {
    if (!this.isWanted) return true;
    try {
      const [server, client] = this.#contexts();
      this.#server = server;
      this.#client = client;
      return true;
    } catch (error) {
      if (!(error instanceof Unusable)) throw error;
      this.log.warning(error.message);
      return false;
    }
  }

  /** As `configure`, but nothing is read where that has been done before. */
  ensure(): boolean {
    return this.#server !== null || this.configure();
  }

  /** How to shake hands with a client that comes now; null if that cannot be. */
  handshake(): ServerHandshake | null {
    const context = this.#server;
    if (context === null) return null;
    return { context, clientCertificates: this.config.value("tls-auth-clients") };
  }

  /** What a link to a master is made with; null: without TLS (`tls-replication`). */
  get forMaster(): TlsContext | null {
    return this.config.value("tls-replication") ? this.#client : null;
  }

  /** What a link of MIGRATE is made with; null: without TLS (`tls-cluster`). */
  get forTarget(): TlsContext | null {
    return this.config.value("tls-cluster") ? this.#client : null;
  }

  /** That of the server and that of links. @throws Unusable */
  #contexts(): [TlsContext, TlsContext] {
    const { config } = this;
    const certificate = config.value("tls-cert-file");
    const key = config.value("tls-key-file");
    if (!certificate) throw new Unusable("No tls-cert-file configured!");
    if (!key) throw new Unusable("No tls-key-file configured!");
    const needsAuthority = config.value("tls-auth-clients") !== "no" ||
      config.value("tls-cluster") || config.value("tls-replication");
    const authorities = config.value("tls-ca-cert-file") || config.value("tls-ca-cert-dir");
    if (needsAuthority && !authorities) {
      throw new Unusable(
        "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, " +
          "tls-replication or tls-auth-clients are enabled!",
      );
    }
    const versions = tlsVersions(config.value("tls-protocols") ?? "");
    if (versions === null) {
      throw new Unusable(
        "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and " +
          "'TLSv1.3'.",
      );
    }
    const server = this.#context(certificate, key, config.value("tls-key-file-pass"), versions);
    const clientCertificate = config.value("tls-client-cert-file");
    const clientKey = config.value("tls-client-key-file");
    if (!clientCertificate || !clientKey) return [server, server];
    const password = config.value("tls-client-key-file-pass");
    return [server, this.#context(clientCertificate, clientKey, password, versions)];
  }

  #context(
    certificatePath: string,
    keyPath: string,
    password: string | null,
    versions: TlsFiles["versions"],
  ): TlsContext {
    const lineStarts = {
      certificate: `Failed to load certificate: ${certificatePath}: `,
      key: `Failed to load private key: ${keyPath}: `,
      authorities: "Failed to configure CA certificate(s) file/directory: ",
    };
    const read = (path: string, kind: keyof typeof lineStarts) => {
      try {
        return readFile(this.runtime.files, this.#path(path));
      } catch (error) {
        throw new Unusable(lineStarts[kind] + fileProblem(error));
      }
    };
    const files: TlsFiles = {
      certificate: read(certificatePath, "certificate"),
      key: read(keyPath, "key"),
      keyPassword: password || null,
      authorities: this.#authorityPaths().map((path) => read(path, "authorities")),
      versions,
    };
    try {
      return this.runtime.network.tlsContext(files);
    } catch (error) {
      if (error instanceof TlsFileError) throw new Unusable(lineStarts[error.kind] + error.message);
      throw new Unusable(`Failed to configure TLS: ${problemOf(error)}`);
    }
  }

  /** The files of `tls-ca-cert-file` and, by OpenSSL's names, of `tls-ca-cert-dir`. */
  #authorityPaths(): string[] {
    const { config, runtime: { files } } = this;
    const file = config.value("tls-ca-cert-file");
    const folder = config.value("tls-ca-cert-dir");
    const paths = file ? [file] : [];
    if (!folder) return paths;
    try {
      const names = files.list(this.#path(folder))
        .filter(({ name, isFolder }) => !isFolder && HASHED_NAME.test(name))
        .map(({ name }) => name).sort();
      return [...paths, ...names.map((name) => `${folder}/${name}`)];
    } catch (error) {
      throw new Unusable(
        `Failed to configure CA certificate(s) file/directory: ${fileProblem(error)}`,
      );
    }
  }

  #path(path: string): string {
    return resolve(toPath(this.config.value("dir")), toPath(path));
  }
}

/** @throws SystemError */
function readFile(files: Files, path: string): Uint8Array {
  const info = files.info(path);
  if (info === null) throw new SystemError("ENOENT");
  if (info.isFolder) throw new SystemError("EISDIR");
  if (info.sizeBytes > FILE_BYTES_MAX) throw new SystemError("EFBIG", "File too large");
  return files.read(path);
}

/** In OpenSSL's words. */
function fileProblem(error: unknown): string {
  const number: Record<string, string> = { ENOENT: "80000002", EACCES: "8000000D" };
  const code = error instanceof SystemError ? number[error.code] : undefined;
  return code === undefined
    ? problemOf(error)
    : `error:${code}:system library::${problemOf(error)}`;
}
