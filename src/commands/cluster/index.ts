/** The group "cluster" of the Redis reference. */

import { cluster } from "./cluster.ts";
import { asking, readonly, readwrite } from "./redirection.ts";

export const clusterCommands = [asking, cluster, readonly, readwrite];
