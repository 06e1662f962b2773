/**
 * Rules as redis-server 7.2.4 took and showed them (`tests/fixtures/access`), and what it then allowed: rules are
 * drawn by rule_generator.ts, good ones and bad ones, one ACL SETUSER after the other on the same user.
 */

import { assertEquals } from "@std/assert";
import { testServer } from "../support/test_server.ts";

interface Step {
  readonly rules: string[];
  readonly set: unknown;
  readonly line: string | null;
  readonly calls: [string[], unknown][];
}

const file = new URL("../fixtures/access/rules_7_2_4.json", import.meta.url);
const sessions: Step[][] = JSON.parse(Deno.readTextFileSync(file));

sessions.forEach((steps, i) => {
  Deno.test(`ACL SETUSER, LIST and DRYRUN answer as redis-server 7.2.4 did, session ${i}`, () => {
    const s = testServer();
    for (const { rules, set, line, calls } of steps) {
      const where = JSON.stringify(rules);
      assertEquals(s.run("ACL", "SETUSER", "u", ...rules), set as never, where);
      const lines = s.run("ACL", "LIST") as string[];
      assertEquals(lines.find((each) => each.startsWith("user u ")) ?? null, line, where);
      for (const [call, answer] of calls) {
        assertEquals(
          s.run("ACL", "DRYRUN", "u", ...call),
          answer as never,
          `${line}: ${call.join(" ")}`,
        );
      }
      if (line === null) continue;
      // What a file says of the user makes it again.
      const { fileLine } = s.core.access.users.find("u")!;
      s.run("ACL", "SETUSER", "again", "reset", ...fileLine.split(" ").slice(2));
      const again = (s.run("ACL", "LIST") as string[]).find((each) =>
        each.startsWith("user again")
      );
      assertEquals(again?.replace("user again", "user u"), line);
    }
  });
});
