/** The address in NOTIFY_SOCKET, as the system's calls take it; see sd_notify(3). */

/**
 * A path, or a name in the abstract namespace, which begins with a zero byte (and with "@" in the
 * variable). Null when there is none, and for other kinds of socket.
 */
export function notifyAddress(socket: string | undefined): string | null {
  if (socket === undefined || socket.length < 2) return null;
  if (socket[0] === "@") return "\0" + socket.slice(1);
  return socket[0] === "/" ? socket : null;
}
