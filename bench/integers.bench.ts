/**
 * What do reading and writing an integer as bytes cost, and from which length on does a block copy
 * beat a loop?
 */
import { copyBytes, latin1 } from "../src/base/bytes.ts";
import { isInt64Text, parseInt64, parseInteger, writeInteger } from "../src/base/integers.ts";

const buf = new Uint8Array(64);
let sink = 0;

for (
  const text of ["7", "12345", "123456789", "1234567890123", "user:1000", "9223372036854775807"]
) {
  const bytes = latin1(text);
  Deno.bench(`parseInteger ${text}`, { group: "parse" }, () => {
    for (let i = 0; i < 1000; i++) sink += parseInteger(bytes, 0, bytes.length);
  });
  Deno.bench(`isInt64Text ${text}`, { group: "parse" }, () => {
    for (let i = 0; i < 1000; i++) sink += isInt64Text(bytes, 0, bytes.length) ? 1 : 0;
  });
}
const wide = latin1("9223372036854775807");
Deno.bench("parseInt64 9223372036854775807", { group: "parse" }, () => {
  for (let i = 0; i < 1000; i++) if (parseInt64(wide, 0, wide.length) === null) sink++;
});

for (const n of [7, 12345, 123456789, 1234567890123]) {
  Deno.bench(`writeInteger ${n}`, { group: "write" }, () => {
    for (let i = 0; i < 1000; i++) sink += writeInteger(buf, 0, n + (i & 1));
  });
}

const source = new Uint8Array(1 << 16);
const target = new Uint8Array(1 << 16);
for (const len of [8, 16, 32, 47, 48, 64, 128, 512]) {
  Deno.bench(`copyBytes ${len}`, { group: "copy" }, () => {
    for (let i = 0; i < 1000; i++) copyBytes(target, i, source, i, len);
  });
}
