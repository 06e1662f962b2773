/** A rewrite goes over to the next file: that waits for the disk, and the server does not. */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/bytes.ts";
import { AofWriter } from "../../src/aof/writer.ts";
import { runtime } from "../../src/runtime/here.ts";
import type { OpenFile } from "../../src/runtime/runtime.ts";
import { SystemError } from "../../src/runtime/system_error.ts";
import { testServer } from "../support/test_server.ts";

/** A writer on two files, whose syncs end when the test says so. */
class Rig implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "tsredis-test-" });
  readonly server: ReturnType<typeof testServer>;
  readonly writer: AofWriter;
  /** Syncs that this thread has waited for. */
  syncs = 0;
  /** Ends the sync in the background that was begun last. */
  endSync: (error?: Error) => void = () => {};
  replies = 0;

  constructor(appendfsync = "everysec") {
    this.server = testServer({ directives: { appendfsync } });
    this.writer = new AofWriter({
      keyspace: this.server.keyspace,
      config: this.server.config,
      log: this.server.core.log,
      files: runtime.files,
      took: () => {},
      failureChanged: () => this.replies++,
      synced: () => {},
      position: () => null,
      isSnapshotUnderWay: () => false,
    });
    this.open("1");
  }

  /** What follows goes into this file. */
  open(name: string): void {
    const path = `${this.folder}/${name}`;
    this.writer.writeTo(path, this.#file(path), this.#file(path));
  }

  #file(path: string): OpenFile {
    const file = runtime.files.open(path, "append");
    file.sync = () => {
      this.syncs++;
    };
    file.syncSoon = () =>
      new Promise((resolve, reject) => {
        this.endSync = (error) => error === undefined ? resolve() : reject(error);
      });
    return file;
  }

  append(text: string): void {
    const bytes = latin1(text);
    this.writer.append(bytes, 0, bytes.length);
    this.writer.flush();
  }

  text(name: string): string {
    return Deno.readTextFileSync(`${this.folder}/${name}`);
  }

  pass(ms: number): void {
    this.server.clock.nowMs += ms;
    this.writer.flush();
  }

  [Symbol.dispose](): void {
    this.writer.close();
    this.server.core.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

for (const policy of ["everysec", "no"]) {
  Deno.test(`appendfsync ${policy}: the next file gets nothing before the one before it is on the disk`, async () => {
    using rig = new Rig(policy);
    rig.append("a");
    rig.writer.complete();
    rig.open("2");
    rig.append("b");
    rig.pass(1_500);
    assertEquals([rig.text("1"), rig.text("2"), rig.writer.isHeld], ["a", "", true]);
    rig.endSync();
    await settled();
    assertEquals([rig.text("2"), rig.writer.isHeld, rig.syncs], ["b", false, 0]);
  });
}

Deno.test("after two seconds the server waits for a disk that is too slow, as it does for a sync", async () => {
  using rig = new Rig();
  rig.append("a");
  rig.writer.complete();
  rig.open("2");
  rig.append("b");
  rig.pass(2_500);
  assertEquals([rig.text("2"), rig.writer.isHeld, rig.syncs], ["b", false, 1]);
  assertEquals(rig.writer.delayedSyncs, 1);
  // The sync in the background ends some time later.
  rig.endSync();
  await settled();
  rig.append("c");
  assertEquals(rig.text("2"), "bc");
});

Deno.test("a sync of the file before that fails is a failure, and what follows is written", async () => {
  using rig = new Rig();
  rig.append("a");
  rig.writer.complete();
  rig.open("2");
  rig.append("b");
  rig.endSync(new SystemError("EIO", "Input/output error"));
  await settled();
  assertEquals([rig.writer.failure, rig.writer.isDamaged], ["Input/output error", true]);
  rig.pass(100);
  assertEquals(rig.text("2"), "b");
});

Deno.test("who asks for a next file while that is under way, waits for it", async () => {
  using rig = new Rig();
  rig.append("a");
  rig.writer.complete();
  rig.open("2");
  rig.append("b");
  let isAhead = false;
  const ahead = rig.writer.syncAhead().then(() => isAhead = true);
  await settled();
  assertEquals(isAhead, false);
  rig.endSync();
  await settled();
  rig.endSync();
  await ahead;
  rig.writer.complete();
  rig.open("3");
  assertEquals(rig.text("2"), "b");
});

Deno.test("the end of the server writes what was held, behind the file before it", () => {
  const rig = new Rig();
  rig.append("a");
  rig.writer.complete();
  rig.open("2");
  rig.append("b");
  rig.writer.close();
  assertEquals(rig.text("2"), "b");
  assert(rig.syncs >= 2);
  rig[Symbol.dispose]();
});
