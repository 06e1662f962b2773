/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { publish, spublish } from "./publish.ts";
import { pubsub } from "./pubsub.ts";
import {
  psubscribe,
  punsubscribe,
  ssubscribe,
  subscribe,
  sunsubscribe,
  unsubscribe,
} from "./subscribe.ts";

export const pubsubCommands: readonly CommandDefinition[] = [
  psubscribe,
  publish,
  pubsub,
  punsubscribe,
  spublish,
  ssubscribe,
  subscribe,
  sunsubscribe,
  unsubscribe,
];
