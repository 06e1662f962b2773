/** `tsredis check`: what a snapshot or an append-only file has in it, and whether it is sound. */

import { ManifestError } from "../../aof/manifest.ts";
import { PositionReader } from "../../aof/position.ts";
import type { LoadedReplication } from "../../rdb/persistence.ts";
import { SystemError } from "../../runtime/system_error.ts";
import { beginningOf, type DataPart, type DataSet, findDataSets } from "../data_files.ts";
import { Progress } from "../progress.ts";
import {
  EXIT_FOUND,
  EXIT_WELL,
  type Tool,
  type ToolCall,
  ToolFailure,
  type ToolHost,
} from "../tool.ts";
