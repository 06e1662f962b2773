/// <reference lib="deno.worker" />
/** The thread that save_work.ts runs in. */

import { runtime } from "../runtime/here.ts";
import { runSaveWork } from "./save_work.ts";

// Nobody waits for a snapshot as clients wait for their answers.
runtime.process.lowerThreadPriority();
const hear = runSaveWork(runtime, (message, transfer) => self.postMessage(message, transfer));
self.onmessage = ({ data }: MessageEvent<unknown>) => hear(data);
