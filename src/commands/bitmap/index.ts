/** The commands of this group. */

import type { CommandDefinition } from "../../dispatch/command.ts";
import { getbit, setbit } from "./bit.ts";
import { bitfield, bitfieldRo } from "./bitfield.ts";
import { bitop } from "./bitop.ts";
import { bitcount, bitpos } from "./count.ts";

export const bitmapCommands: readonly CommandDefinition[] = [
  bitcount,
  bitfield,
  bitfieldRo,
  bitop,
  bitpos,
  getbit,
  setbit,
];
