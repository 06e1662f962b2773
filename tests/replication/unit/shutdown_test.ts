/** SHUTDOWN with replicas that lag, when the dataset cannot be saved. */

import { assertEquals } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import { MasterRig } from "../../support/master_rig.ts";

Deno.test("SHUTDOWN answers all who have asked when it cannot save, whoever waits for replicas", async () => {
  const rig = new MasterRig({ "save": "3600 1" });
  rig.onlineReplica();
  rig.run("SET", "k", "v"); // not acknowledged
  const folder = Deno.makeTempDirSync();
  rig.config.assign("dir", [folder]);
  Deno.removeSync(folder);
  const patient = rig.connect();
  const hasty = rig.connect();
  assertEquals(patient.run("SHUTDOWN"), undefined);
  assertEquals(hasty.run("SHUTDOWN", "NOW"), undefined);
  try {
    const answers: unknown[][] = [[], []];
    await eventually(() => {
      [patient, hasty].forEach((client, i) => answers[i].push(...client.received()));
      return answers.every((received) => received.length > 0);
    });
    const refusal = { error: "ERR Errors trying to SHUTDOWN. Check logs." };
    assertEquals(answers, [[refusal], [refusal]]);
    assertEquals(rig.clients.blockedCount, 0);
    assertEquals(rig.exits, []);
    assertEquals(rig.run("SET", "k", "w"), "OK");
  } finally {
    rig.core.close();
  }
});

Deno.test("SHUTDOWN ABORT calls off what a signal has asked for while DEBUG PAUSE-CRON is on", () => {
  const rig = new MasterRig({ "save": "" });
  const signal = () =>
    rig.core.requestShutdownBySignal({
      save: "default",
      force: false,
      now: true,
      onWaiting: () => {},
      onRefused: () => {},
    });
  rig.run("DEBUG", "PAUSE-CRON", "1");
  signal();
  rig.core.cron();
  assertEquals([rig.exits, rig.core.isShutdownUnderWay], [[], true]);
  assertEquals(rig.run("SHUTDOWN", "ABORT"), "OK");
  assertEquals(rig.run("SHUTDOWN", "ABORT"), { error: "ERR No shutdown in progress." });
  signal();
  rig.run("DEBUG", "PAUSE-CRON", "0");
  rig.core.cron();
  assertEquals(rig.exits, [0]);
});
