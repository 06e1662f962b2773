/**
 * Drawn rules and files of users: whatever the bytes, they are taken or refused with a text, never half. What is
 * taken can be written to a file of users, and to a configuration, and makes the same users when it is read.
 */

import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { parseUserFile, userFileText } from "../../src/access/user_file.ts";
import { applyRules, BadRule, UnmatchedBracket } from "../../src/access/user_rules.ts";
import type { User } from "../../src/access/user.ts";
import { Users } from "../../src/access/users.ts";
import { commandCatalog } from "../../src/commands/catalog.ts";
import { Config } from "../../src/config/config.ts";
import { splitWords } from "../../src/config/parse.ts";
import { rewriteText } from "../../src/config/rewrite.ts";
import { runtime } from "../../src/runtime/here.ts";
import { drawRules } from "../access/rule_generator.ts";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";

const PIECES =
  "user on off ~ % R W & + - @ all get set | ( ) nopass > < # ! reset \" ' \\ * ? [ ] a b default"
    .split(" ").concat([" ", "\t", "\0", "\xff", "\r", ""]);

/** Some rules as people write them, some that are bytes. */
function drawWild(random: Random): string[] {
  const rules = drawRules(random);
  while (random.chance(0.5)) {
    const wild = Array.from({ length: random.between(1, 6) }, () => random.pick(PIECES)).join("");
    rules.splice(random.below(rules.length + 1), 0, random.chance(0.4) ? `(${wild})` : wild);
  }
  return rules;
}

const newUsers = () => new Users(commandCatalog(), () => false);
const shown = (users: readonly User[]) => users.map(({ line, access }) => [line, access.toHex()]);

Deno.test("drawn rules are taken or refused, and what is taken is read again from files", () => {
  const seed = fuzzSeed(2_024);
  const random = new Random(seed);
  let taken = 0;
  let refused = 0;
  let users = newUsers();
  const rounds = fuzzRounds(1_500);
  for (let round = 0; round < rounds; round++) {
    if (round % 20 === 0) users = newUsers();
    const rules = drawWild(random);
    const where = `seed ${seed}, round ${round}: ${JSON.stringify(rules)}`;
    const before = shown(users.all());
    try {
      users.put(users.tried(random.pick(["default", "a", "b", "", '"x']), rules));
      taken++;
    } catch (error) {
      assert(error instanceof BadRule || error instanceof UnmatchedBracket, `${where}: ${error}`);
      assertEquals(shown(users.all()), before, where);
      refused++;
      continue;
    }
    const wanted = shown(users.all());
    assertEquals(shown(fromUserFile(userFileText(users.all()))), wanted, where);
    assertEquals(shown(fromConfiguration(users.all())), wanted, where);
  }
  assert(taken > rounds / 5 && refused > rounds / 5, `${taken} taken, ${refused} refused`);
});

function fromUserFile(text: string): User[] {
  const users = newUsers();
  const { users: read, errors } = parseUserFile(text, "f", users);
  assertEquals(errors, "");
  users.replaceAll(read);
  return users.all();
}

/** Through CONFIG REWRITE, and back. */
function fromConfiguration(users: readonly User[]): User[] {
  const config = new Config(runtime, "/");
  config.userLines = () => users.map(({ fileLine }) => fileLine);
  const text = rewriteText("", config);
  const read = newUsers();
  for (const line of text.split("\n").filter((each) => each.startsWith("user "))) {
    const [, name, ...rules] = splitWords(latin1(line))!.map((word) => toLatin1(word));
    const user = read.find(name) === null ? read.tried(name, []) : read.tried(name, ["reset"]);
    applyRules(user, rules, read.context);
    read.put(user);
  }
  return read.all();
}

Deno.test("drawn files of users are taken whole, or all that is wrong with them is told", () => {
  const seed = fuzzSeed(77);
  const random = new Random(seed);
  let good = 0;
  const rounds = fuzzRounds(1_500);
  for (let round = 0; round < rounds; round++) {
    const lines = Array.from({ length: random.below(5) }, () => {
      if (random.chance(0.2)) {
        return Array.from({ length: random.below(8) }, () => random.pick(PIECES)).join("");
      }
      const rules = random.chance(0.8) ? ["on", "+get", "~a*"] : drawWild(random);
      return ["user", random.pick(["default", "a", "b", "c"]), ...rules].join(" ");
    });
    const users = newUsers();
    const { users: read, errors } = parseUserFile(lines.join("\n"), "f", users);
    if (errors !== "") continue;
    good++;
    users.replaceAll(read);
    const wanted = shown(users.all());
    assertEquals(shown(fromUserFile(userFileText(users.all()))), wanted, `seed ${seed}: ${lines}`);
  }
  assert(good > rounds / 10, `${good} good`);
});
