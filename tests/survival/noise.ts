/**
 * A network that changes what it carries, for minutes and under load: bytes that come twice, that are lost, that come
 * from nowhere, and, where TLS guards the link, any bit.
 *
 *     fault                          without TLS it is noticed by                               then
 *     late bytes, cut connections    –                                                          a partial resync
 *     bytes twice, or of nobody      no command, or an offset beyond the master's               a full sync
 *     lost bytes                     no command; else by an offset that stays behind: INFO and  a full sync, or a
 *                                    WAIT show it                                               person's word
 *     bits of a snapshot             its checksum                                               another full sync
 *     bits of a value                nothing: TCP's own checksum is all there is                –
 *     any of them, with TLS          TLS                                                        a partial resync
 *
 * So nothing of what can be noticed ends in two datasets that are taken for one.
 */

import { assertEquals } from "@std/assert";
import { Certificates, hasOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free_port.ts";
import type { Random } from "../support/random.ts";
import { startLoad } from "../support/replication_load.ts";
import {
  ask,
  askText,
  infoOf,
  inStep,
  linkUp,
  offsetOf,
  replicate,
  withLog,
} from "../support/replication_peers.ts";
import { type Damage, LinkProxy } from "../support/replication_proxy.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { tlsArgs } from "../support/tls_servers.ts";
import { firstContent } from "./known_history.ts";
import { type Field, type Figures, pause, type Trial } from "./trial.ts";

export const noise: Trial = {
  name: "noise",
  title:
    "a network that repeats, loses, inserts and (with TLS) flips bytes, delays and cuts, under load: the " +
    "datasets end equal, or it shows that they are not",
  unit: "rounds",
  sizeOf: "keys",
  short: { amount: 2, size: 300 },
  long: { amount: 120, size: 5_000 },
  msPerUnit: 2_500,
  needs: { isHere: hasOpenssl, suffix: "openssl" },
  run,
};

/** How a fault that changes bytes ended. */
type End = "equal" | "shown";

type Draw = (random: Random) => Partial<Damage>;

const INCREMENT = "*2\r\n$4\r\nINCR\r\n$5\r\nnoise\r\n";

/** What may happen to bytes that TLS guards; and, but for flipped bits, to others. */
const DAMAGES: Record<string, Draw> = {
  "a command of nobody": () => ({ insert: new TextEncoder().encode(INCREMENT) }),
  "bytes twice": (random) => ({ repeat: random.between(1, 3_000) }),
  "bytes of nobody": (random) => ({ insert: random.bytes(random.between(1, 200)) }),
  "lost bytes": (random) => ({ drop: random.between(1, 3_000) }),
  "flipped bits": (random) => ({ flip: random.between(1, 255) }),
};

async function run(field: Field): Promise<Figures> {
  const certificates = field.use(Certificates.usual());
  const tlsPort = freePort();
  const master = await field.start([...SHORT_TIMES, ...tlsArgs(certificates, tlsPort)]);
  {
    using client = await master.connect();
    for (const words of firstContent(field.extent.size)) await client.call(...words);
  }
  // Another one lives through all of it, behind a network that is only late and cut.
  const steady = await field.start(SHORT_TIMES);
  const late = field.use(LinkProxy.to(master, { records: false }));
  await replicate(steady, late);
  await linkUp(steady);
  const ends = { equal: 0, shown: 0 };
  const kinds = Object.keys(DAMAGES);
  for (let number = 0; number < field.extent.amount; number++) {
    const random = field.random(number);
    const isSealed = number % 2 === 1;
    const some = isSealed ? kinds : kinds.filter((kind) => kind !== "flipped bits");
    const kind = some[(number >> 1) % some.length];
    await field.round(number, `${kind}${isSealed ? ", with TLS" : ""}`, async () => {
      const target = isSealed ? { port: tlsPort } : master;
      await using proxy = LinkProxy.to(target, { records: false });
      const tls = freePort();
      const args = isSealed ? [...tlsArgs(certificates, tls), "--tls-replication", "yes"] : [];
      await using replica = await field.start([...SHORT_TIMES, ...args]);
      await withLog([master, replica], async () => {
        const replicaPort = isSealed ? tls : replica.port;
        const scene = { field, random, master, replica, replicaPort, proxy, late, isSealed, kind };
        ends[await damageOnce(scene)]++;
      });
    });
    await disturb(late, random);
  }
  late.heal();
  await linkUp(steady);
  await inStep(master, steady);
  const fullSyncs = steady.log.split("Full resync from master").length - 1;
  assertEquals(fullSyncs, 1, "full syncs of the one behind a slow network");
  return {
    faults: field.extent.amount,
    "ended equal": ends.equal,
    "shown by the offset": ends.shown,
    "links of the one behind a slow network": late.links.length,
  };
}

/** So that it shows soon who lives, and no partial resync is refused for its length. */
const SHORT_TIMES = ["--repl-timeout", "4", "--repl-ping-replica-period", "1"];

interface Scene {
  field: Field;
  random: Random;
  master: ServerProcess;
  replica: ServerProcess;
  replicaPort: number;
  proxy: LinkProxy;
  late: LinkProxy;
  isSealed: boolean;
  kind: string;
}

async function damageOnce(scene: Scene): Promise<End> {
  const { field, random, master, replica, proxy, late, isSealed, kind } = scene;
  await replicate(replica, proxy);
  await linkUp(replica);
  const load = await startLoad(master, { seed: random.below(1e6), hasShortFields: true });
  await using _ = load;
  await load.further(100);
  const direction = isSealed && random.chance(0.3) ? "toMaster" : "toReplica";
  const at = proxy.link.count(direction) + random.below(direction === "toReplica" ? 3_000 : 60);
  proxy.damage({ direction, at, ...DAMAGES[kind](random) });
  await disturb(late, random);
  await eventually(() => !proxy.awaitsDamage, { timeoutMs: 30_000, what: "the damage to come" });
  await load.further(100);
  await load.stop();
  late.heal();
  const end = await endOf(scene);
  field.say(`${kind} ${direction}: ${end}`);
  if (isSealed) {
    assertEquals(end, "equal", "a link with TLS");
    assertEquals(replica.log.split("Full resync from master").length, 2, "full syncs with TLS");
  }
  return end;
}

/** Looks in a row that have to find a replica behind, whatever it is asked, before that counts as shown. */
const BEHIND_LOOKS = 5;

/** Waits for the outcome, and fails where two datasets are taken for one. */
async function endOf({ master, replica, replicaPort, kind, isSealed }: Scene): Promise<End> {
  let behind = 0;
  const look = async (): Promise<End | null> => {
    if ((await infoOf(replica)).master_link_status !== "up") {
      behind = 0;
      return null;
    }
    await ask(master, "SET", "of the end", `${performance.now()}`);
    const offset = await offsetOf(master);
    if (await acknowledged(master, replicaPort) < offset) {
      behind++;
      return behind >= BEHIND_LOOKS && kind === "lost bytes" && !isSealed ? "shown" : null;
    }
    const [ours, theirs] = await Promise.all(
      [master, replica].map((server) => askText(server, "DEBUG", "DIGEST")),
    );
    if (ours === theirs) return "equal";
    if (offset !== await offsetOf(master) || offset !== await offsetOf(replica)) return null;
    throw new Error(`both are at offset ${offset}, and their data differ`);
  };
  const { end } = await eventually(async () => {
    const end = await look();
    return end === null ? null : { end };
  }, { timeoutMs: 60_000, what: `an end of ${kind}` }) ?? {};
  return end!;
}

/** What the replica that listens at this port confirms when it is asked; -1 while it is not there. */
async function acknowledged(master: ServerProcess, port: number): Promise<number> {
  using client = await master.connect();
  await client.pipeline([["SET", "asked", "1"], ["WAIT", "2", "300"]]);
  const fields = Object.values(await infoOf(master));
  const line = fields.find((text) => text.includes(`,port=${port},`)) ?? "";
  return Number(/,offset=(\d+),/.exec(line)?.[1] ?? -1);
}

/** Bytes come late for a while, or a connection is cut. */
async function disturb(proxy: LinkProxy, random: Random): Promise<void> {
  proxy.heal();
  if (random.chance(0.4)) return proxy.cut();
  if (random.chance(0.5)) {
    proxy.bytesPerMs = random.between(50, 400);
    return;
  }
  const direction = random.pick(["toMaster", "toReplica"] as const);
  proxy.stall(direction);
  await pause(random.between(50, 800));
  proxy.resume(direction);
}
