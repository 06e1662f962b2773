/**
 * Drawn configurations: whatever the text, loading it ends in a Config or in a ConfigError with a
 * place. What loads can be written back by CONFIG REWRITE and then gives the same values.
 * Not covered: includes and `dir`, which would read files by drawn names.
 */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { Config } from "../../src/config/config.ts";
import { quote } from "../../src/config/kinds.ts";
import { ConfigError } from "../../src/config/parse.ts";
import { rewriteText } from "../../src/config/rewrite.ts";
import { NAMES } from "../../src/config/table.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";

const NAME_LIST = [...NAMES.keys()].filter((name) => name !== "dir");
const DEFAULTS = new Map(new Config("/").get(NAME_LIST));
const NUMBERS =
  "0 1 -1 10 100 6379 65536 2147483648 9223372036854775807 18446744073709551615 1mb 5gb 3k 50%";
const TEXTS =
  "yes no local always now save nosave default normal slave pubsub KEA g$lshz one * -::* ::1";
const WORDS = [
  ...NUMBERS.split(" "),
  ...TEXTS.split(" "),
  ...["", '"', "'", "\\", "\\x", "#", "a b", "\xff", "\0", "\x0b", "\t", "0x10", "1e3", "nan"],
];

/** Draws from a seed; every number below the bound is as likely. */
function drawer(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function load(text: string): Config | ConfigError {
  try {
    return Config.load({ file: null, fromStdin: true, options: "" }, {
      folder: "/",
      readStdin: () => latin1(text),
    });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

Deno.test("a drawn redis.conf loads or is refused by line, and survives CONFIG REWRITE", () => {
  const seed = fuzzSeed(4_711);
  const draw = drawer(seed);
  const pick = <T>(list: readonly T[]) => list[draw(list.length)];
  let loaded = 0;
  let refused = 0;
  const rounds = fuzzRounds(1_500);
  for (let round = 0; round < rounds; round++) {
    const lines = Array.from({ length: 1 + draw(3) }, () => {
      const name = pick(NAME_LIST);
      const words = draw(2) === 0
        ? [DEFAULTS.get(name)!] // near to it lie values that are valid, or almost
        : Array.from({ length: draw(10) < 7 ? 1 : draw(5) }, () => pick(WORDS));
      const shown = words.map((word) => word === "" || draw(4) === 0 ? quote(word) : word);
      let line = [name, ...shown].join(" ");
      for (let flips = draw(5) - 3; flips > 0 && line.length > 0; flips--) {
        const at = draw(line.length);
        line = line.slice(0, at) + String.fromCharCode(draw(256)) + line.slice(at + draw(2));
      }
      return /^\W*(include|dir)\b/i.test(line) ? "" : line;
    });
    const text = lines.join(pick(["\n", "\r\n", "\n\n"]));
    const context = `seed ${seed}, round ${round}: ${JSON.stringify(text)}`;
    const config = load(text);
    if (config instanceof ConfigError) {
      refused++;
      assert(config.place !== null && config.place.line >= 1, context);
      assert(config.report().includes(config.message), context);
      continue;
    }
    loaded++;
    const again = load(rewriteText(text, config));
    if (again instanceof ConfigError) throw new Error(`${context}\n${again.report()}`);
    assertEquals(again.get(["*"]), config.get(["*"]), context);
  }
  assert(loaded > rounds / 10 && refused > rounds / 10, `loaded ${loaded}, refused ${refused}`);
});

Deno.test("drawn CONFIG SETs change all or nothing", () => {
  const seed = fuzzSeed(42);
  const draw = drawer(seed);
  const pick = <T>(list: readonly T[]) => list[draw(list.length)];
  const config = new Config("/");
  let taken = 0;
  const rounds = fuzzRounds(1_500);
  for (let round = 0; round < rounds; round++) {
    const pairs = Array.from({ length: 1 + draw(3) }, () => {
      const value = Array.from({ length: 1 + draw(2) }, () => pick(WORDS)).join(" ");
      return [pick(NAME_LIST), value] as const;
    });
    const before = config.get(["*"]);
    const context = `seed ${seed}, round ${round}: ${JSON.stringify(pairs)}`;
    const reply = config.set(pairs);
    if (reply === null) taken++;
    else assertEquals(config.get(["*"]), before, context);
  }
  assert(taken > rounds / 50, `only ${taken} were taken`);
});
