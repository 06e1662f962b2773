/**
 * Gives a backlog files for what slow replicas have not been sent and does not fit into memory: how much may stay there
 * (`repl-backlog-spill-size`), what the log says of it, and what becomes of a disk that fails. Used by the history of ours
 * (history.ts) and by translated ones (bridge/translated_history.ts); the files are those of spill_files.ts.
 */

import { toPath } from "../config/parse.ts";
import { formatBytes } from "../observe/bytes_for_people.ts";
import type { Backlog, Spill } from "../propagation/backlog.ts";
import { problemOf } from "../runtime/system_error.ts";
import type { ReplicationHost } from "./host.ts";
import { SpillFiles } from "./spill_files.ts";

/** How long a disk that failed is left alone. */
const SPILL_RETRY_MS = 10_000;
/** The same where files of ours have taken the room that data needed. */
const GIVEN_WAY_MS = 600_000;

export class BacklogSpill {
  readonly #host: ReplicationHost;
  readonly #backlog: Backlog;
  readonly #spill: Spill;
  /** When files are tried again that could not be written, by the monotonic clock; Infinity while all is well. */
  #againMs = Infinity;
  #isClosed = false;
  /** The limit that is in force. */
  #limit = -1;

  /**
   * `name` tells its files from those of other backlogs of this process. `grew` is called when there is more to be sent,
   * `lost` when what was written cannot be read back.
   */
  constructor(
    host: ReplicationHost,
    backlog: Backlog,
    { name, grew, lost }: { name: string; grew: () => void; lost: (why: string) => void },
  ) {
    this.#host = host;
    this.#backlog = backlog;
    this.#spill = {
      store: this.#files(name),
      bytesMax: Infinity,
      onLoaded: grew,
      onFailed: (error) => this.#failed(error),
      onLost: (error) => {
        if (!this.#isClosed) {
          lost(`the replication backlog cannot be read back: ${problemOf(error)}`);
        }
      },
    };
    this.setLimit();
    backlog.spillTo(this.#spill);
  }

  #files(name: string): SpillFiles {
    const { runtime, config, log, persistence } = this.#host;
    const path = (n: number) =>
      `${toPath(config.value("dir"))}/temp-${persistence.writerName}-${name}${n}.backlog`;
    return new SpillFiles(runtime.files, path, (isUsed) => {
      log.notice(
        isUsed
          ? `What replicas have not been sent yet is more than ${
            formatBytes(this.#spill.bytesMax)
          }: it goes to temporary files in ${toPath(config.value("dir"))}`
          : "No replica needs what was in temporary files any more, and those are gone",
      );
    });
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    this.#againMs = this.#host.clock.monotonic() + SPILL_RETRY_MS;
    this.#host.log.warning(
      `What replicas have not been sent yet cannot be written to a file, and stays in memory: ${
        problemOf(error)
      }`,
    );
  }

  /** `repl-backlog-spill-size` is to be followed, also where a disk has failed. */
  setLimit(): void {
    const limit = this.#limit = this.#host.config.value("repl-backlog-spill-size");
    this.#spill.bytesMax = limit === 0 ? Infinity : limit;
    this.#againMs = Infinity;
    this.#backlog.spillLimitChanged();
  }

  /** Called by the timer: follows the configuration, and tries files again a while after they could not be written. */
  tick(steadyMs: number): void {
    const hasChanged = this.#limit !== this.#host.config.value("repl-backlog-spill-size");
    if (hasChanged || steadyMs >= this.#againMs) this.setLimit();
  }

  /**
   * Nothing more goes to files for a while. Returns the offset up to which the stream is not all in memory; -1 where
   * all of it is.
   */
  stop(): number {
    const backlog = this.#backlog;
    if (backlog.spilledBytes === 0) return -1;
    this.#spill.bytesMax = Infinity;
    this.#againMs = this.#host.clock.monotonic() + GIVEN_WAY_MS;
    return backlog.spilledTo;
  }

  /** The backlog is let go of, and the files with it. */
  close(): void {
    this.#isClosed = true;
    this.#backlog.close();
  }
}
