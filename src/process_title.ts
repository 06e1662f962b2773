/**
 * What `ps` shows of the process: `set-proc-title` and `proc-title-template`. For main.ts: a server
 * inside another program leaves that program's title alone.
 */

import type { Config } from "./config/config.ts";
import type { Runtime } from "./runtime/runtime.ts";

/** Under Deno the first title costs about 20 ms, which no client of a fresh start should wait for. */
const FIRST_TITLE_MS = 500;

/** Sets the title, soon and whenever CONFIG SET changes what it tells. */
export function keepProcessTitle(config: Config, { process, timers }: Runtime): void {
  if (!config.value("set-proc-title")) return;
  const set = () => process.setTitle(processTitle(config));
  timers.after(FIRST_TITLE_MS, set);
  config.onChange(["proc-title-template", "port", "tls-port", "bind"], set);
}

/** The template with its variables filled in. */
export function processTitle(config: Config): string {
  const port = config.value("port");
  const tlsPort = config.value("tls-port");
  const shownPort = port || tlsPort;
  const socket = config.value("unixsocket") ?? "";
  const variables: Record<string, string> = {
    "title": "tsredis",
    "listen-addr": shownPort === 0 && socket !== ""
      ? socket
      : `${config.value("bind")[0] ?? "*"}:${shownPort}`,
    "server-mode": "",
    "port": `${port}`,
    "tls-port": `${tlsPort}`,
    "unixsocket": socket,
    "config-file": config.file ?? "",
  };
  return config.value("proc-title-template")
    .replace(
      /\{\{|\{([a-z-]+)\}/g,
      (_, name?: string) => name === undefined ? "{" : variables[name],
    )
    .trimEnd();
}
