import { assertEquals } from "@std/assert";
import { asksForOldTls, tlsVersions } from "../../src/config/tls_protocols.ts";

for (
  const [value, versions, isOld] of [
    ["", ["TLSv1.2", "TLSv1.3"], false],
    ["TLSv1.3", ["TLSv1.3"], false],
    ["tlsv1.3 TLSV1.2", ["TLSv1.3", "TLSv1.2"], false],
    ["TLSv1.2 TLSv1.2", ["TLSv1.2"], false],
    ["TLSv1.1 TLSv1.2", ["TLSv1.2"], true],
    ["TLSv1", null, true],
    ["TLSv1.2  TLSv1.3", null, false],
    ["SSLv3", null, false],
    ["constructor", null, false],
  ] as const
) {
  Deno.test(`tls-protocols "${value}" is ${versions?.join(" and ") ?? "nothing"}`, () => {
    assertEquals(tlsVersions(value), versions && [...versions]);
    assertEquals(asksForOldTls(value), isOld);
  });
}
