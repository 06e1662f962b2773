/** Limits of a client's unread output and unparsed input; whoever is over one is disconnected. */

import type { Client } from "../dispatch/client.ts";
import type { Services } from "../dispatch/services.ts";

/** Whether the client's output is over `client-output-buffer-limit` of its class; logs it. */
export function isOverLimit(server: Services, client: Client): boolean {
  const bytes = client.reply.pendingBytes;
  if (bytes === 0) {
    client.overSoftLimitSinceMs = 0;
    return false;
  }
  const limits = server.config.value("client-output-buffer-limit");
  const limit = client.isReplica
    ? limits.replica
    : client.channelCount + client.patternCount + client.shardChannelCount > 0
    ? limits.pubsub
    : limits.normal;
  let isOver = limit.hardBytes > 0 && bytes >= limit.hardBytes;
  if (!isOver && limit.softBytes > 0 && bytes >= limit.softBytes) {
    if (client.overSoftLimitSinceMs === 0) client.overSoftLimitSinceMs = server.keyspace.nowMs;
    isOver = server.keyspace.nowMs - client.overSoftLimitSinceMs > limit.softSeconds * 1000;
  } else if (!isOver) client.overSoftLimitSinceMs = 0;
  if (!isOver) return false;
  server.statistics.outputBufferLimitDisconnections++;
  server.log.warning(
    `Client id=${client.id} addr=${client.transport.address} scheduled to be closed ASAP for ` +
      "overcoming of output buffer limits.",
  );
  return true;
}

/** Whether the client's unparsed input is over `client-query-buffer-limit`; logs it. */
export function isOverQueryLimit(server: Services, client: Client): boolean {
  const bytes = client.parser?.pendingBytes ?? 0;
  if (bytes <= server.config.value("client-query-buffer-limit")) return false;
  server.statistics.queryBufferLimitDisconnections++;
  server.log.warning(
    `Closing client that reached max query buffer length: id=${client.id} ` +
      `addr=${client.transport.address} qbuf=${bytes}`,
  );
  return true;
}
