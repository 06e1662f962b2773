/**
 * A simulated runtime: several machines in one process, for tests of what servers do to each other when
 * networks, disks and machines fail. Everything that happens is drawn from one sequence: with the same
 * seed everything happens again in the same way.
 *
 *     const world = new World(new Random(seed).draw);
 *     const machine = world.machine("a");
 *     serve(machine.start());                       // a Runtime: sockets, files, timers, ...
 *     await world.run(1_000);                       // a second of virtual time
 *     machine.crash();                              // its files are left as far as they were synced
 *     serve(machine.start());
 *
 * Time only moves in `run` and `until`. They let one event happen after the other, in order of time,
 * and after each let all promises come to their end: so code that awaits is as determined as code that
 * is called. The code under test must have no time, chance or input but what its Runtime gives it.
 *
 * Computing takes no virtual time, but for looks at the monotonic clock, where that is asked for
 * (`lookMs`): work that is cut into slices by time is then cut here too.
 *
 * The parts: simulated/schedule.ts (events and their record), network.ts, disk.ts, process.ts.
 */

import { isSameSecret } from "./secrets.ts";
import type { Clock, Draw } from "../base/clock.ts";
import type { Runtime, SignalName, Timer, Timers, WorkerPort, WorkerProgram } from "./runtime.ts";
import { below } from "./simulated/chance.ts";
import { SimulatedDisk, SimulatedFiles } from "./simulated/disk.ts";
import { type Host, SimulatedNetwork, Web } from "./simulated/network.ts";
import { ProcessEnd, SimulatedProcess } from "./simulated/process.ts";
import { Life, Schedule } from "./simulated/schedule.ts";
import { inTurns } from "./simulated/turns.ts";
import { problemOf } from "./system_error.ts";

/** 14 November 2023: unix time when a world begins. */
const BEGINNING_MS = 1_700_000_000_000;
/** How much later than asked for a timer comes at most, in milliseconds. */
const TIMER_LATE_MS = 1;
/** How long a message to or from a worker is on its way, in milliseconds. */
const MESSAGE_MS = 0.2;

/** What is different about a machine. */
export interface MachineOptions {
  /** How much its clock is ahead of the world's, in milliseconds. */
  readonly clockOffsetMs?: number;
  /** What each look at its monotonic clock takes, in milliseconds; 0 if not given. */
  readonly lookMs?: number;
  /** The folder that its program works in; "/data" if not given. */
  readonly workingFolder?: string;
}

export class World {
  readonly schedule = new Schedule();
  readonly network: Web;
  readonly #machines = new Map<string, Machine>();
  /** What went wrong first in the code under test. */
  #failure: { readonly error: unknown } | null = null;
  #isRunning = false;

  constructor(readonly draw: Draw) {
    this.network = new Web(this.schedule, draw);
  }

  /** Virtual time since the beginning, in milliseconds. */
  get nowMs(): number {
    return this.schedule.nowMs;
  }

  /** The machine of this name, which is also its name in the network; made when first asked for. */
  machine(name: string, options: MachineOptions = {}): Machine {
    let machine = this.#machines.get(name);
    if (machine === undefined) {
      const ip = `10.0.0.${this.#machines.size + 1}`;
      machine = new Machine(this, name, ip, options);
      this.#machines.set(name, machine);
      this.network.hosts.push(machine);
    }
    return machine;
  }

  /** Puts something into the record of events. */
  note(who: string, what: string): void {
    this.schedule.record.add(this.nowMs, who, what);
  }

  /** Lets so much time pass. @throws what the code under test has thrown in one of its turns */
  async run(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    await this.#go(endMs, () => false);
    this.schedule.nowMs = endMs;
  }

  /**
   * Lets time pass until the condition holds; it is looked at after each event.
   * @throws Error when that has not come about after `limitMs`, and as `run`
   */
  async until(condition: () => boolean, limitMs: number): Promise<void> {
    const endMs = this.nowMs + limitMs;
    if (await this.#go(endMs, condition)) return;
    this.schedule.nowMs = endMs;
    throw new Error(`Not after ${limitMs} ms: ${condition}`);
  }

  async #go(endMs: number, condition: () => boolean): Promise<boolean> {
    if (this.#isRunning) throw new Error("The world is running already");
    this.#isRunning = true;
    const onRejection = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      this.#failed(event.reason);
    };
    globalThis.addEventListener("unhandledrejection", onRejection);
    try {
      const isMet = await inTurns(() => {
        if (this.#failure !== null) throw this.#failure.error;
        if (condition()) return true;
        if (this.schedule.nextMs > endMs) return false;
        try {
          this.schedule.step();
        } catch (error) {
          this.#failed(error);
        }
      });
      // Which promises were rejected with nobody to hear of it is known after a turn of the event loop.
      await inTurns(() => true);
      if (this.#failure !== null) throw this.#failure.error;
      return isMet;
    } finally {
      globalThis.removeEventListener("unhandledrejection", onRejection);
      this.#isRunning = false;
    }
  }

  #failed(error: unknown): void {
    if (!(error instanceof ProcessEnd)) this.#failure ??= { error };
  }

  /** For work that runs between events: its errors are the world's, as those of events are. */
  guard(life: Life, work: () => void): () => void {
    return () => {
      if (life.isOver) return;
      try {
        work();
      } catch (error) {
        this.#failed(error);
      }
    };
  }
}

/** A machine of the world, with one process at most. */
export class Machine implements Host {
  readonly disk: SimulatedDisk;
  hasPower = true;
  /** Of the process that runs or ran last. */
  process: SimulatedProcess | null = null;
  /** How far its clock has been set since the beginning, in milliseconds; durations know nothing of it. */
  clockSetMs = 0;
  readonly #world: World;
  readonly #options: MachineOptions;

  constructor(world: World, readonly name: string, readonly ip: string, options: MachineOptions) {
    this.#world = world;
    this.#options = options;
    this.disk = new SimulatedDisk(world.schedule, world.draw);
    this.disk.makeFolder(this.#workingFolder);
    this.disk.makeFolder("/tmp");
  }

  get #workingFolder(): string {
    return this.#options.workingFolder ?? "/data";
  }

  get isRunning(): boolean {
    return this.process !== null && !this.process.life.isOver;
  }

  /** Switches the machine on if need be and starts a process, which is given this. */
  start(): SimulatedRuntime {
    if (this.isRunning) throw new Error(`${this.name} has a process already`);
    this.hasPower = true;
    const world = this.#world;
    const life = new Life(this.name);
    const id = 2 + below(world.draw, 30_000);
    this.process = new SimulatedProcess(id, life, this.#workingFolder);
    const clock = new MachineClock(
      world.schedule,
      life,
      () => BEGINNING_MS + (this.#options.clockOffsetMs ?? 0) + this.clockSetMs,
      Math.floor(world.draw() * 1e6),
      this.#options.lookMs ?? 0,
    );
    return new SimulatedRuntime(world, this, life, clock, this.process);
  }

  /**
   * The power is cut: the process is gone, its peers are reset, and what was not synced is lost or
   * partly so. The machine is off until `start`.
   */
  crash(): void {
    this.#world.note(this.name, "the power is cut");
    this.hasPower = false;
    this.#world.network.powerLost(this);
    this.process?.life.end();
    this.disk.losePower();
  }

  /** The process is killed; the system closes its sockets, and keeps what it has written. */
  kill(): void {
    this.#world.note(this.name, "the process is killed");
    this.process?.life.end();
  }

  /** Sends a signal to the process. */
  signal(signal: SignalName): void {
    const { process } = this;
    if (process === null || process.life.isOver) return;
    const listeners = process.listenersFor(signal);
    if (listeners.length === 0) this.kill();
    for (const listener of listeners) {
      this.#world.schedule.after(0, process.life, signal, listener);
    }
  }
}

class MachineClock implements Clock {
  /** `lookMs` is what a look at it takes the thread that looks. */
  constructor(
    readonly schedule: Schedule,
    readonly life: Life,
    readonly unixMs: () => number,
    readonly originMs: number,
    readonly lookMs: number,
  ) {}

  /** The same clock for another thread. */
  of(life: Life): MachineClock {
    return new MachineClock(this.schedule, life, this.unixMs, this.originMs, this.lookMs);
  }

  get #ownMs(): number {
    return Math.max(this.life.busyUntilMs, this.schedule.nowMs);
  }

  now(): number {
    return Math.floor(this.unixMs() + this.#ownMs);
  }

  monotonic(): number {
    this.schedule.spend(this.life, this.lookMs);
    return this.originMs + this.#ownMs;
  }
}

class MachineTimers implements Timers {
  constructor(readonly world: World, readonly life: Life) {}

  after(ms: number, work: () => void): Timer {
    const { schedule, draw } = this.world;
    return schedule.after(ms + draw() * TIMER_LATE_MS, this.life, "timer", work);
  }

  every(ms: number, work: () => void): Timer {
    const interval = { isCancelled: false };
    const { schedule, draw } = this.world;
    let dueMs = schedule.nowMs;
    const next = () => {
      dueMs = Math.max(dueMs + ms, schedule.nowMs);
      schedule.at(dueMs + draw() * TIMER_LATE_MS, this.life, "interval", () => {
        if (interval.isCancelled) return;
        next();
        work();
      });
    };
    next();
    return interval;
  }

  cancel(timer: Timer | null): void {
    if (timer !== null) (timer as { isCancelled: boolean }).isCancelled = true;
  }

  soon(work: () => void): void {
    queueMicrotask(this.world.guard(this.life, work));
  }

  afterInput(work: () => void): void {
    this.world.schedule.after(0, this.life, "after input", work);
  }

  afterOthers(work: () => void): void {
    this.world.schedule.after(0, this.life, "after others", work);
  }

  /** There is nothing. */
  release(): Promise<void> {
    return Promise.resolve();
  }
}

export class SimulatedRuntime implements Runtime {
  readonly name = "simulated";
  readonly version = "1";
  readonly timers: Timers;
  readonly network: SimulatedNetwork;
  readonly files: SimulatedFiles;
  readonly #world: World;
  readonly #machine: Machine;
  readonly #life: Life;

  constructor(
    world: World,
    machine: Machine,
    life: Life,
    readonly clock: MachineClock,
    readonly process: SimulatedProcess,
  ) {
    this.#world = world;
    this.#machine = machine;
    this.#life = life;
    this.timers = new MachineTimers(world, life);
    this.network = new SimulatedNetwork(world.network, machine, life);
    this.files = new SimulatedFiles(machine.disk, life, process.workingFolder);
  }

  /** A number in [0, 1): chance for the program under test. */
  draw(): number {
    return this.#world.draw();
  }

  /** May be handed on by itself, as that of other runtimes. */
  readonly isSameSecret = isSameSecret;

  readonly fillRandom = (bytes: Uint8Array<ArrayBuffer>): void => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = below(this.#world.draw, 256);
  };

  /**
   * The worker is a thread in name only: its program runs in turns of its own, with messages on their
   * way for some time, and what is transferred is gone here.
   */
  openWorker(
    program: WorkerProgram,
    onMessage: (message: unknown) => void,
    onFailure: (reason: string) => void,
  ): WorkerPort {
    const world = this.#world;
    const { schedule, draw } = world;
    const owner = this.#life;
    const life = new Life(`${owner.name}'s worker`);
    const forget = owner.atEnd(() => life.end());
    const clock = this.clock.of(life);
    const runtime = new SimulatedRuntime(world, this.#machine, life, clock, this.process);
    /** Delivers to one of the two; in the order of sending. */
    const lane = (to: Life) => {
      let arrivalMs = 0;
      return (name: string, work: () => void) => {
        arrivalMs = Math.max(arrivalMs, schedule.nowMs + draw() * MESSAGE_MS);
        schedule.at(arrivalMs, to, name, work);
      };
    };
    const toWorker = lane(life);
    const toOwner = lane(owner);
    let isEnded = false;
    const end = () => {
      isEnded = true;
      forget();
      life.end();
    };
    let take: (message: unknown) => void = () => {};
    const guarded = (work: () => void) => () => {
      try {
        work();
      } catch (error) {
        if (error instanceof ProcessEnd) return;
        life.end();
        toOwner("its worker has failed", () => {
          if (isEnded) return;
          end();
          onFailure(problemOf(error));
        });
      }
    };
    const post = (message: unknown, transfer: ArrayBuffer[]) => {
      const copy = structuredClone(message, { transfer });
      toOwner("message of its worker", () => {
        if (!isEnded) onMessage(copy);
      });
    };
    toWorker("begins", guarded(() => void (take = program.run(runtime, post))));
    return {
      isThread: false,
      post: (message, transfer) => {
        const copy = structuredClone(message, { transfer });
        toWorker("message", guarded(() => take(copy)));
      },
      end,
    };
  }
}
