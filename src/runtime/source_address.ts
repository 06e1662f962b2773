/**
 * Connections that begin at an address of choice, on Deno, whose own sockets leave it to the system: by
 * `node:net`, in the shape of Bun's sockets, so that they are served as those are. Made for links that
 * say little: what is written waits in memory until the system takes it.
 */

import { Connected, type Raw } from "./bun_sockets.ts";
import { nodeNet } from "./builtin_modules.ts";
import type { ConnectHandler } from "./runtime.ts";

/** Begins to connect; `failed` is called, once, when there is no connection from that address. */
export function connectFrom(
  source: string,
  hostname: string,
  port: number,
  connected: ConnectHandler["connected"],
  failed: () => void,
): { cancel(): void } {
  const socket = nodeNet().connect({
    host: hostname,
    port,
    localAddress: source,
    allowHalfOpen: true,
  });
  let end: Connected | null = null;
  let cause: Error | undefined;
  socket.on("connect", () => {
    end = new Connected(rawOf(socket), null);
    end.serveWith(connected(end));
  });
  socket.on("data", (bytes) => {
    if (typeof bytes !== "string") end?.arrived(Uint8Array.from(bytes));
  });
  socket.on("end", () => end?.ended());
  socket.on("error", (error) => cause = error);
  socket.on("close", () => {
    if (end === null) failed();
    else end.closed(cause);
  });
  return { cancel: () => socket.destroy() };
}

function rawOf(socket: ReturnType<ReturnType<typeof nodeNet>["connect"]>): Raw {
  return {
    data: undefined,
    localAddress: socket.localAddress ?? "",
    localPort: socket.localPort ?? 0,
    remoteAddress: socket.remoteAddress,
    remotePort: socket.remotePort ?? 0,
    write(bytes, from, count) {
      socket.write(bytes.slice(from, from + count));
      return count;
    },
    end() {
      socket.end();
      socket.destroySoon();
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    setNoDelay(isOn) {
      socket.setNoDelay(isOn);
      return true;
    },
    setKeepAlive(isOn) {
      socket.setKeepAlive(isOn);
      return true;
    },
  };
}
