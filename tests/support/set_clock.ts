/**
 * A clock of its own for a server process, to be set while it runs, as an administrator or a time service sets that of a
 * machine: Debian's `faketime` puts itself between the process and the system's time of day. What counts the time that
 * passes (the monotonic clock) goes on.
 */

/** Where Debian has the library, by machine. */
const LIBRARY = [`/usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketimeMT.so.1`]
  .find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });

/** Whether there is one: `faketime` is installed. A test that needs it says `ignore: !hasFaketime`. */
export const hasFaketime: boolean = LIBRARY !== undefined;

/** The clock of one process, right at first. */
export class SettableClock implements Disposable {
  readonly #path = Deno.makeTempFileSync({ prefix: "tsredis-clock-" });

  constructor() {
    this.set(0);
  }

  /** What the process is to be started with. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: LIBRARY!,
      FAKETIME_TIMESTAMP_FILE: this.#path,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** Sets it so many seconds before (negative) or after the right time. */
  set(seconds: number): void {
    // In one step: the process may look at any moment, and takes no time for the right one.
    const aside = `${this.#path}.new`;
    Deno.writeTextFileSync(aside, `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}s\n`);
    Deno.renameSync(aside, this.#path);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#path);
  }
}
