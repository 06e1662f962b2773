/**
 * What rules allow beside a plain model of them, which keeps no bits: it goes through all rules about commands from
 * the last to the first, and the first one that speaks of the command decides.
 */

import { assertEquals } from "@std/assert";
import { applyRules, BadRule, UnmatchedBracket } from "../../src/access/user_rules.ts";
import { ACCESS_ALLOWED, ACCESS_DENIED, ACCESS_DEPENDS, User } from "../../src/access/user.ts";
import type { CatalogCommand } from "../../src/access/catalog.ts";
import { ACL_CATEGORIES } from "../../src/access/categories.ts";
import { commandCatalog } from "../../src/commands/catalog.ts";
import { Random } from "../support/random.ts";
import { drawRules } from "./rule_generator.ts";

const SESSIONS = 300;
const catalog = commandCatalog();
const context = { allChannels: false };

/** Whether a rule without its sign speaks of a command. */
function speaksOf(name: string, command: CatalogCommand): boolean {
  if (name === "@all") return true;
  const { parent, fullName, categoryBits } = command;
  if (name[0] === "@") {
    const bit = 1 << ACL_CATEGORIES.findIndex((category) => category === name.slice(1));
    // What a container is in, its subcommands are in.
    return ((categoryBits | (parent?.categoryBits ?? 0)) & bit) !== 0;
  }
  return name === fullName || name === parent?.fullName;
}

/** Rules about commands, with those that mean the same spelt alike; first arguments are no such rule. */
function commandRules(rules: readonly string[]): string[] {
  return rules.map((rule) => rule.toLowerCase()).map((rule) =>
    rule === "allcommands" ? "+@all" : rule === "nocommands" || rule === "reset" ? "-@all" : rule
  ).filter((rule) => /^[+-](@\w+|[\w|]+)$/.test(rule))
    .filter((rule) => !rule.includes("|") || catalog.find(rule.slice(1)) !== null);
}

function isAllowed(rules: readonly string[], command: CatalogCommand): boolean {
  const last = rules.findLast((rule) => speaksOf(rule.slice(1), command));
  return last !== undefined && last[0] === "+";
}

Deno.test("rules about commands allow what the last rule says that speaks of a command", () => {
  let compared = 0;
  for (let seed = 1; seed <= SESSIONS; seed++) {
    const random = new Random(seed);
    const user = new User("u", catalog, false);
    const taken: string[] = [];
    for (let step = 0; step < 6; step++) {
      const rules = drawRules(random).filter((rule) => !/[()]/.test(rule));
      const draft = user.draft();
      try {
        applyRules(draft, rules, context);
      } catch (error) {
        if (!(error instanceof BadRule) && !(error instanceof UnmatchedBracket)) throw error;
        continue;
      }
      user.become(draft);
      taken.push(...commandRules(rules));
      const [root] = user.selectors;
      for (const command of catalog.all) {
        const wanted = isAllowed(taken, command);
        const what = `seed ${seed}, ${command.fullName}: ${taken.join(" ")}`;
        assertEquals(root.allowed[command.id] !== 0, wanted, what);
        assertEquals(user.access[command.id], accessTo(user, command, wanted), what);
        compared++;
      }
    }
  }
  assertEquals(compared > 100_000, true);
});

/** What is to be prepared for a command of a user without selectors. */
function accessTo({ selectors: [root] }: User, command: CatalogCommand, mayRun: boolean): number {
  if (!mayRun && !command.isFree) {
    return root.firstArguments.has(command.id) ? ACCESS_DEPENDS : ACCESS_DENIED;
  }
  const needsKeys = command.hasKeys && !root.allKeys;
  const needsChannels = command.channelUse !== null && !root.allChannels;
  return needsKeys || needsChannels ? ACCESS_DEPENDS : ACCESS_ALLOWED;
}
