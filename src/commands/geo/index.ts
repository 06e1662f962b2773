/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { geoadd, geodist, geohash, geopos } from "./position.ts";
import {
  georadius,
  georadiusbymember,
  georadiusbymemberRo,
  georadiusRo,
  geosearch,
  geosearchstore,
} from "./search.ts";

export const geoCommands: readonly CommandDefinition[] = [
  geoadd,
  geodist,
  geohash,
  geopos,
  georadius,
  georadiusRo,
  georadiusbymember,
  georadiusbymemberRo,
  geosearch,
  geosearchstore,
];
