/** The subjects of `deno task bench:limits`, in the order in which they run: one file each. */

import type { LimitsCase } from "./cases.ts";
import { CLIENTS } from "./clients.ts";
import { COMMANDS } from "./commands.ts";
import { FIELD_TIMES } from "./fields.ts";
import { LOADING } from "./loading.ts";
import { PIPELINED } from "./pipelined.ts";
import { SORT } from "./sort.ts";
import { MEMORY } from "./memory.ts";
import { STREAMS } from "./streams.ts";
import { TRACKING } from "./tracking.ts";
import { USERS_AND_RULES } from "./users.ts";
import { WHOLE } from "./whole.ts";

export interface Subject {
  /** As `--only` takes it. */
  name: string;
  title: string;
  cases: LimitsCase[];
}

export const SUBJECTS: Subject[] = [
  { name: "commands", title: "Commands that go through large values", cases: COMMANDS },
  { name: "streams", title: "Large streams and searches of places", cases: STREAMS },
  { name: "fields", title: "Fields of hashes that expire", cases: FIELD_TIMES },
  { name: "sort", title: "SORT of large lists", cases: SORT },
  {
    name: "loading",
    title: "Large values that come from a file, a master, RESTORE",
    cases: LOADING,
  },
  { name: "whole", title: "Large values that are handled as a whole", cases: WHOLE },
  { name: "clients", title: "What a client has the server hold", cases: CLIENTS },
  { name: "tracking", title: "Keys that clients keep copies of", cases: TRACKING },
  { name: "users", title: "Users and what they may do", cases: USERS_AND_RULES },
  {
    name: "pipelined",
    title: "Every command in a pipeline, on values of every size",
    cases: PIPELINED,
  },
  { name: "memory", title: "Memory that is given back", cases: MEMORY },
];
