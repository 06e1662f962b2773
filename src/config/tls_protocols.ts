/** `tls-protocols`: which versions of TLS are spoken. */

import type { TlsVersion } from "../runtime/runtime.ts";

/** What a value may name, in any case. Neither runtime has the two that are older. */
const KNOWN: Readonly<Record<string, TlsVersion | null>> = {
  "tlsv1": null,
  "tlsv1.1": null,
  "tlsv1.2": "TLSv1.2",
  "tlsv1.3": "TLSv1.3",
};

/** The versions that a value names, both for an empty one; null if it names something else. */
export function tlsVersions(value: string): TlsVersion[] | null {
  if (value === "") return ["TLSv1.2", "TLSv1.3"];
  const versions: TlsVersion[] = [];
  for (const name of value.toLowerCase().split(" ")) {
    if (!Object.hasOwn(KNOWN, name)) return null;
    const version = KNOWN[name];
    if (version !== null && !versions.includes(version)) versions.push(version);
  }
  return versions.length === 0 ? null : versions;
}

/** Whether a value names a version that cannot be had. */
export function asksForOldTls(value: string): boolean {
  return value.toLowerCase().split(" ").some((name) =>
    Object.hasOwn(KNOWN, name) && KNOWN[name] === null
  );
}
