/** How long a master has been up: one that was started a short while ago may have lost its data. */

import type { ReplicationHost } from "./host.ts";
import { infoOf } from "./info_of.ts";

/** Whole seconds; null when it cannot be reached, or does not say. */
export async function masterUptime(
  host: ReplicationHost,
  masterHost: string,
  masterPort: number,
): Promise<number | null> {
  const fields = await infoOf(host, masterHost, masterPort, "server");
  const seconds = Number(fields?.get("uptime_in_seconds") ?? NaN);
  return Number.isNaN(seconds) ? null : seconds;
}
