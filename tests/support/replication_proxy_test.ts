/** That the bad network of replication tests is as bad as asked for, and no worse. */

import { assertEquals, assertRejects } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { eventually } from "./eventually.ts";
import { LinkProxy } from "./replication_proxy.ts";

/** A server that sends back what it gets, behind a proxy. */
class Echo implements AsyncDisposable {
  readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly proxy = LinkProxy.to(this.listener.addr as Deno.NetAddr);
  readonly #serving = this.#serve();
  readonly #pipes: Promise<void>[] = [];

  async #serve(): Promise<void> {
    for await (const conn of this.listener) {
      this.#pipes.push(conn.readable.pipeTo(conn.writable).catch(() => {}));
    }
  }

  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.proxy.port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    this.listener.close();
    await this.#serving;
    await Promise.all(this.#pipes);
  }
}

/** What arrives, up to `size` bytes or the end. */
async function receive(conn: Deno.Conn, size: number): Promise<string> {
  let text = "";
  const room = new Uint8Array(1000);
  while (text.length < size) {
    const count = await conn.read(room).catch(() => null);
    if (count === null) break;
    text += toLatin1(room.subarray(0, count));
  }
  return text;
}

Deno.test("a proxy forwards and records both directions, and cuts", async () => {
  await using echo = new Echo();
  using conn = await echo.connect();
  await conn.write(latin1("hello\xff"));
  assertEquals(await receive(conn, 6), "hello\xff");
  const { link } = echo.proxy;
  assertEquals(toLatin1(link.recorded("toMaster")), "hello\xff");
  assertEquals(toLatin1(link.recorded("toReplica")), "hello\xff");
  echo.proxy.cut();
  assertEquals(await receive(conn, 1), "");
});

Deno.test("a proxy cuts after exactly so many bytes of a direction, once", async () => {
  await using echo = new Echo();
  echo.proxy.cutAfter("toReplica", 4);
  {
    using conn = await echo.connect();
    await conn.write(latin1("abcdefgh"));
    assertEquals(await receive(conn, 8), "abcd");
  }
  using conn = await echo.connect();
  await conn.write(latin1("abcdefgh"));
  assertEquals(await receive(conn, 8), "abcdefgh");
});

Deno.test("a proxy flips and inserts bytes, once", async () => {
  await using echo = new Echo();
  echo.proxy.damage({ direction: "toReplica", at: 2, flip: 0x20, insert: latin1("--") });
  using conn = await echo.connect();
  await conn.write(latin1("abcd"));
  assertEquals(await receive(conn, 6), "ab--Cd");
  await conn.write(latin1("abcd"));
  assertEquals(await receive(conn, 4), "abcd");
});

Deno.test("a proxy sends bytes twice, and loses some", async () => {
  await using echo = new Echo();
  using conn = await echo.connect();
  echo.proxy.damage({ direction: "toReplica", at: 1, repeat: 2 });
  await conn.write(latin1("abcd"));
  assertEquals(await receive(conn, 6), "abcbcd");
  assertEquals(echo.proxy.awaitsDamage, false);
  echo.proxy.damage({ direction: "toReplica", at: 7, drop: 2 });
  assertEquals(echo.proxy.awaitsDamage, true);
  await conn.write(latin1("efgh"));
  assertEquals(await receive(conn, 2), "eh");
});

Deno.test("a proxy refuses, accepts again, stalls and goes slowly", async () => {
  await using echo = new Echo();
  await echo.proxy.refuse();
  await assertRejects(() => echo.connect(), Deno.errors.ConnectionRefused);
  echo.proxy.accept();
  echo.proxy.bytesPerMs = 2;
  using conn = await echo.connect();
  await conn.write(latin1("abcdef"));
  assertEquals(await receive(conn, 6), "abcdef");
  echo.proxy.stall("toReplica");
  await conn.write(latin1("ghi"));
  await eventually(() => echo.proxy.link.count("toMaster") === 9);
  assertEquals(echo.proxy.link.count("toReplica"), 6);
  echo.proxy.resume("toReplica");
  assertEquals(await receive(conn, 3), "ghi");
});
