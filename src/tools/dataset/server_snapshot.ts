/**
 * The data of a running server, as of one instant: it is asked for a snapshot as a replica asks (SYNC), which servers
 * from 2.8 on answer, and the snapshot is kept in a file. Nothing is changed there; as for a new replica the server
 * makes one background save, and the user needs the right to SYNC.
 */

import { SYNC } from "../../replication/handshake.ts";
import { type Payload, payloadOf } from "../../replication/sync_receiver.ts";
import { Progress } from "../progress.ts";
import { ToolFailure, type ToolHost } from "../tool.ts";
import type { BytesSink } from "../byte_writer.ts";
import type { ServerAddress } from "./server_address.ts";
import { type ServerLink, withServer } from "./server_link.ts";

/** Has a server send its snapshot. Rejects with a ToolFailure, or when interrupted. */
export async function downloadSnapshot(
  host: ToolHost,
  address: ServerAddress,
  to: BytesSink,
): Promise<void> {
  await withServer(host, address, async (link) => {
    // Servers that do not know these say so; the snapshot comes all the same.
    await link.ask("REPLCONF", "capa", "eof");
    await link.ask("REPLCONF", "rdb-only", 1);
    await link.send(SYNC);
    const line = await link.line();
    const payload = payloadOf(
      line,
      (bytes, offset, length) => to.write(bytes, offset, offset + length),
    );
    if (payload === null) {
      throw new ToolFailure(`${address.name}: ${line.slice(1)}. ${WITHOUT_SYNC}`);
    }
    await receive(host, link, payload);
  });
}

const WITHOUT_SYNC = "Where SYNC is not to be had, --scan asks key by key.";

async function receive(host: ToolHost, link: ServerLink, payload: Payload): Promise<void> {
  const progress = new Progress(host, `Receiving ${link.name}`, Math.max(0, payload.totalBytes));
  let received = 0;
  try {
    while (!payload.isComplete) {
      await link.pass((bytes, from, to) => {
        const end = payload.take(bytes, from, to);
        received += end - from;
        return end;
      });
      if (progress.isDue()) await progress.show(received, 0);
    }
  } finally {
    progress.end();
  }
}
