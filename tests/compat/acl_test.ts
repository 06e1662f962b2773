/**
 * Users beside redis-server: the same drawn rules, good ones and bad ones, and then the same calls, asked about by
 * ACL DRYRUN and made. Compared are replies of ACL SETUSER, what GETUSER shows but for the rules about commands
 * (7.2 keeps them as they were given), what is refused and why, and the entries of ACL LOG.
 */

import { assert, assertEquals } from "@std/assert";
import { drawCall, drawRules } from "../access/rule_generator.ts";
import { Random } from "../support/random.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import type { Reply } from "./reply.ts";
import { Connection, type Peer, realServer, testedServer } from "./support.ts";

const SESSIONS = 25;
const STEPS = 8;
/** Calls for which a connection would wait, end, or be another one afterwards. */
const ONLY_ASKED =
  /^(multi|exec|quit|auth|migrate|[ps]?subscribe|unsubscribe|blpop|xread(group)?|lmpop)$/i;

/** What 7.0 and 7.2 say alike. */
function plain(reply: Reply): unknown {
  switch (reply.kind) {
    case "array":
    case "map":
    case "set":
      return withoutCommands(reply.items.map(plain));
    case "integer":
      return Number(reply.text);
    case "nil":
      return null;
    case "error":
      return `-${reply.text}`;
    default:
      return reply.text.replace(/^(This user|User \w+) has/, "X has");
  }
}

function withoutCommands(items: unknown[]): unknown[] {
  const at = items.indexOf("commands");
  const kept = at < 0 ? items : [...items.slice(0, at), ...items.slice(at + 2)];
  return kept.filter((item) => item !== "sanitize-payload");
}

/** Why a call was refused; null when it was not. */
function refusal({ kind, text }: Reply): string | null {
  if (kind !== "error" || !text.startsWith("NOPERM")) return null;
  if (/ run the '/.test(text)) return text.replace(/^NOPERM (this user|User \w+)/i, "");
  return / channels?( |$)/.test(text) ? "channel" : "key";
}

/** Reason, context, object, user and count of each entry. */
function logEntries(reply: Reply): string[] {
  return reply.items.map(({ items }) => [3, 5, 7, 9, 1].map((at) => items[at].text).join(" "));
}

/** Plays a session and tells all that is to be equal. */
async function played(peer: Peer, seed: number): Promise<{ heard: unknown[]; refusals: number }> {
  const admin = await Connection.open(peer.port);
  const random = new Random(seed);
  const heard: unknown[] = [];
  let refusals = 0;
  await admin.call("ACL", "DELUSER", "u");
  await admin.call("ACL", "LOG", "RESET");
  for (let step = 0; step < STEPS; step++) {
    // A selector in a selector is another thing in 7.0.
    const rules = drawRules(random).filter((rule) => !/\(.*\(|^\($/.test(rule));
    heard.push([rules, plain(await admin.call("ACL", "SETUSER", "u", ...rules))]);
    heard.push(plain(await admin.call("ACL", "GETUSER", "u")));
    const user = await Connection.open(peer.port);
    for (let count = 0; count < 8; count++) {
      const call = drawCall(random);
      heard.push([call, plain(await admin.call("ACL", "DRYRUN", "u", ...call))]);
    }
    await admin.call("ACL", "SETUSER", "u", "on", "nopass");
    heard.push(plain(await user.call("AUTH", "u", "x")));
    for (let count = 0; count < 6; count++) {
      const call = drawCall(random);
      if (ONLY_ASKED.test(call[0])) continue;
      const refused = refusal(await user.call(...call));
      if (refused !== null) refusals++;
      heard.push([call, refused]);
    }
    user.close();
  }
  heard.push(logEntries(await admin.call("ACL", "LOG", "200")));
  admin.close();
  return { heard, refusals };
}

Deno.test({
  name: "drawn rules are taken, shown and enforced as by redis-server",
  ignore: !hasRedisServer,
  async fn() {
    const [real, tested] = [realServer(), testedServer()];
    let refusals = 0;
    try {
      await Promise.all([real.start(), tested.start()]);
      for (let seed = 1; seed <= SESSIONS; seed++) {
        const theirs = await played(real, seed);
        const ours = await played(tested, seed);
        assertEquals(ours.heard, theirs.heard, `seed ${seed}`);
        refusals += theirs.refusals;
      }
    } finally {
      await Promise.all([real.stop(), tested.stop()]);
    }
    assert(refusals > SESSIONS, `only ${refusals} calls were refused`);
  },
});
