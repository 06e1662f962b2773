/** Counters behind INFO, and rates sampled ten times a second. */

/** A rate per second, averaged over the last 16 samples. */
export class Rate {
  readonly #samples = new Float64Array(16);
  #index = 0;
  #lastCount = 0;
  #lastMs = 0;

  /** Takes the counter's present value at an instant of the monotonic clock; called by the timer. */
  sample(count: number, steadyMs: number): void {
    const elapsed = steadyMs - this.#lastMs;
    if (this.#lastMs > 0 && elapsed > 0) {
      this.#samples[this.#index] = (count - this.#lastCount) * 1000 / elapsed;
      this.#index = (this.#index + 1) & 15;
    }
    this.#lastCount = count;
    this.#lastMs = steadyMs;
  }

  /** Begins anew, for a counter that has been put back to zero. */
  reset(): void {
    this.#samples.fill(0);
    this.#lastCount = 0;
  }

  get perSecond(): number {
    let sum = 0;
    for (const sample of this.#samples) sum += sample;
    return sum / 16;
  }
}

/** Of turns of connections one in this many (a power of two) is timed, and counted this often. */
export const TIMED_TURN_IN = 16;

/** What a client that has not authenticated may pass the limit of; see net/unauthenticated.ts. */
export const UNAUTHENTICATED_LIMITS = ["input", "output", "number", "time"] as const;
export type UnauthenticatedLimit = (typeof UNAUTHENTICATED_LIMITS)[number];

export class Statistics {
  /** Turns of connections (what had arrived was carried out and answered) and of the server's timer. */
  turns = 0;
  /** Microseconds spent in them, an estimate. */
  turnUsec = 0;
  /** The longest turn that was timed. */
  turnUsecMax = 0;
  /** Most commands that one turn of a connection has carried out. */
  turnCommandsMax = 0;
  /** Microseconds spent in commands, an estimate. */
  commandUsec = 0;
  /** Microseconds spent in turns of the timer. */
  timerUsec = 0;
  readonly turnRate = new Rate();
  readonly turnUsecRate = new Rate();
  connectionsReceived = 0;
  connectionsRejected = 0;
  commandsProcessed = 0;
  netInputBytes = 0;
  netOutputBytes = 0;
  /** The part of the two that links of replication took. */
  netReplicationInputBytes = 0;
  netReplicationOutputBytes = 0;
  readsProcessed = 0;
  writesProcessed = 0;
  errorReplies = 0;
  unexpectedErrors = 0;
  queryBufferLimitDisconnections = 0;
  outputBufferLimitDisconnections = 0;
  evictedClients = 0;
  /** Clients that passed a limit for those who have not authenticated. */
  readonly unauthenticatedRefused: Record<UnauthenticatedLimit, number> = {
    input: 0,
    output: 0,
    number: 0,
    time: 0,
  };
  /** Error replies by their code ("ERR", "WRONGTYPE", …). */
  readonly errorsByCode = new Map<string, number>();
  readonly commandRate = new Rate();
  readonly inputRate = new Rate();
  readonly outputRate = new Rate();
  readonly replicationInputRate = new Rate();
  readonly replicationOutputRate = new Rate();
  /**
   * How many full and partial syncs replicas were given, and how many partial ones were refused.
   */
  fullSyncs = 0;
  partialSyncs = 0;
  partialSyncsRefused = 0;
  peakMemoryBytes = 0;

  /** Counts an error reply by its code. Past 128 codes no new ones are taken (as in Redis). */
  countError(text: string): void {
    this.errorReplies++;
    const space = text.indexOf(" ");
    const code = space < 0 ? "ERR" : text.slice(0, space);
    const count = this.errorsByCode.get(code);
    if (count !== undefined) this.errorsByCode.set(code, count + 1);
    else if (this.errorsByCode.size < 128) this.errorsByCode.set(code, 1);
  }

  /** Counts `usec` of a turn that was timed, in the place of `weight` turns. */
  turnTimed(usec: number, weight: number): void {
    this.turnUsec += usec * weight;
    if (usec > this.turnUsecMax) this.turnUsecMax = usec;
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    this.connectionsReceived = 0;
    this.connectionsRejected = 0;
    this.commandsProcessed = 0;
    this.netInputBytes = 0;
    this.netOutputBytes = 0;
    this.netReplicationInputBytes = 0;
    this.netReplicationOutputBytes = 0;
    this.fullSyncs = 0;
    this.partialSyncs = 0;
    this.partialSyncsRefused = 0;
    this.readsProcessed = 0;
    this.writesProcessed = 0;
    this.errorReplies = 0;
    this.unexpectedErrors = 0;
    this.queryBufferLimitDisconnections = 0;
    this.outputBufferLimitDisconnections = 0;
    this.evictedClients = 0;
    for (const limit of UNAUTHENTICATED_LIMITS) this.unauthenticatedRefused[limit] = 0;
    this.turns = 0;
    this.turnUsec = 0;
    this.turnUsecMax = 0;
    this.turnCommandsMax = 0;
    this.commandUsec = 0;
    this.timerUsec = 0;
    this.errorsByCode.clear();
    const { commandRate, inputRate, outputRate, turnRate, turnUsecRate } = this;
    const { replicationInputRate, replicationOutputRate } = this;
    const ofLinks = [replicationInputRate, replicationOutputRate];
    for (const rate of [commandRate, inputRate, outputRate, turnRate, turnUsecRate, ...ofLinks]) {
      rate.reset();
    }
  }
}
