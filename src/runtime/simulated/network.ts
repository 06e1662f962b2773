/**
 * A simulated network: the machines on it, connections between them, and what can go wrong.
 *
 *     write -> [ sending buffer ] -> segments, each with a delay of its own -> [ inbox ] -> space/filled
 *                     ^                                                            |
 *                     +------------- room again, once it has been read ------------+
 *
 * What is between two ends stays in order. A buffer is bounded: `write` takes what there is room for.
 * Sockets differ as those of the real runtimes do, drawn for each: some ask for space before there is
 * input and some after, some write in the background. A socket holds who uses it to its contract:
 * offering other bytes than those that were not taken, or changing them, is an Error.
 *
 * Faults: `partition` holds everything back until `heal`; `cut` breaks connections, and what was not
 * delivered is lost; a machine can be without power, or a process without its listener.
 */

import type { Draw } from "../../base/clock.ts";
import type {
  Address,
  ConnectHandler,
  Listener,
  ListenerHandler,
  Network,
  Socket,
  SocketHandler,
} from "../runtime.ts";
import { SystemError } from "../system_error.ts";
import { below, type Range, within } from "./chance.ts";
import type { SimulatedDisk } from "./disk.ts";
import { Life, type Schedule, type Scheduled } from "./schedule.ts";

/** A machine without power does not answer; its neighbour says so after this time. */
const UNREACHABLE_MS = 3_000;
/** How long a connection attempt is repeated when nothing comes back. */
const CONNECT_TIMEOUT_MS = 127_000;
const FIRST_FREE_PORT = 32_768;
const FREE_PORTS = 28_000;
/** Bytes that a checksum looks at, at most. */
const SUMMED_BYTES = 4_096;
const LOOPBACK_MS: Range = [0.01, 0.05];

const NO_TLS = "a simulated network has no TLS";

const RESET = new SystemError("ECONNRESET").message;

/** A machine as the network sees it. */
export interface Host {
  readonly name: string;
  readonly ip: string;
  readonly disk: SimulatedDisk;
  hasPower: boolean;
}

type Segment =
  | { readonly kind: "open"; readonly address: Address }
  | { readonly kind: "opened" | "refused" | "end" | "reset" }
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  /** So many bytes have been read: there is room for them again. */
  | { readonly kind: "room"; readonly count: number };

/** One way of a connection. */
class Lane {
  readonly segments: Segment[] = [];
  /** Arrivals that a partition holds back. */
  heldCount = 0;
  #lastArrivalMs = 0;
  /** Where it ends; null at a listener that has not been asked yet. */
  receiver: SimulatedSocket | null = null;

  readonly #name: string;
  readonly #onArrival = () => this.#arrive();

  constructor(readonly web: Web, readonly from: Host, readonly to: Host, readonly link: Link) {
    this.#name = `${from.name} -> ${to.name}`;
  }

  send(segment: Segment): void {
    this.segments.push(segment);
    this.expect();
  }

  /** An arrival: of the first segment that is on its way by then. */
  expect(): void {
    const { web } = this;
    const delayMs = web.delayMs(this.from, this.to);
    const atMs = Math.max(this.#lastArrivalMs, web.schedule.nowMs + delayMs);
    this.#lastArrivalMs = atMs;
    web.schedule.at(atMs, web.life, this.#name, this.#onArrival, this.link.id);
  }

  #arrive(): void {
    const { web } = this;
    if (web.isPartitioned(this.from, this.to)) {
      this.heldCount++;
      web.held.add(this);
      return;
    }
    const segment = this.segments.shift();
    if (segment === undefined) return; // lost with a connection that was cut
    if (!this.to.hasPower) return;
    const { record, nowMs } = web.schedule;
    if (segment.kind === "data") {
      record.add(nowMs, this.#name, "bytes", segment.bytes.length, sumOf(segment.bytes));
    } else record.add(nowMs, this.#name, segment.kind);
    if (this.receiver !== null) this.receiver.take(segment);
    else if (segment.kind === "open") web.accept(this.link, segment.address);
  }
}

/** A checksum of bytes; of many, those at even distances from the last one stand for all. */
function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  const step = Math.ceil(bytes.length / SUMMED_BYTES);
  for (let i = bytes.length - 1; i >= 0; i -= step) sum = Math.imul(sum ^ bytes[i], 0x01000193);
  return sum >>> 0;
}

/** A connection: the way there, from who opened it, and the way back. */
class Link {
  readonly there: Lane;
  readonly back: Lane;

  constructor(web: Web, readonly id: number, readonly from: Host, readonly to: Host) {
    this.there = new Lane(web, from, to, this);
    this.back = new Lane(web, to, from, this);
  }

  /** Nothing that is on its way arrives; each end that is there hears of a reset. */
  cut(): void {
    for (const lane of [this.there, this.back]) {
      lane.segments.length = 0;
      lane.send({ kind: "reset" });
    }
  }
}

/** The network itself, with everything that is connected to it. */
export class Web {
  readonly life = new Life("network");
  readonly hosts: Host[] = [];
  /** How long a segment is on its way between machines. */
  latencyMs: Range = [0.05, 1];
  /** One segment in so many takes up to so long instead. */
  stall: { readonly chance: number; readonly ms: number } = { chance: 0.01, ms: 30 };
  /** How much a connection holds that was sent and not read yet, each way; drawn for each. */
  bufferBytes: Range = [1_024, 65_536];
  readonly listeners = new Map<Host, SimulatedListener[]>();
  readonly links = new Set<Link>();
  /** Ways with something that a partition holds back. */
  readonly held = new Set<Lane>();
  readonly #partitions = new Set<string>();
  #nextLink = 1;
  #nextPort = 0;

  constructor(readonly schedule: Schedule, readonly draw: Draw) {}

  // -- faults ------------------------------------------------------------------------------

  /** From now on nothing that `from` sends comes to `to`, until it is healed; then all of it does. */
  partition(from: Host, to: Host): void {
    this.#partitions.add(`${from.name}>${to.name}`);
  }

  /** Ends all partitions, or those that this machine has to do with. */
  heal(host?: Host): void {
    for (const partition of this.#partitions) {
      const names = partition.split(">");
      if (host === undefined || names.includes(host.name)) this.#partitions.delete(partition);
    }
    for (const lane of this.held) {
      if (host !== undefined && lane.from !== host && lane.to !== host) continue;
      for (; lane.heldCount > 0; lane.heldCount--) lane.expect();
      this.held.delete(lane);
    }
  }

  /** Breaks all connections between two machines, or of one with all others. */
  cut(one: Host, other?: Host): void {
    for (const link of this.links) {
      const { from, to } = link;
      if (from !== one && to !== one) continue;
      if (other === undefined ? from !== to : from === other || to === other) link.cut();
    }
  }

  isPartitioned(from: Host, to: Host): boolean {
    return this.#partitions.size > 0 && this.#partitions.has(`${from.name}>${to.name}`);
  }

  /** A machine has lost its power: whoever is connected to it is told by a reset. */
  powerLost(host: Host): void {
    for (const link of this.links) if (link.from === host || link.to === host) link.cut();
  }

  // -- connections ---------------------------------------------------------------------------

  delayMs(from: Host, to: Host): number {
    if (from === to) return within(this.draw, LOOPBACK_MS);
    if (this.draw() < this.stall.chance) return this.draw() * this.stall.ms;
    return within(this.draw, this.latencyMs);
  }

  freePort(): number {
    return FIRST_FREE_PORT + this.#nextPort++ % FREE_PORTS;
  }

  /** The machine of this name or address, seen from `from`. */
  find(from: Host, hostname: string): Host | undefined {
    if (isLoopback(hostname) || hostname === "localhost") return from;
    return this.hosts.find(({ name, ip }) => name === hostname || ip === hostname);
  }

  open(from: Host, to: Host, address: Address, near: SimulatedSocket): void {
    const link = new Link(this, this.#nextLink++, from, to);
    link.back.receiver = near;
    near.attach(link.there, link);
    this.links.add(link);
    link.there.send({ kind: "open", address });
  }

  /** A connection attempt has come to the machine of a listener, if there is one. */
  accept(link: Link, { hostname, port }: Address): void {
    const listener = this.listeners.get(link.to)?.find((each) =>
      !each.isClosed && each.port === port && (each.path ?? "") === (port === 0 ? hostname : "") &&
      (each.path !== null || each.isFor(hostname))
    );
    if (listener === undefined) {
      link.back.send({ kind: "refused" });
      this.links.delete(link);
      return;
    }
    const near = link.back.receiver!;
    const socket = new SimulatedSocket(
      this,
      listener.life,
      near.isUnix,
      near.remote,
      near.local,
      (socket) => listener.handler.accepted(socket),
    );
    link.there.receiver = socket;
    socket.attach(link.back, link);
    link.back.send({ kind: "opened" });
    socket.opened();
  }
}

export function isLoopback(hostname: string): boolean {
  return hostname.startsWith("127.") || hostname === "::1";
}

class SimulatedListener implements Listener {
  isClosed = false;
  #closing: Promise<void> | null = null;
  readonly #forget: () => void;

  constructor(
    readonly web: Web,
    readonly host: Host,
    readonly life: Life,
    readonly hostname: string,
    readonly port: number,
    readonly path: string | null,
    readonly handler: ListenerHandler,
  ) {
    const { listeners } = web;
    const all = listeners.get(host) ?? [];
    all.push(this);
    listeners.set(host, all);
    this.#forget = life.atEnd(() => this.#gone());
  }

  /** Whether it takes connections to this address of its machine. */
  isFor(hostname: string): boolean {
    return this.hostname === "0.0.0.0" || this.hostname === "::" || this.hostname === hostname;
  }

  close(): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    this.isClosed = true;
    if (this.path !== null && !this.life.isOver) this.host.disk.removeSocket(this.path);
    this.#closing = new Promise((resolve) =>
      this.web.schedule.after(0, this.life, "a listener is closed", () => {
        this.#forget();
        this.#gone();
        resolve();
      })
    );
    return this.#closing;
  }

  #gone(): void {
    this.isClosed = true;
    const all = this.web.listeners.get(this.host)!;
    if (all.includes(this)) all.splice(all.indexOf(this), 1);
  }
}

/** Bytes that `write` has not taken. */
interface Offer {
  readonly buffer: ArrayBuffer;
  readonly from: number;
  readonly to: number;
  readonly sum: number;
  /** Of a write in the background: how many have gone meanwhile. */
  goneBytes: number;
}

export class SimulatedSocket implements Socket {
  readonly #web: Web;
  readonly #life: Life;
  readonly #forgetLife: () => void;
  #link: Link | null = null;
  #lane: Lane | null = null;
  /** Says who is to serve it; is called in the first turn. */
  readonly #begin: (socket: Socket) => SocketHandler | null;
  #handler: SocketHandler | null = null;
  #isOpened = false;
  #isClosed = false;
  /** Why the connection is broken, until its user has been told. */
  #cause: string | null = null;
  #isBroken = false;
  #isTurnComing = false;

  // Input.
  readonly #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #isPaused = false;
  #hasPeerEnded = false;
  #wasEndTold = false;
  /** Whether it asks for space before there is input. */
  readonly #asksEarly: boolean;
  #space: Uint8Array<ArrayBuffer> | null = null;
  #readBytes = 0;

  // Output.
  readonly #capacityBytes: number;
  #unreadBytes = 0;
  readonly #writesInBackground: boolean;
  #offer: Offer | null = null;
  #isDrainDue = false;

  constructor(
    web: Web,
    life: Life,
    readonly isUnix: boolean,
    readonly local: Address,
    readonly remote: Address,
    begin: (socket: Socket) => SocketHandler | null,
  ) {
    const { draw } = web;
    this.#web = web;
    this.#life = life;
    this.#begin = begin;
    this.#asksEarly = draw() < 0.5;
    this.#writesInBackground = draw() < 0.5;
    this.#capacityBytes = Math.ceil(within(draw, web.bufferBytes));
    this.#forgetLife = life.atEnd(() => this.close());
  }

  attach(lane: Lane, link: Link): void {
    this.#lane = lane;
    this.#link = link;
  }

  /** The connection stands. */
  opened(): void {
    this.#isOpened = true;
    this.#wantTurn();
  }

  /** Whether its user is at work. */
  get isBegun(): boolean {
    return this.#handler !== null;
  }

  // -- what arrives --------------------------------------------------------------------------

  take(segment: Segment): void {
    switch (segment.kind) {
      case "opened":
        this.opened();
        break;
      case "refused":
        this.#break(new SystemError("ECONNREFUSED").message);
        break;
      case "reset":
        this.#break(RESET);
        break;
      case "data":
        if (this.#isClosed || this.#isBroken) this.#reset();
        else {
          this.#inbox.push(segment.bytes);
          this.#inboxBytes += segment.bytes.length;
        }
        break;
      case "end":
        this.#hasPeerEnded = true;
        if (this.#isClosed) this.#web.links.delete(this.#link!);
        break;
      case "room":
        this.#unreadBytes -= segment.count;
        this.#pushOffer();
        break;
    }
    this.#wantTurn();
  }

  /** Who writes to a socket that is closed is answered with a reset. */
  #reset(): void {
    this.#web.links.delete(this.#link!);
    this.#lane!.send({ kind: "reset" });
  }

  #break(cause: string): void {
    this.#web.links.delete(this.#link!);
    if (this.#isClosed || this.#isBroken) return;
    this.#isBroken = true;
    this.#cause = cause;
    this.#inbox.length = 0;
    this.#inboxBytes = 0;
  }

  // -- turns -----------------------------------------------------------------------------------

  #wantTurn(): void {
    if (this.#isTurnComing || this.#isClosed || !this.#hasWork()) return;
    this.#isTurnComing = true;
    this.#web.schedule.after(0, this.#life, "socket", this.#onTurn, this.#link!.id);
  }

  readonly #onTurn = (): void => {
    this.#isTurnComing = false;
    this.#turn();
    this.#wantTurn();
  };

  #hasWork(): boolean {
    if (this.#cause !== null) return true;
    if (!this.#isOpened) return false;
    if (this.#handler === null || this.#isDrainDue) return true;
    if (this.#isPaused) return false;
    if (this.#inboxBytes > 0) return true;
    if (this.#hasPeerEnded) return !this.#wasEndTold;
    return this.#asksEarly && this.#space === null;
  }

  /** One call of the user's, if there is reason for any. */
  #turn(): void {
    if (this.#isClosed || !this.#hasWork()) return;
    if (this.#cause !== null) {
      const cause = this.#cause;
      this.#cause = null;
      const handler = this.#handler;
      this.#finish();
      if (handler !== null) handler.closed(cause);
      else this.#failed?.(cause);
    } else if (this.#handler === null) {
      const handler = this.#begin(this);
      if (handler === null) this.close();
      else if (!this.#isClosed) this.#handler = handler;
    } else if (this.#isDrainDue) {
      this.#isDrainDue = false;
      this.#handler.drained();
    } else if (this.#inboxBytes > 0) this.#fill(this.#handler);
    else if (this.#hasPeerEnded) {
      this.#wasEndTold = true;
      this.#handler.ended();
    } else this.#space = this.#askForSpace(this.#handler, 0);
  }

  #askForSpace(handler: SocketHandler, hint: number): Uint8Array<ArrayBuffer> {
    const space = handler.space(hint);
    if (space.length === 0) throw new Error("A socket was given no room for its input");
    return space;
  }

  #fill(handler: SocketHandler): void {
    const space = this.#space ?? this.#askForSpace(handler, this.#inboxBytes);
    this.#space = null;
    if (this.#isClosed) return;
    let count = 0;
    while (count < space.length && this.#inbox.length > 0) {
      const first = this.#inbox[0];
      const taken = Math.min(first.length, space.length - count);
      space.set(first.subarray(0, taken), count);
      count += taken;
      if (taken < first.length) this.#inbox[0] = first.subarray(taken);
      else this.#inbox.shift();
    }
    this.#inboxBytes -= count;
    this.#readBytes += count;
    handler.filled(count);
    // Not each time: the sender need not know before it is about to be short of room.
    if (this.#readBytes * 4 >= this.#peerCapacityBytes && !this.#isClosed) {
      this.#lane!.send({ kind: "room", count: this.#readBytes });
      this.#readBytes = 0;
    }
  }

  /** Whoever reads knows from the segments how much the sender may have on the way. */
  get #peerCapacityBytes(): number {
    return this.#link!.there.receiver === this
      ? this.#link!.back.receiver!.#capacityBytes
      : this.#link!.there.receiver!.#capacityBytes;
  }

  // -- output ------------------------------------------------------------------------------

  write(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): number {
    if (this.#isClosed || this.#isBroken || this.#life.isOver) return 0;
    const start = bytes.byteOffset + from;
    const { buffer } = bytes;
    const offer = this.#offer;
    if (offer !== null) {
      if (offer.goneBytes < 0) throw new Error("Output was offered before the socket had drained");
      if (buffer !== offer.buffer || start !== offer.from || bytes.byteOffset + to < offer.to) {
        throw new Error("Other output was offered than what had not been taken");
      }
      this.#checkUnchanged(offer);
      this.#offer = null;
      if (offer.goneBytes > 0) {
        if (from + offer.goneBytes < to) {
          this.#keep(buffer, start + offer.goneBytes, bytes.byteOffset + to);
        }
        return offer.goneBytes;
      }
    }
    if (from === to) return 0;
    if (this.#writesInBackground) {
      this.#keep(buffer, start, bytes.byteOffset + to);
      return 0;
    }
    const count = this.#send(bytes, from, to);
    if (from + count < to) this.#keep(buffer, start + count, bytes.byteOffset + to);
    return count;
  }

  /** Waits for room for what could not be taken; a write in the background makes use of it itself. */
  #keep(buffer: ArrayBuffer, from: number, to: number): void {
    const sum = sumOf(new Uint8Array(buffer, from, to - from));
    const offer: Offer = { buffer, from, to, sum, goneBytes: -1 };
    this.#offer = offer;
    if (!this.#writesInBackground) return;
    this.#web.schedule.after(this.#web.draw() * 0.1, this.#life, "writes", () => {
      if (this.#offer === offer) this.#pushOffer();
    });
  }

  /** What has not been taken is sent, or its user told to offer it, if there is room. */
  #pushOffer(): void {
    const offer = this.#offer;
    if (offer === null || offer.goneBytes >= 0 || this.#isClosed || this.#isBroken) return;
    if (this.#unreadBytes >= this.#capacityBytes) return;
    offer.goneBytes = 0;
    if (this.#writesInBackground) {
      this.#checkUnchanged(offer);
      const bytes = new Uint8Array(offer.buffer, offer.from, offer.to - offer.from);
      offer.goneBytes = this.#send(bytes, 0, bytes.length);
    }
    this.#isDrainDue = true;
    this.#wantTurn();
  }

  #checkUnchanged({ buffer, from, to, sum }: Offer): void {
    if (sumOf(new Uint8Array(buffer, from, to - from)) === sum) return;
    throw new Error("Output was changed before the socket had taken it");
  }

  /** Sends as much as there is room for, in one segment or two. */
  #send(bytes: Uint8Array, from: number, to: number): number {
    const count = Math.min(to - from, this.#capacityBytes - this.#unreadBytes);
    if (count === 0) return 0;
    this.#unreadBytes += count;
    const { draw } = this.#web;
    const split = draw() < 0.2 ? below(draw, count) : 0;
    const middle = from + split;
    if (split > 0) this.#lane!.send({ kind: "data", bytes: bytes.slice(from, middle) });
    this.#lane!.send({ kind: "data", bytes: bytes.slice(middle, from + count) });
    return count;
  }

  // -- control -----------------------------------------------------------------------------

  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#wantTurn();
  }

  setNoDelay(): void {}

  setKeepAlive(): void {}

  /** Shuts down the sending side: what tests need of a peer, and a server does not. */
  endSending(): void {
    this.#lane!.send({ kind: "end" });
  }

  /** Ends the connection in the midst of everything: what tests need of a peer. */
  reset(): void {
    if (this.#isClosed || this.#isBroken) return;
    this.#finish();
    this.#reset();
  }

  close(): void {
    if (this.#isClosed) return;
    const isBroken = this.#isBroken;
    const hasUnread = this.#inboxBytes > 0;
    this.#finish();
    if (isBroken) return;
    this.#lane!.send({ kind: hasUnread ? "reset" : "end" });
    if (this.#hasPeerEnded || hasUnread) this.#web.links.delete(this.#link!);
  }

  #finish(): void {
    this.#isClosed = true;
    this.#handler = null;
    this.#offer = null;
    this.#space = null;
    this.#inbox.length = 0;
    this.#inboxBytes = 0;
    this.#forgetLife();
  }

  /** Of a connection attempt: who hears that it has failed. */
  #failed: ((reason: string) => void) | null = null;

  onFailed(failed: (reason: string) => void): void {
    this.#failed = failed;
  }

  /** Nothing has come back for too long. */
  giveUp(cause: string): void {
    if (this.#isOpened || this.#isClosed || this.#isBroken) return;
    this.#break(cause);
    this.#wantTurn();
  }
}

/** The network as one thread of a machine sees it. */
export class SimulatedNetwork implements Network {
  constructor(readonly web: Web, readonly host: Host, readonly life: Life) {}

  listenTcp(hostname: string, port: number, handler: ListenerHandler): Listener {
    this.life.check();
    const { web, host } = this;
    const address = hostname === "localhost" ? "127.0.0.1" : hostname;
    const isMine = address === "0.0.0.0" || address === "::" || isLoopback(address) ||
      address === host.ip || address === host.name;
    if (!isMine) throw new SystemError("EADDRNOTAVAIL");
    const own = address === host.name ? host.ip : address;
    const chosen = port === 0 ? web.freePort() : port;
    const isAny = (name: string) => name === "0.0.0.0" || name === "::";
    const isTaken = web.listeners.get(host)?.some((each) =>
      each.path === null && each.port === chosen &&
      (each.hostname === own || isAny(each.hostname) || isAny(own))
    );
    if (isTaken) throw new SystemError("EADDRINUSE");
    return new SimulatedListener(web, host, this.life, own, chosen, null, handler);
  }

  listenUnix(path: string, mode: number, handler: ListenerHandler): Listener {
    this.life.check();
    this.host.disk.addSocket(path, mode);
    return new SimulatedListener(this.web, this.host, this.life, path, 0, path, handler);
  }

  connectTcp(
    hostname: string,
    port: number,
    handler: ConnectHandler,
    source = "",
  ): { cancel(): void } {
    const to = this.web.find(this.host, hostname);
    if (to === undefined) return this.#unknown(handler);
    const target = to === this.host && !isLoopback(hostname) && hostname !== to.ip
      ? "127.0.0.1"
      : isLoopback(hostname)
      ? hostname
      : to.ip;
    const usual = to === this.host ? target : this.host.ip;
    const isOurs = source === this.host.ip || isLoopback(source);
    const local = { hostname: isOurs ? source : usual, port: this.web.freePort() };
    return this.#connect(to, false, local, { hostname: target, port }, handler);
  }

  // What is simulated is what happens to bytes; TLS would only hide them.
  tlsContext(): never {
    throw new Error(NO_TLS);
  }

  listenTls(): never {
    throw new Error(NO_TLS);
  }

  connectTls(): never {
    throw new Error(NO_TLS);
  }

  /** Connects to a Unix socket of this machine: what tests need, and a server does not. */
  connectUnix(path: string, handler: ConnectHandler): { cancel(): void } {
    return this.#connect(
      this.host,
      true,
      { hostname: "", port: 0 },
      { hostname: path, port: 0 },
      handler,
    );
  }

  #connect(
    to: Host,
    isUnix: boolean,
    local: Address,
    remote: Address,
    handler: ConnectHandler,
  ): { cancel(): void } {
    const { web, host, life } = this;
    let timer: Scheduled | null = null;
    const over = () => {
      if (timer !== null) timer.isCancelled = true;
    };
    const socket = new SimulatedSocket(web, life, isUnix, local, remote, (socket) => {
      over();
      return handler.connected(socket);
    });
    socket.onFailed((reason) => {
      over();
      handler.failed(reason);
    });
    web.open(host, to, remote, socket);
    const [waitMs, code] = to.hasPower
      ? [CONNECT_TIMEOUT_MS, "ETIMEDOUT"]
      : [UNREACHABLE_MS, "EHOSTUNREACH"];
    const reason = new SystemError(code).message;
    timer = web.schedule.after(waitMs, life, "gives up connecting", () => socket.giveUp(reason));
    return {
      cancel: () => {
        over();
        if (!socket.isBegun) socket.close();
      },
    };
  }

  #unknown(handler: ConnectHandler): { cancel(): void } {
    const { schedule, draw, latencyMs } = this.web;
    const reason = new SystemError("ENOTFOUND").message;
    const answer = schedule.after(
      within(draw, latencyMs),
      this.life,
      "looks up a name in vain",
      () => handler.failed(reason),
    );
    return { cancel: () => void (answer.isCancelled = true) };
  }
}
