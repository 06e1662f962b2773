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
import { runtime } from "../../src/runtime/here.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";

const NAME_LIST = [...NAMES.keys()].filter((name) => name !== "dir");
const DEFAULTS = new Map(new Config(runtime, "/").get(NAME_LIST));
const NUMBERS =
  "0 1 -1 10 100 6379 65536 2147483648 9223372036854775807 18446744073709551615 1mb 5gb 3k 50%";
const TEXTS =
  "yes no local always now save nosave default normal slave pubsub KEA g$lshz one * -::* ::1";
const WORDS = [
  ...NUMBERS.split(" "),
  ...TEXTS.split(" "),
  ...["", '"', "'", "\\", "\\x", "#", "a b", "\xff", "\0", "\x0b", "\t", "0x10", "1e3", "nan"],
];

function load(text: string): Config | ConfigError {
  try {
    return Config.load(runtime, { file: null, fromStdin: true, options: "" }, {
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
  const random = new Random(seed);
  let loaded = 0;
  let refused = 0;
  const rounds = fuzzRounds(1_500);
  for (let round = 0; round < rounds; round++) {
    const lines = Array.from({ length: 1 + random.below(3) }, () => {
      const name = random.pick(NAME_LIST);
      const words = random.below(2) === 0
        ? [DEFAULTS.get(name)!] // near to it lie values that are valid, or almost
        : Array.from(
          { length: random.below(10) < 7 ? 1 : random.below(5) },
          () => random.pick(WORDS),
        );
      const shown = words.map((word) => word === "" || random.below(4) === 0 ? quote(word) : word);
      let line = [name, ...shown].join(" ");
      for (let flips = random.below(5) - 3; flips > 0 && line.length > 0; flips--) {
        const at = random.below(line.length);
        line = line.slice(0, at) + String.fromCharCode(random.below(256)) +
          line.slice(at + random.below(2));
      }
      return /^\W*(include|dir)\b/i.test(line) ? "" : line;
    });
    const text = lines.join(random.pick(["\n", "\r\n", "\n\n"]));
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
  const random = new Random(seed);
  const config = new Config(runtime, "/");
  let taken = 0;
  const rounds = fuzzRounds(1_500);
  for (let round = 0; round < rounds; round++) {
    const pairs = Array.from({ length: 1 + random.below(3) }, () => {
      const value = Array.from({ length: 1 + random.below(2) }, () => random.pick(WORDS)).join(" ");
      return [random.pick(NAME_LIST), value] as const;
    });
    const before = config.get(["*"]);
    const context = `seed ${seed}, round ${round}: ${JSON.stringify(pairs)}`;
    const reply = config.set(pairs);
    if (reply === null) taken++;
    else assertEquals(config.get(["*"]), before, context);
  }
  assert(taken > rounds / 50, `only ${taken} were taken`);
});
