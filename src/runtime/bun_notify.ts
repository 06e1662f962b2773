/**
 * Telling the service manager of our state (sd_notify(3)) by Bun, which has no datagrams on Unix
 * sockets: the C library's calls. (`systemd-notify` would be another process, which the manager does
 * not listen to under `NotifyAccess=main`.)
 */

import { type ForeignFunctions, LIBC_NAMES } from "./builtin_modules.ts";
import { notifyAddress } from "./notify_address.ts";

// Values of Linux, on all its machines.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
/** Neither waits for a manager that does not read, nor raises SIGPIPE. */
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;

/** HostProcess.notifyServiceManager; `functions` gives `bun:ffi`, once there is somebody to tell. */
export function notifyByBun(
  functions: () => ForeignFunctions,
  socket: string | undefined,
  state: string,
): boolean {
  const path = notifyAddress(socket);
  if (path === null) return false;
  const address = socketAddress(path);
  const message = new TextEncoder().encode(state);
  const ffi = functions();
  const libc = openLibrary(ffi);
  if (libc === null) return false;
  const { socket: open, sendto, close } = libc.symbols;
  const descriptor = Number(open(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0));
  if (descriptor < 0) return false;
  const sent = sendto(
    descriptor,
    ffi.ptr(message),
    message.length,
    MSG_DONTWAIT_NOSIGNAL,
    ffi.ptr(address),
    address.length,
  );
  close(descriptor);
  libc.close();
  return Number(sent) === message.length;
}

/** struct sockaddr_un: the family in the machine's byte order, then the path. */
function socketAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  // The name of an abstract socket goes to the end of the address, a path to its first zero byte.
  const address = new Uint8Array(2 + name.length + (path[0] === "\0" ? 0 : 1));
  address[0] = AF_UNIX; // all machines that Bun runs on are little-endian
  address.set(name, 2);
  return address;
}

function openLibrary(ffi: ForeignFunctions) {
  for (const name of LIBC_NAMES) {
    try {
      return ffi.dlopen(name, {
        socket: { args: ["int", "int", "int"], returns: "int" },
        sendto: { args: ["int", "ptr", "usize", "int", "ptr", "u32"], returns: "i64" },
        close: { args: ["int"], returns: "int" },
      });
    } catch {
      // That of the other kind of system.
    }
  }
  return null;
}
