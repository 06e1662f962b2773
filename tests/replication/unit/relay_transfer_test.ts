/** Whether the bytes of a snapshot are compressed on their way goes by how fast its receivers take them. */

import { assertEquals } from "@std/assert";
import { RelayTransfer } from "../../../src/replication/relay_transfer.ts";

const MB = 1 << 20;

/** A transfer with receivers, and a clock that stands still. */
class Rig {
  nowMs = 1_000;
  readonly transfer: RelayTransfer;
  readonly receivers;

  constructor(receivers = 1, alwaysCompresses = false) {
    this.transfer = new RelayTransfer("m".repeat(40), () => this.nowMs, alwaysCompresses);
    this.receivers = Array.from({ length: receivers }, () => this.transfer.receiver());
    for (const receiver of this.receivers) receiver.sent(receiver.next()!.length);
  }

  made(bytes: number): void {
    for (let at = 0; at < bytes; at += MB) this.transfer.onBytes(new Uint8Array(MB), MB);
  }

  /** A receiver takes so many bytes, if there are. */
  takes(bytes: number, receiver = this.receivers[0]): void {
    for (let left = bytes; left > 0;) {
      const next = receiver.next();
      if (next === null) return;
      const count = Math.min(left, next.length);
      receiver.sent(count);
      left -= count;
    }
  }
}

Deno.test("a snapshot is compressed once bytes have waited for a slow link, until it is fast again", () => {
  const rig = new Rig();
  const { transfer } = rig;
  const after = (ms: number) => {
    rig.nowMs += ms;
    return transfer.compresses();
  };
  rig.made(8 * MB);
  assertEquals(after(10), false, "nothing is known yet");
  rig.takes(MB);
  assertEquals(after(100), true, "9 MB a second");
  rig.takes(MB);
  assertEquals(after(50), true, "too early to look again");
  rig.takes(3 * MB);
  assertEquals(after(60), false, "36 MB a second");
  assertEquals(after(100), true, "nothing at all");
});

Deno.test("a snapshot is not compressed while its receivers wait for more of it", () => {
  const rig = new Rig();
  for (let i = 0; i < 5; i++) {
    rig.made(MB);
    rig.takes(MB);
    rig.nowMs += 500;
    assertEquals(rig.transfer.compresses(), false);
  }
});

Deno.test("the slowest receiver of a snapshot decides whether it is compressed", () => {
  const rig = new Rig(2);
  rig.made(8 * MB);
  rig.takes(8 * MB, rig.receivers[0]);
  rig.nowMs += 100;
  assertEquals(rig.transfer.compresses(), true);
  rig.receivers[1].close();
  rig.made(8 * MB);
  rig.takes(4 * MB);
  rig.nowMs += 100;
  assertEquals(rig.transfer.compresses(), false);
});

Deno.test("a snapshot whose first bytes are late is not compressed for that", () => {
  const rig = new Rig();
  rig.nowMs += 500;
  assertEquals(rig.transfer.compresses(), false);
  rig.made(MB);
  assertEquals(rig.transfer.compresses(), false);
});

Deno.test("a snapshot that somebody keeps is always compressed", () => {
  assertEquals(new Rig(1, true).transfer.compresses(), true);
});
