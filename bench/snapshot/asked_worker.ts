/** A Worker that is asked one question at a time, and answers each: what the benchmark's workers have in common. */

/** An answer, or why there is none. */
type Answer<A> = { answer: A } | { failure: string };

/** The side that asks. */
export class AskedWorker<Q, A> {
  readonly #worker: Worker;

  /** `file` is a module beside this one. */
  constructor(file: string) {
    this.#worker = new Worker(new URL(file, import.meta.url), { type: "module" });
  }

  /** Resolves with the worker's answer. Questions must not overlap. */
  ask<T extends A>(question: Q): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<Answer<T>>) =>
        "failure" in data ? reject(new Error(data.failure)) : resolve(data.answer);
      this.#worker.onerror = (event) => reject(new Error(event.message));
      this.#worker.postMessage(question);
    });
  }

  end(): void {
    this.#worker.terminate();
  }
}

const scope = self as unknown as {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
};

/** The side that answers: each question by `answer`, or with what that throws. */
export function answerEach<Q>(answer: (question: Q) => unknown): void {
  scope.onmessage = async ({ data }: MessageEvent<Q>) => {
    try {
      scope.postMessage({ answer: await answer(data) });
    } catch (error) {
      scope.postMessage({ failure: (error as Error).message });
    }
  };
}

/** Milliseconds on one clock for all threads. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Resolves after `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
