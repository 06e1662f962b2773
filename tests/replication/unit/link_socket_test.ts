import { assertEquals, assertRejects } from "@std/assert";
import { LinkSocket } from "../../../src/replication/link_socket.ts";
import type {
  ConnectHandler,
  Network,
  Socket,
  SocketHandler,
} from "../../../src/runtime/runtime.ts";

/** A socket of which a test sees what is done with it. */
class FakeSocket {
  isReading = true;
  isClosed = false;
  pauseReading(): void {
    this.isReading = false;
  }
  resumeReading(): void {
    this.isReading = true;
  }
  close(): void {
    this.isClosed = true;
  }
}

/** A link over a fake socket, with what the network would call. */
async function connected(): Promise<
  { link: LinkSocket; socket: FakeSocket; handler: SocketHandler }
> {
  const socket = new FakeSocket();
  let handler: SocketHandler | undefined;
  const network = {
    connectTcp(_hostname: string, _port: number, { connected }: ConnectHandler) {
      handler = connected(socket as unknown as Socket);
      return { cancel() {} };
    },
  } as unknown as Network;
  const link = await LinkSocket.connect(network, "localhost", 1, null).socket;
  return { link, socket, handler: handler! };
}

Deno.test("a link that cannot even be tried is refused, and there is nothing to be called off", async () => {
  const network = {
    connectTcp() {
      throw new TypeError("no address");
    },
  } as unknown as Network;
  const attempt = LinkSocket.connect(network, "", 1, null);
  attempt.cancel();
  await assertRejects(() => attempt.socket, TypeError, "no address");
  attempt.cancel();
});

Deno.test("a link for whose input there is no memory is closed, and whoever reads it hears why", async () => {
  const { link, socket, handler } = await connected();
  let filled = 0;
  const end = link.readAll(
    () => {
      throw new RangeError("Array buffer allocation failed");
    },
    () => {
      filled++;
    },
  );
  assertEquals(handler.space(0).length, 0);
  await assertRejects(() => end, RangeError, "Array buffer allocation failed");
  assertEquals([socket.isClosed, filled], [true, 0]);
});

Deno.test("a link goes on reading into what it is given", async () => {
  const { link, socket, handler } = await connected();
  const bytes = new Uint8Array(8);
  const counts: number[] = [];
  const end = link.readAll(() => bytes, (count) => {
    counts.push(count);
  });
  assertEquals(handler.space(0), bytes);
  handler.filled(3);
  handler.ended();
  assertEquals([await end, counts, socket.isClosed], [null, [3], false]);
});
