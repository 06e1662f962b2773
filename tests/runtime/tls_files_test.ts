/** Whose client a certificate is: what is asked when a session is taken up again. */

import { X509Certificate } from "node:crypto";
import { assertEquals } from "@std/assert";
import { isClientOf } from "../../src/runtime/tls_files.ts";
import { Certificates, hasOpenssl } from "../support/certificates.ts";

Deno.test({
  name:
    "a certificate is a client's of the authorities that have issued it, now and for that purpose",
  ignore: !hasOpenssl,
  fn() {
    using made = Certificates.usual();
    made.make("for clients", {
      extensions: ["keyUsage=digitalSignature", "extendedKeyUsage=clientAuth"],
    });
    made.make("for servers", { extensions: ["extendedKeyUsage=serverAuth"] });
    made.make("for both", { extensions: ["extendedKeyUsage=serverAuth,clientAuth"] });
    made.make("middle", { isAuthority: true });
    made.make("leaf", { by: "middle" });
    made.make("child", { by: "client" }); // whose issuer is no authority
    made.make("other ca", { by: null, isAuthority: true, name: "ca" });
    made.make("twin", { by: "other ca" });
    made.make("old", { isExpired: true });
    made.make("old ca", { by: null, isAuthority: true, isExpired: true });
    made.make("of old", { by: "old ca" });
    const der = (name: string) => new X509Certificate(made.read(`${name}.crt`) as never).raw;
    const pem = (name: string) => new TextDecoder().decode(made.read(`${name}.crt`));
    for (
      const [chain, authorities, isTheirs] of [
        [["client"], ["ca"], true],
        [["client"], ["other ca", "ca"], true],
        [["client"], ["other ca"], false],
        [["client"], [], false],
        [[], ["ca"], false],
        [["ca"], ["ca"], true],
        [["for clients"], ["ca"], true],
        [["for both"], ["ca"], true],
        [["for servers"], ["ca"], false],
        [["leaf", "middle"], ["ca"], true],
        [["leaf"], ["middle"], true],
        [["leaf"], ["ca"], false],
        [["leaf", "client"], ["ca"], false],
        [["child", "client"], ["ca"], false],
        [["twin"], ["ca"], false],
        [["twin", "other ca"], ["ca"], false],
        [["old"], ["ca"], false],
        [["of old"], ["old ca"], false],
      ] as const
    ) {
      const name = `${chain.join(" < ")} of ${authorities.join(", ")}`;
      assertEquals(isClientOf(chain.map(der), authorities.map(pem)), isTheirs, name);
    }
    assertEquals(isClientOf([new Uint8Array(9)], [pem("ca")]), false);
    assertEquals(isClientOf([der("client")], ["nonsense"]), false);
  },
});
