/** What many scenarios have come to together: virtual time, writes, and how often what went wrong. */

import type { Outcome } from "./scenario.ts";

/** Kinds of what goes wrong, each with the steps of a scenario that tell of it. */
const KINDS: readonly (readonly [kind: string, step: RegExp])[] = [
  ["connections cut", /^connections of .* are cut$/],
  ["links closed by the master", /^the master closes its links/],
  ["partitions", /^nothing passes, /],
  ["masters left alone", /^nothing of \w+ comes to the others/],
  ["power cuts", / stops: crash$/],
  ["processes killed", / stops: kill$| is killed$/],
  ["shutdowns", / stops: (save|nosave)$/],
  ["promotions", / becomes the master$/],
  ["masters come back with what they have saved", / is to be the master again/],
  ["roles handed over by FAILOVER", / has handed over$/],
  ["FAILOVERs given up", / has not handed over$/],
  ["replicas told to follow", / is told to follow /],
  ["disks full", /^the disk of \w+ is full$/],
  ["disks failing", /^the disk of \w+ fails$/],
  ["disks slow", /^the disk of \w+ is slow$/],
];

export class Tally {
  count = 0;
  virtualMs = 0;
  writeCount = 0;
  confirmedCount = 0;
  lookCount = 0;
  readonly #faults = new Map<string, number>(KINDS.map(([kind]) => [kind, 0]));

  add({ virtualMs, writeCount, confirmedCount, lookCount, steps }: Outcome): void {
    this.count++;
    this.virtualMs += virtualMs;
    this.writeCount += writeCount;
    this.confirmedCount += confirmedCount;
    this.lookCount += lookCount;
    for (const step of steps) {
      // Each begins with its time.
      const text = step.slice(step.indexOf(" ") + 1);
      const kind = KINDS.find(([, pattern]) => pattern.test(text))?.[0];
      if (kind !== undefined) this.#faults.set(kind, this.#faults.get(kind)! + 1);
    }
  }

  /** How often each kind of fault has come. */
  get faults(): ReadonlyMap<string, number> {
    return this.#faults;
  }

  /** Some lines for people. */
  toString(): string {
    return [
      `${this.count} seeds passed: ${(this.virtualMs / 3_600_000).toFixed(1)} virtual hours, ` +
      `${this.writeCount} random writes, ${this.confirmedCount} confirmed writes, ${this.lookCount} looks`,
      ...[...this.#faults].map(([kind, count]) => `  ${kind}: ${count}`),
    ].join("\n");
  }
}
