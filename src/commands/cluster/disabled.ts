/** The answer of commands that only mean something in a cluster. */

import type { Call } from "../../dispatch/call.ts";

/** Answers that there is no cluster mode. */
export function refuseWithoutCluster({ reply }: Call): void {
  reply.error("ERR This instance has cluster support disabled");
}
