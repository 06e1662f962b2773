/** Who started the server, as far as `supervised` asks. */

import type { HostProcess } from "../runtime/runtime.ts";
import type { Config } from "./config.ts";

/** "systemd" if `supervised` lets it be told of the start and it has asked to be; else "no". */
export function supervisorOf(config: Config, process: HostProcess): "systemd" | "no" {
  const wanted = config.value("supervised");
  if (wanted !== "systemd" && wanted !== "auto") return "no";
  return process.environment("NOTIFY_SOCKET") === undefined ? "no" : "systemd";
}
