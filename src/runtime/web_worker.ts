/** Threads by the Worker that Deno and Bun have in common with browsers. */

import type { WorkerPort, WorkerProgram } from "./runtime.ts";

/** See Runtime.openWorker. */
export function openWebWorker(
  program: WorkerProgram,
  onMessage: (message: unknown) => void,
  onFailure: (reason: string) => void,
): WorkerPort {
  const worker = new Worker(program.url, { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<unknown>) => onMessage(data);
  worker.onerror = (event) => {
    // Not to be reported as an error of this thread too.
    event.preventDefault();
    worker.terminate();
    onFailure(event.message);
  };
  return {
    isThread: true,
    post: (message, transfer) => worker.postMessage(message, transfer),
    end: () => worker.terminate(),
  };
}
