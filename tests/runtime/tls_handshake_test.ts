import { assertEquals } from "@std/assert";
import {
  type ClientCertificates,
  HANDSHAKE_MAX_MS,
  type TlsListenerHandler,
} from "../../src/runtime/runtime.ts";
import { shownCertificate, TlsHandshake } from "../../src/runtime/tls_handshake.ts";
import { tlsProblem } from "../../src/runtime/tls_problem.ts";

const AUTHORITY = new Uint8Array(1);

/** A handshake whose timer is in the test's hands. */
function begin(clientCertificates: ClientCertificates, authorities = [AUTHORITY]) {
  const events: string[] = [];
  const timers: { work: () => void; ms: number }[] = [];
  const handler: TlsListenerHandler = {
    arrived: () => null,
    accepted: () => null,
    failed: () => {},
    handshakeFailed: (reason, { port }, { port: own }) =>
      events.push(`failed ${port} ${own}: ${reason}`),
  };
  const empty = new Uint8Array(0);
  const files = { certificate: empty, key: empty, keyPassword: null, authorities, versions: [] };
  const { setTimeout: usual, clearTimeout: usualClear } = globalThis;
  let handshake: TlsHandshake;
  globalThis.setTimeout = ((work: () => void, ms: number) => timers.push({ work, ms })) as never;
  try {
    handshake = new TlsHandshake(
      { context: { files }, clientCertificates },
      handler,
      { hostname: "192.0.2.1", port: 1 },
      { hostname: "192.0.2.2", port: 2 },
      () => events.push("abandoned"),
    );
  } finally {
    globalThis.setTimeout = usual;
    globalThis.clearTimeout = usualClear;
  }
  return { handshake, events, timers };
}

const VALID = shownCertificate({ subject: { CN: "alice" } }, true);
const INVALID = shownCertificate({ subject: { CN: "alice" } }, false);
const NONE = shownCertificate(undefined, false);
const BAD = "error:0A000086:SSL routines::certificate verify failed";
const MISSING = "error:0A0000C7:SSL routines::peer did not return a certificate";

Deno.test("a handshake that takes too long is given up, once", () => {
  const { handshake, events, timers } = begin("yes");
  assertEquals(timers.map(({ ms }) => ms), [HANDSHAKE_MAX_MS]);
  timers[0].work();
  assertEquals(events, ["abandoned", "failed 1 2: TLS handshake timeout"]);
  timers[0].work();
  handshake.failed("later");
  assertEquals(handshake.isWelcome(VALID), false);
  assertEquals(events.length, 2);
});

for (
  const [way, shown, reason] of [
    ["yes", VALID, null],
    ["yes", INVALID, BAD],
    ["yes", NONE, MISSING],
    ["optional", VALID, null],
    ["optional", INVALID, BAD],
    ["optional", NONE, null],
    ["no", INVALID, null],
    ["no", NONE, null],
  ] as const
) {
  const name = shown === VALID ? "a valid" : shown === INVALID ? "an invalid" : "no";
  Deno.test(`tls-auth-clients ${way}: ${name} certificate is ${reason ?? "welcome"}`, () => {
    const { handshake, events } = begin(way);
    assertEquals(handshake.isWelcome(shown), reason === null);
    assertEquals(events, reason === null ? [] : ["abandoned", `failed 1 2: ${reason}`]);
    assertEquals(handshake.commonName, shown === VALID ? "alice" : null);
  });
}

Deno.test("with no authority no certificate is valid, and a name that is not checked is none", () => {
  const { handshake, events } = begin("optional", []);
  assertEquals(handshake.isWelcome(VALID), false);
  assertEquals(events, ["abandoned", `failed 1 2: ${BAD}`]);
  const unchecked = begin("no").handshake;
  unchecked.isWelcome(VALID);
  assertEquals(unchecked.commonName, null);
});

Deno.test("a certificate with several common names has none", () => {
  assertEquals(shownCertificate({ subject: { CN: ["a", "b"] } }, true).commonName, null);
  assertEquals(shownCertificate({ subject: {} }, true).isShown, true);
  assertEquals(shownCertificate({}, true).isShown, false);
});

for (
  const [code, message, words] of [
    ["ERR_SSL_WRONG_VERSION_NUMBER", "x", "error:0A00010B:SSL routines::wrong version number"],
    [
      "EPROTO",
      "error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER",
      "error:0A00010B:SSL routines::wrong version number",
    ],
    [
      "EPROTO",
      "error:10000070:SSL routines:OPENSSL_internal:BAD_PACKET_LENGTH",
      "error:SSL routines::bad packet length",
    ],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate", BAD],
    ["CERT_HAS_EXPIRED", "certificate has expired", BAD],
    ["ERR_SSL_SOMETHING_ELSE", "peer is incompatible", "error:SSL routines::peer is incompatible"],
  ]
) {
  Deno.test(`a fault of TLS has OpenSSL's words: ${code} ${message}`, () => {
    assertEquals(tlsProblem(Object.assign(new Error(message), { code })), words);
  });
}
