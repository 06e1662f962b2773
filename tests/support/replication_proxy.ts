/**
 * A TCP proxy between a replica and its master, as bad a network as a test asks for: it cuts, refuses,
 * stalls, slows down, cuts after so many bytes, changes bytes; and it records both directions.
 *
 * Its port stays the same while the server behind it may become another one ({@linkcode
 * LinkProxy.target}): a master that is restarted is found where it was.
 */

/** Where bytes go: what the replica sends, or what the master sends. */
export type Direction = "toMaster" | "toReplica";

/** A change of bytes on their way; `at` counts the bytes of that direction of one connection. */
export interface Damage {
  direction: Direction;
  at: number;
  /** Replaces the byte at `at` by it with these bits flipped; 0 leaves it. */
  flip?: number;
  /** Bytes that come before the one at `at`. */
  insert?: Uint8Array;
  /** So many bytes from `at` on, as far as they are read at once, come twice. */
  repeat?: number;
  /** So many bytes from `at` on, as far as they are read at once, do not come. */
  drop?: number;
}

/** Hears of what goes through a proxy, in the order in which it does. */
export interface LinkWatcher {
  opened(link: Link): void;
  passed(link: Link, direction: Direction, bytes: Uint8Array): void;
  closed(link: Link): void;
}

/** One connection that went through, with all that was forwarded, or was received and held back. */
export class Link {
  readonly #chunks: Record<Direction, Uint8Array[]> = { toMaster: [], toReplica: [] };
  readonly #counts: Record<Direction, number> = { toMaster: 0, toReplica: 0 };
  #closed = false;

  constructor(
    readonly index: number,
    private readonly replica: Deno.Conn,
    private readonly master: Deno.Conn,
    private readonly records: boolean,
    private readonly watcher: LinkWatcher | null,
  ) {
    watcher?.opened(this);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** How many bytes of this direction have been forwarded. */
  count(direction: Direction): number {
    return this.#counts[direction];
  }

  /** The bytes of this direction that have been forwarded. */
  recorded(direction: Direction): Uint8Array {
    return concat(this.#chunks[direction]);
  }

  /** Closes both ends; a second time is harmless. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.watcher?.closed(this);
    for (const conn of [this.replica, this.master]) {
      try {
        conn.close();
      } catch {
        // Its other end was faster.
      }
    }
  }

  /** @ignore For LinkProxy. */
  from(direction: Direction): Deno.Conn {
    return direction === "toMaster" ? this.replica : this.master;
  }

  /** @ignore For LinkProxy. */
  async forward(direction: Direction, bytes: Uint8Array): Promise<void> {
    if (this.records) this.#chunks[direction].push(bytes.slice());
    this.#counts[direction] += bytes.length;
    this.watcher?.passed(this, direction, bytes);
    const to = direction === "toMaster" ? this.master : this.replica;
    for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
  }
}

export class LinkProxy implements AsyncDisposable {
  /** All connections so far, oldest first. */
  readonly links: Link[] = [];
  /** Bytes forwarded at most per millisecond and direction. */
  bytesPerMs = Infinity;
  #listener: Deno.Listener | null;
  #accepting: Promise<void>;
  readonly #pumps = new Set<Promise<void>>();
  readonly #stalled: Record<Direction, { promise: Promise<void>; resolve: () => void } | null> = {
    toMaster: null,
    toReplica: null,
  };
  #cut: { direction: Direction; at: number } | null = null;
  #damage: Damage | null = null;
  /** The listener closes behind the next connection. */
  #isForOne = false;
  readonly port: number;

  private constructor(
    public target: number,
    private readonly records: boolean,
    private readonly watcher: LinkWatcher | null,
  ) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#accepting = this.#accept(this.#listener);
  }

  /** Listens on a free port of 127.0.0.1 and connects whoever comes to `target`. Without `records` keeps no bytes. */
  static to(
    target: { port: number },
    { records = true, watcher = null }: { records?: boolean; watcher?: LinkWatcher | null } = {},
  ): LinkProxy {
    return new LinkProxy(target.port, records, watcher);
  }

  /** The newest connection; fails when there is none. */
  get link(): Link {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error("nobody has connected through this proxy yet");
    return link;
  }

  /** Cuts all connections. New ones are let through. */
  cut(): void {
    for (const link of this.links) link.close();
  }

  /** From now on connections are refused; those that are there stay. */
  async refuse(): Promise<void> {
    this.#listener?.close();
    this.#listener = null;
    await this.#accepting;
  }

  /** Ends {@linkcode refuse}. */
  accept(): void {
    this.#isForOne = false;
    this.#listen();
  }

  /** Ends {@linkcode refuse} for one connection: those that come behind it are refused again. */
  acceptOne(): void {
    this.#isForOne = true;
    this.#listen();
  }

  #listen(): void {
    if (this.#listener !== null) return;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#accepting = this.#accept(this.#listener);
  }

  /** Forwards nothing in this direction until {@linkcode resume}; nothing is lost. */
  stall(direction: Direction): void {
    if (this.#stalled[direction] !== null) return;
    let resolve = () => {};
    const promise = new Promise<void>((done) => resolve = done);
    this.#stalled[direction] = { promise, resolve };
  }

  /** Ends {@linkcode stall}. */
  resume(direction: Direction): void {
    this.#stalled[direction]?.resolve();
    this.#stalled[direction] = null;
  }

  /**
   * The next connection in which this direction comes to `at` bytes (the one there is, or a later
   * one) is cut: exactly `at` bytes arrive. Once.
   */
  cutAfter(direction: Direction, at: number): void {
    this.#cut = { direction, at };
  }

  /** Changes bytes of the first connection that comes so far. Once. */
  damage(damage: Damage): void {
    this.#damage = damage;
  }

  /** Whether what {@linkcode damage} asked for has still to come. */
  get awaitsDamage(): boolean {
    return this.#damage !== null;
  }

  /** From now on nothing is cut, changed, slowed down or held up, nor what was to be and has not been yet. */
  heal(): void {
    this.#cut = null;
    this.#damage = null;
    this.bytesPerMs = Infinity;
    this.resume("toMaster");
    this.resume("toReplica");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refuse();
    this.cut();
    this.heal();
    await Promise.all(this.#pumps);
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    for (;;) {
      let replica: Deno.Conn;
      try {
        replica = await listener.accept();
      } catch {
        return; // refuse() closed it
      }
      let master: Deno.Conn;
      try {
        master = await Deno.connect({ hostname: "127.0.0.1", port: this.target });
      } catch {
        replica.close();
        continue;
      }
      const link = new Link(this.links.length, replica, master, this.records, this.watcher);
      this.links.push(link);
      for (const direction of ["toMaster", "toReplica"] as const) {
        const pump = this.#pump(link, direction).finally(() => this.#pumps.delete(pump));
        this.#pumps.add(pump);
      }
      if (this.#isForOne) {
        this.#listener = null;
        listener.close();
        return;
      }
    }
  }

  async #pump(link: Link, direction: Direction): Promise<void> {
    const from = link.from(direction);
    const room = new Uint8Array(65_536);
    try {
      for (;;) {
        const size = await from.read(room);
        if (size === null) break;
        await this.#stalled[direction]?.promise;
        if (link.isClosed) break;
        if (!await this.#pass(link, direction, room.subarray(0, size))) break;
      }
    } catch {
      // Either end has gone, or close() has closed it.
    }
    link.close();
  }

  /** Forwards what was read; false when the connection is to be cut now. */
  async #pass(link: Link, direction: Direction, read: Uint8Array): Promise<boolean> {
    const start = link.count(direction);
    let bytes = read;
    const damage = this.#damage;
    if (damage?.direction === direction && start <= damage.at && damage.at < start + read.length) {
      this.#damage = null;
      bytes = damaged(read, damage.at - start, damage);
    }
    const cut = this.#cut;
    const isCut = cut?.direction === direction && start <= cut.at && cut.at <= start + bytes.length;
    if (isCut) {
      this.#cut = null;
      bytes = bytes.subarray(0, cut.at - start);
    }
    if (this.bytesPerMs === Infinity) {
      await link.forward(direction, bytes);
    } else {
      for (let at = 0; at < bytes.length;) {
        const count = Math.max(1, Math.floor(this.bytesPerMs));
        await link.forward(direction, bytes.subarray(at, at + count));
        at += count;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    return !isCut;
  }
}

/** What becomes of bytes that were read at once; the damage is to be at `at` of them. */
function damaged(read: Uint8Array, at: number, damage: Damage): Uint8Array {
  const { flip = 0, insert = new Uint8Array(), repeat = 0, drop = 0 } = damage;
  const changed = read.slice();
  changed[at] ^= flip;
  const twice = changed.subarray(at, at + repeat);
  return concat([changed.subarray(0, at), insert, twice, changed.subarray(at + drop)]);
}

function concat(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
