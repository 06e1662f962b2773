/**
 * Certificates and keys for tests, made by `openssl` when they are asked for, in a folder that goes with
 * them. For both runtimes.
 */

import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a certificate is made with. */
export interface CertificateOptions {
  /** Its common name; that of its file if absent. */
  readonly name?: string;
  /** The authority's file name; "ca" if absent, null for a certificate that is signed by its own key. */
  readonly by?: string | null;
  /** Whether its time is over. */
  readonly isExpired?: boolean;
  /** Whether it may sign others. */
  readonly isAuthority?: boolean;
  /** What its key file is encrypted with. */
  readonly password?: string;
  /** The names that it is for, as `subjectAltName` has them; this machine's if absent. */
  readonly names?: string;
  /** Further lines of extensions, such as "extendedKeyUsage=serverAuth". */
  readonly extensions?: readonly string[];
}

function runs(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Whether there is an `openssl` to make them with. */
export const hasOpenssl: boolean = runs("openssl", "version");

/** A folder of certificates: `x.crt` and `x.key` for each that has been made. */
export class Certificates implements Disposable {
  readonly folder: string = fs.mkdtempSync(join(tmpdir(), "tsredis-test-tls-"));

  /** With an authority `ca`, and `server` and `client` signed by it. */
  static usual(): Certificates {
    const certificates = new Certificates();
    certificates.make("ca", { by: null, isAuthority: true });
    certificates.make("server");
    certificates.make("client");
    return certificates;
  }

  /** Makes `file`.crt and `file`.key. */
  make(file: string, options: CertificateOptions = {}): void {
    const { name = file, by = "ca", isExpired = false, isAuthority = false, password } = options;
    const key = this.path(`${file}.key`);
    this.#openssl(
      "genpkey",
      "-algorithm",
      "EC",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-out",
      key,
    );
    const extensions = [
      `basicConstraints=critical,CA:${isAuthority}`,
      `subjectAltName=${options.names ?? "DNS:localhost,IP:127.0.0.1"}`,
      ...options.extensions ?? [],
    ];
    const request = this.path(`${file}.csr`);
    this.#openssl("req", "-new", "-utf8", "-key", key, "-subj", `/CN=${name}`, "-out", request);
    const config = this.path(`${file}.cnf`);
    const index = this.write(`${file}.index`, "");
    this.write(
      `${file}.cnf`,
      [
        "[ca]\ndefault_ca=d\n[d]\ndefault_md=sha256\npolicy=p\nunique_subject=no\nrand_serial=yes",
        `database=${index}\nnew_certs_dir=${this.folder}\n[p]\ncommonName=supplied\n[e]`,
        ...extensions,
      ].join("\n") + "\n",
    );
    const [start, end] = isExpired
      ? ["20190101000000Z", "20200101000000Z"]
      : ["20200101000000Z", "20990101000000Z"];
    const signer = by === null
      ? ["-selfsign", "-keyfile", key]
      : ["-cert", this.path(`${by}.crt`), "-keyfile", this.path(`${by}.key`)];
    this.#openssl(
      ...["ca", "-batch", "-notext", "-config", config, "-extensions", "e", ...signer],
      ...["-startdate", start, "-enddate", end, "-in", request, "-out", this.path(`${file}.crt`)],
    );
    if (password === undefined) return;
    const encrypted = this.path(`${file}.encrypted`);
    const cipher = ["-v2", "aes-256-cbc", "-passout", `pass:${password}`];
    this.#openssl("pkcs8", "-topk8", "-in", key, "-out", encrypted, ...cipher);
    fs.renameSync(encrypted, key);
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  /** The content of a file. */
  read(file: string): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(fs.readFileSync(this.path(file)));
  }

  /** Writes a file; answers its path. */
  write(file: string, content: string | Uint8Array): string {
    fs.writeFileSync(this.path(file), content);
    return this.path(file);
  }

  copy(from: string, to: string): void {
    fs.copyFileSync(this.path(from), this.path(to));
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  }

  [Symbol.dispose](): void {
    fs.rmSync(this.folder, { recursive: true });
  }
}
