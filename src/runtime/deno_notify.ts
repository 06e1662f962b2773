/**
 * Telling the service manager of our state (sd_notify(3)) by Deno: a datagram to the Unix socket that
 * NOTIFY_SOCKET names. Needs what is unstable in Deno's `net`.
 */

import { notifyAddress } from "./notify_address.ts";

/** Of each datagram of this process another: an address of our own is free again only later. */
let sent = 0;

/** HostProcess.notifyServiceManager */
export async function notifyByDeno(socket: string | undefined, state: string): Promise<boolean> {
  const path = notifyAddress(socket);
  if (path === null) return false;
  try {
    // One socket for each message, as only one can be under way on a socket. Deno has none without an
    // address; an abstract one leaves no file behind.
    const own = `\0tsredis-notify-${Deno.pid}-${++sent}`;
    const from = Deno.listenDatagram({ transport: "unixpacket", path: own });
    try {
      await from.send(new TextEncoder().encode(state), { transport: "unixpacket", path });
    } finally {
      from.close();
    }
    return true;
  } catch {
    return false;
  }
}
