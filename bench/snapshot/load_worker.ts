/**
 * The thread of `load.ts`: writes at a steady rate on one connection, in pipelined batches at fixed instants.
 *
 * The instants do not depend on answers: after a pause of the server, what was due meanwhile is sent at once, as it
 * would have come from many clients that know nothing of each other.
 */

import { answerEach, pause } from "./asked_worker.ts";
import { COMMAND_BYTES_MAX, elementsOf, Writes } from "./dataset.ts";
import type { LoadCounts, LoadQuestion, LoadReport } from "./load.ts";

/** A batch is due every so many milliseconds. */
const BATCH_MS = 2;
/** Writes that are sent at once at most. */
const SENT_AT_ONCE = 2_000;
/** While filling: commands that wait for their answers. */
const FILL_AHEAD = 10_000;
const SECOND_MS = 1_000;
const LF = 10, MINUS = 45;

class Writer {
  readonly #out = new Uint8Array(SENT_AT_ONCE * COMMAND_BYTES_MAX);
  readonly #in = new Uint8Array(256 * 1024);
  #sent = 0;
  #answered = 0;
  #answersLeft = 0;
  #failure: Error | null = null;
  #isEnding = false;
  #wake: (() => void) | null = null;
  #steady: Promise<void> = Promise.resolve();
  #perSecond: number[] = [];
  #latestMs = 0;

  private constructor(
    readonly conn: Deno.Conn,
    readonly writes: Writes,
    readonly perSecond: number,
  ) {
    this.#read().catch((error) => this.#failure ??= error);
  }

  static async open(port: number, writes: Writes, perSecond: number): Promise<Writer> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new Writer(conn, writes, perSecond);
  }

  get counts(): LoadCounts {
    if (this.#failure !== null) throw this.#failure;
    return {
      sent: this.#sent,
      answered: this.#answered,
      atMs: performance.timeOrigin + performance.now(),
    };
  }

  async fill(): Promise<void> {
    const total = elementsOf(this.writes.shape);
    for (let element = 0; element < total;) {
      let at = 0;
      const end = Math.min(total, element + SENT_AT_ONCE);
      this.#answersLeft += end - element;
      for (; element < end; element++) {
        at = this.writes.encodeElement(element, 0, this.#out, at);
      }
      await this.#send(at);
      await this.#answersUntil(element === total ? 0 : FILL_AHEAD);
    }
    this.#answered = 0;
  }

  begin(): void {
    this.#isEnding = false;
    this.#perSecond = [];
    this.#latestMs = 0;
    this.#steady = this.#writeSteadily();
    this.#steady.catch((error) => this.#failure ??= error);
  }

  async #writeSteadily(): Promise<void> {
    const perBatch = this.perSecond * BATCH_MS / SECOND_MS;
    const beganAt = performance.now();
    const first = this.#sent;
    let isFree = true; // nothing was still on its way when the batch became due
    while (!this.#isEnding) {
      const passedMs = performance.now() - beganAt;
      const due = first + Math.floor(Math.floor(passedMs / BATCH_MS) * perBatch);
      this.#count(passedMs);
      if (due <= this.#sent) {
        isFree = true;
        await pause(1);
        continue;
      }
      if (isFree) {
        const dueMs = (this.#sent + 1 - first) / perBatch * BATCH_MS;
        this.#latestMs = Math.max(this.#latestMs, passedMs - dueMs);
      }
      await this.#sendWrites(Math.min(due, this.#sent + SENT_AT_ONCE));
      isFree = false;
    }
    await this.#answersUntil(0);
  }

  /** Notes what has been answered when a second is over. */
  #count(passedMs: number): void {
    while (passedMs >= (this.#perSecond.length + 1) * SECOND_MS) {
      this.#perSecond.push(this.#answered);
    }
  }

  async #sendWrites(until: number): Promise<void> {
    let at = 0;
    this.#answersLeft += until - this.#sent;
    while (this.#sent < until) at = this.writes.encode(++this.#sent, this.#out, at);
    await this.#send(at);
  }

  async #send(length: number): Promise<void> {
    for (let sent = 0; sent < length;) {
      sent += await this.conn.write(this.#out.subarray(sent, length));
    }
    if (this.#failure !== null) throw this.#failure;
  }

  async #answersUntil(left: number): Promise<void> {
    while (this.#answersLeft > left) {
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async end(): Promise<LoadReport> {
    this.#isEnding = true;
    await this.#steady;
    const perSecond = this.#perSecond.map((answered, i) =>
      answered - (this.#perSecond[i - 1] ?? answered - this.perSecond)
    );
    return { counts: this.counts, perSecond, latestMs: this.#latestMs };
  }

  /** All answers are lines; one that is an error ends everything. */
  async #read(): Promise<void> {
    let isAtStart = true;
    for (;;) {
      const length = await this.conn.read(this.#in);
      if (length === null) throw new Error("the server closed the connection of the writer");
      for (let i = 0; i < length; i++) {
        const byte = this.#in[i];
        if (isAtStart && byte === MINUS) {
          this.#failure = new Error(
            `a write was refused: ${new TextDecoder().decode(this.#in.subarray(i, length))}`,
          );
        }
        isAtStart = byte === LF;
        if (isAtStart) {
          this.#answered++;
          this.#answersLeft--;
        }
      }
      const wake = this.#wake;
      this.#wake = null;
      wake?.();
    }
  }
}

let writer: Writer | null = null;

answerEach(async (question: LoadQuestion) => {
  if (question.kind === "connect") {
    const { port, shape, perSecond } = question;
    writer = await Writer.open(port, new Writes(shape), perSecond);
    return null;
  }
  switch (question.kind) {
    case "fill":
      return await writer!.fill();
    case "begin":
      return writer!.begin();
    case "counts":
      return writer!.counts;
    case "end":
      return await writer!.end();
  }
});
