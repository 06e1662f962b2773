/**
 * A network of its own, for tests of what happens when it fails without a word: machines (network namespaces) that
 * meet in a switch (a bridge) whose ports can be shut, so that packets vanish and nobody is told. Each
 * machine has a second line to the test, which stays.
 *
 *     test ──10.213.n.0/30── machine n ──10.214.0.0/24── switch ── other machines
 *
 * Linux, and a user who may: a test that needs one says `ignore: !canHaveNetwork` and is then reported as
 * skipped, by name, which ends with `[own network]`: then CI lets it be.
 */

/** A place where a server can run. */
export interface Machine {
  /** Where the test reaches it. */
  readonly hostname: string;
  /** Where the other machines reach it. */
  readonly address: string;
  /** What a command there begins with. */
  readonly inside: string[];
  /** @ignore Its port of the switch. */
  readonly port: string;
}

function run(...words: string[]): void {
  const [program, ...args] = words;
  const { success, stderr } = new Deno.Command(program, { args, stdout: "null" }).outputSync();
  if (!success) throw new Error(`${words.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

function said(...words: string[]): string {
  const [program, ...args] = words;
  return new TextDecoder().decode(new Deno.Command(program, { args }).outputSync().stdout);
}

/** Networks that this process has made. */
let made = 0;

/** Takes away what processes have left that were killed: names of namespaces have their process in them. */
function removeLeftOvers(): void {
  for (const [name, pid] of said("ip", "netns", "list").matchAll(/\bts(\d+)x\w+/g)) {
    const isThere = new Deno.Command("kill", { args: ["-0", pid], stderr: "null" }).outputSync();
    if (!isThere.success) run("ip", "netns", "delete", name);
  }
}

/** `using` takes it away again: the servers on its machines are to be gone before. */
export class OwnNetwork implements Disposable {
  /** Names of namespaces and lines are the system's, 15 characters at most. */
  readonly #name: string;
  readonly #namespaces: string[] = [];
  #count = 0;

  constructor() {
    removeLeftOvers();
    this.#name = `ts${Deno.pid}x${made++}`;
    this.#add("s");
    this.#inSwitch("ip", "link", "add", "br0", "type", "bridge");
    this.#inSwitch("ip", "link", "set", "br0", "up");
  }

  get #switch(): string {
    return `${this.#name}s`;
  }

  #add(suffix: string): string {
    const namespace = this.#name + suffix;
    run("ip", "netns", "add", namespace);
    this.#namespaces.push(namespace);
    return namespace;
  }

  #inSwitch(...words: string[]): void {
    run("ip", "netns", "exec", this.#switch, ...words);
  }

  /** Adds a machine. */
  machine(): Machine {
    const n = ++this.#count;
    const namespace = this.#add(`${n}`);
    const there = (...words: string[]) => run("ip", "netns", "exec", namespace, ...words);
    const line = `${this.#name}c${n}`;
    const block = OwnNetwork.#freeBlock();
    run("ip", "link", "add", line, "type", "veth", "peer", "name", "c0", "netns", namespace);
    run("ip", "address", "add", `10.213.${block}.1/30`, "dev", line);
    run("ip", "link", "set", line, "up");
    there("ip", "address", "add", `10.213.${block}.2/30`, "dev", "c0");
    const port = `p${n}`;
    const address = `10.214.0.${n}`;
    const ends = ["type", "veth", "peer", "name", "n0", "netns", namespace];
    this.#inSwitch("ip", "link", "add", port, ...ends);
    this.#inSwitch("ip", "link", "set", port, "master", "br0", "up");
    there("ip", "address", "add", `${address}/24`, "dev", "n0");
    for (const device of ["lo", "c0", "n0"]) there("ip", "link", "set", device, "up");
    const inside = ["ip", "netns", "exec", namespace];
    return { hostname: `10.213.${block}.2`, address, inside, port };
  }

  /** A third part of an address that no line here has. */
  static #freeBlock(): number {
    const taken = said("ip", "-o", "address");
    for (let tries = 0; tries < 200; tries++) {
      const block = 1 + Math.floor(Math.random() * 254);
      if (!taken.includes(` 10.213.${block}.`)) return block;
    }
    throw new Error("all addresses of 10.213 are taken");
  }

  /** From now on nothing comes to this machine from the others, nor from it to them, and nobody is told. */
  shut({ port }: Machine): void {
    this.#inSwitch("bridge", "link", "set", "dev", port, "state", "0");
  }

  /** Ends {@linkcode shut}. */
  open({ port }: Machine): void {
    this.#inSwitch("bridge", "link", "set", "dev", port, "state", "3");
  }

  /**
   * Packets to this machine are lost and late: a tenth of them and by 40 ms where the system can do that (netem),
   * else those for which a queue of some packets, sent at 4 Mbit/s, has no room. Says which.
   */
  degrade({ port }: Machine): string {
    const add = ["tc", "qdisc", "replace", "dev", port, "root"];
    try {
      this.#inSwitch(...add, "netem", "loss", "10%", "delay", "40ms", "10ms");
      return "loss of 10 %, 40 ms late";
    } catch {
      this.#inSwitch(...add, "tbf", "rate", "4mbit", "burst", "4kb", "limit", "8kb");
      return "4 Mbit/s, a queue of 8 KB, the rest is lost";
    }
  }

  /** Ends {@linkcode degrade}. */
  restore({ port }: Machine): void {
    this.#inSwitch("tc", "qdisc", "del", "dev", port, "root");
  }

  /** Packets for this machine that were lost by {@linkcode degrade}. */
  lostPackets({ port }: Machine): number {
    const words = ["ip", "netns", "exec", this.#switch, "tc", "-s", "qdisc", "show", "dev", port];
    return Number(/dropped (\d+)/.exec(said(...words))?.[1] ?? NaN);
  }

  [Symbol.dispose](): void {
    for (const namespace of this.#namespaces) run("ip", "netns", "delete", namespace);
  }
}

/** Whether such a network can be had. */
export const canHaveNetwork: boolean = tryNetwork();

function tryNetwork(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  try {
    using network = new OwnNetwork();
    const machine = network.machine();
    network.shut(machine);
    network.open(machine);
    return true;
  } catch {
    return false;
  }
}
