/** All trials of survival, in the order in which they are run. */

import { clocks } from "./clocks.ts";
import { crowd } from "./crowd.ts";
import { damagedFiles } from "./damaged_files.ts";
import { killedInSync } from "./killed_in_sync.ts";
import { killedUnderLoad } from "./killed_under_load.ts";
import { killedWithAof } from "./killed_with_aof.ts";
import { chain, manyReplicas } from "./many_replicas.ts";
import { noise } from "./noise.ts";
import { partitions } from "./partitions.ts";
import { proxyFaults } from "./proxy_faults.ts";
import { roleFlips } from "./role_flips.ts";
import { soak } from "./soak.ts";
import type { Trial } from "./trial.ts";

export const TRIALS: readonly Trial[] = [
  killedUnderLoad,
  ...killedWithAof,
  killedInSync,
  damagedFiles,
  proxyFaults,
  noise,
  partitions,
  clocks,
  roleFlips,
  manyReplicas,
  chain,
  crowd,
  soak,
];
