/**
 * What tsredis asks of the program that runs it, and all that it asks: sockets, files, timers, a
 * worker, the process and the machine. Deno and Bun each answer in their own way (deno.ts, bun.ts with
 * the `node:` modules of node_files.ts and node_process.ts), and a simulated runtime (simulated.ts)
 * answers from a seed. No other folder of src/ names a runtime's global objects. See "A door to the
 * runtime" in NOTES.
 *
 * Nothing here promises where the path of a request runs: sockets call back. What is slow and off that
 * path (a file read in the thread pool) is a promise.
 *
 * Errors: what the system refuses is thrown as a SystemError with the system's code and words, the
 * same under every runtime; see system_error.ts.
 */

import type { Clock } from "../base/clock.ts";

export interface Runtime {
  /** As INFO and the log name it. */
  readonly name: "deno" | "bun" | "simulated";
  readonly version: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly network: Network;
  readonly files: Files;
  readonly process: HostProcess;
  /** Fills the array with random bytes that nobody can foresee (a simulated runtime: from its seed). */
  fillRandom(bytes: Uint8Array<ArrayBuffer>): void;
  /** Whether both are the same, in a time that does not tell how much of `given` was right. */
  isSameSecret(given: Uint8Array, secret: Uint8Array): boolean;
  /**
   * Starts a program in a thread of its own. `onMessage` hears what it says; `onFailure` that it has
   * died of an error, after which it is gone.
   */
  openWorker(
    program: WorkerProgram,
    onMessage: (message: unknown) => void,
    onFailure: (reason: string) => void,
  ): WorkerPort;
}

// -- time ------------------------------------------------------------------------------------------

/** What `after` and `every` return; only for `cancel`. */
export type Timer = number | object;

/** Longer timers do not exist in the runtimes; nobody will tell the difference. */
export const TIMER_MAX_MS = 0x7fffffff;

export interface Timers {
  /** Calls `work` once, after `ms` milliseconds or a little more. */
  after(ms: number, work: () => void): Timer;
  /** Calls `work` every `ms` milliseconds, until cancelled. */
  every(ms: number, work: () => void): Timer;
  /** Nothing happens for null, nor for a timer that is over. */
  cancel(timer: Timer | null): void;
  /**
   * Calls `work` at the end of the present turn: when the code that runs now has returned, and before
   * anything else that waits on sockets, files or timers.
   */
  soon(work: () => void): void;
  /**
   * Calls `work` once all connections whose input the event loop has read together with that of the
   * present turn have had their turns, and before input is read again.
   */
  afterInput(work: () => void): void;
  /**
   * Calls `work` once everything that is ready by now on sockets and timers has had its turn: for long
   * work that is cut into slices.
   */
  afterOthers(work: () => void): void;
  /**
   * Gives back what it holds of the system beyond timers, since nobody works at present. It may be
   * used on.
   */
  release(): Promise<void>;
}

// -- sockets ---------------------------------------------------------------------------------------

/** One end of a connection. */
export interface Address {
  /** An IP address without brackets; for a Unix socket its path. */
  readonly hostname: string;
  /** 0 for a Unix socket. */
  readonly port: number;
}

/**
 * Who is at this end of a socket. Each method is called in a turn of the event loop of its own, never
 * from inside a call to the socket; none is called after `closed`, nor after `Socket.close`.
 */
export interface SocketHandler {
  /**
   * Where the next input is to be stored: at least one byte of room. It must stay as it is until
   * `filled` says how much has come. `hint` is how many bytes are at hand already, 0 when not known:
   * who has room for them all is not called as often.
   */
  space(hint: number): Uint8Array<ArrayBuffer>;
  /** So many bytes, at least one, lie at the beginning of what `space` gave. */
  filled(count: number): void;
  /** The peer has shut down its sending side. It may still read: output goes on until `close`. */
  ended(): void;
  /** What `write` has not taken may be offered to it again. */
  drained(): void;
  /**
   * The connection is broken: `cause` is the system's words ("Connection reset by peer"). It is closed
   * already. Not called when `Socket.close` has ended it.
   */
  closed(cause: string): void;
}

export interface Socket {
  readonly isUnix: boolean;
  /** The common name in the valid certificate of a client; null or absent where there is none, or several. */
  readonly commonName?: string | null;
  readonly local: Address;
  readonly remote: Address;
  /**
   * Offers bytes [from, to) for sending; answers how many of them have been taken. After an answer
   * smaller than `to - from` the rest must stay unchanged and in place until `drained` is called; then
   * it has to be offered again, beginning where the answers so far have come to. Until `drained`
   * nothing may be offered.
   *
   * (A runtime that writes in the background takes nothing at first, keeps the bytes, and answers the
   * next offer with what has gone meanwhile.)
   *
   * Nothing is taken by a closed socket: the answer is 0.
   */
  write(bytes: Uint8Array, from: number, to: number): number;
  /** No more input is asked for until `resumeReading`; what the peer sends waits in the system. */
  pauseReading(): void;
  resumeReading(): void;
  /** Whether small pieces go out at once, or are held back to be joined (false). TCP only. */
  setNoDelay(isOn: boolean): void;
  /** Probes an idle connection, so that a peer that vanished is noticed. TCP only. */
  setKeepAlive(isOn: boolean): void;
  /**
   * Ends both directions now. Output that has been taken still goes out. The handler is not called
   * any more. May be repeated.
   */
  close(): void;
}

/** A socket that accepts connections. */
export interface Listener {
  /** The port it has; of interest where port 0 was asked for. 0 for a Unix socket. */
  readonly port: number;
  /** Stops accepting. Resolves when the address can be listened on again. May be repeated. */
  close(): Promise<void>;
}

/** Told by a listener. */
export interface ListenerHandler {
  /** A connection has come: who is to serve it. Null has it closed at once. */
  accepted(socket: Socket): SocketHandler | null;
  /** A connection could not be accepted (out of descriptors, say); the listener goes on. */
  failed(reason: string): void;
}

/** Told how a connection attempt goes: one of the two is called, once, unless it was cancelled. */
export interface ConnectHandler {
  /** Connected: who is at this end. */
  connected(socket: Socket): SocketHandler;
  /** The system's words, such as "Connection refused". */
  failed(reason: string): void;
}

export interface Network {
  /**
   * Listens on an IP address or host name. "::" serves IPv6 and, where the system does so, IPv4 too.
   * Port 0 takes a free one.
   *
   * @throws SystemError EADDRINUSE, EADDRNOTAVAIL, EACCES …
   */
  listenTcp(hostname: string, port: number, handler: ListenerHandler): Listener;
  /**
   * Listens on a Unix socket, with the file's permissions `mode` unless that is 0. The path must not
   * exist; `Listener.close` removes it. @throws SystemError
   */
  listenUnix(path: string, mode: number, handler: ListenerHandler): Listener;
  /**
   * Begins to connect; the host name may have to be looked up. Returns what calls it off. `source` is the
   * address of this machine to connect from; where that cannot be had, and by default, the system chooses.
   * Never throws: what is no host name or port fails as one that cannot be reached.
   */
  connectTcp(
    hostname: string,
    port: number,
    handler: ConnectHandler,
    source?: string,
  ): { cancel(): void };
  /**
   * Makes ready for TLS what is in files. @throws TlsFileError naming which of them cannot be used, or
   * Error where the runtime has no TLS
   */
  tlsContext(files: TlsFiles): TlsContext;
  /**
   * Listens for connections that begin with a TLS handshake, as `listenTcp` otherwise. What a peer
   * sends before its handshake is done is bounded by the runtime, as a handshake's messages are; a
   * handshake that takes longer than HANDSHAKE_MAX_MS has failed.
   *
   * @throws SystemError as `listenTcp`
   */
  listenTls(hostname: string, port: number, handler: TlsListenerHandler): Listener;
  /**
   * As `connectTcp`; connected when the handshake is done, and the peer has shown a certificate that
   * was issued by one of the context's authorities. The name in it is not looked at, as in Redis.
   */
  connectTls(
    hostname: string,
    port: number,
    context: TlsContext,
    handler: ConnectHandler,
    source?: string,
  ): { cancel(): void };
}

// -- TLS -------------------------------------------------------------------------------------------

/** A handshake that takes longer is given up. */
export const HANDSHAKE_MAX_MS = 20_000;

export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** The content of the files that one end of encrypted connections is configured with. */
export interface TlsFiles {
  /** PEM: the certificate that it shows, then those that lead to an authority. */
  readonly certificate: Uint8Array;
  /** PEM: the key of that certificate. */
  readonly key: Uint8Array;
  /** What the key is encrypted with, null if it is not; a byte string. */
  readonly keyPassword: string | null;
  /** PEM: who may have issued the certificates of peers. With none, no certificate of a peer is valid. */
  readonly authorities: readonly Uint8Array[];
  /** The versions of the protocol to be used, at least one. */
  readonly versions: readonly TlsVersion[];
}

/** What `TlsFiles` have become; the runtime's own. A connection keeps the one that it began with. */
export interface TlsContext {
  readonly files: TlsFiles;
}

/**
 * Whether a client is asked for a certificate: it must show one that is valid, it may leave that be (but
 * show no other), or it is not asked.
 */
export type ClientCertificates = "yes" | "optional" | "no";

/** How to shake hands with a client. */
export interface ServerHandshake {
  readonly context: TlsContext;
  readonly clientCertificates: ClientCertificates;
}

/** Told by a listener for TLS: `accepted` is called when a handshake is done. */
export interface TlsListenerHandler extends ListenerHandler {
  /**
   * A peer has come: how to shake hands with it; null has it closed. After an answer exactly one of
   * `accepted` and `handshakeFailed` follows.
   */
  arrived(): ServerHandshake | null;
  /** `reason` is in OpenSSL's words where it has some. The connection is closed already. */
  handshakeFailed(reason: string, remote: Address, local: Address): void;
}

// -- files -----------------------------------------------------------------------------------------

/** How a file is opened. */
export type OpenMode =
  /** It has to be there; for reading. */
  | "read"
  /** For writing; made if it is not there, emptied if it is. */
  | "write"
  /** For writing at the end; made if it is not there. */
  | "append"
  /** For reading and writing; an error (EEXIST) if it is there. */
  | "create";

export interface FileInfo {
  readonly sizeBytes: number;
  readonly isFolder: boolean;
  /** Permission bits; null where the system has none. */
  readonly mode: number | null;
}

/** All of it blocks, but for what is named `…Soon`, which works in the background. */
export interface Files {
  /** @throws SystemError; `permissions` are those of a file that is made, less the umask */
  open(path: string, mode: OpenMode, permissions?: number): OpenFile;
  /** The whole content. @throws SystemError */
  read(path: string): Uint8Array<ArrayBuffer>;
  /** Null when there is nothing of that name. @throws SystemError otherwise */
  info(path: string): FileInfo | null;
  /** Names in a folder, in no order. @throws SystemError */
  list(folder: string): { readonly name: string; readonly isFolder: boolean }[];
  /** @throws SystemError */
  rename(from: string, to: string): void;
  /** Makes a folder, if there is none of that name; that above it has to be there. @throws SystemError */
  makeFolder(path: string): void;
  /** Cuts a file off behind its first `sizeBytes` bytes. @throws SystemError, ENOENT when it is not there */
  truncate(path: string, sizeBytes: number): void;
  /** A second name for a file. @throws SystemError also where the file system has no links */
  link(existing: string, path: string): void;
  /** @throws SystemError, ENOENT when it is not there */
  remove(path: string): void;
  /** Removes a file if it can be removed; giving up a large one takes the system long. */
  removeSoon(path: string): void;
  /** Sets permission bits; nothing where the system has none. @throws SystemError */
  setMode(path: string, mode: number): void;
  /**
   * Makes the names in a folder survive a power cut, where the system lets a folder be synced.
   * @throws SystemError when the disk fails
   */
  syncFolder(folder: string): void;
  /** Likewise. Rejects with a SystemError. */
  syncFolderSoon(folder: string): Promise<void>;
}

/** An open file, with one position for reading and writing. */
export interface OpenFile {
  /** Stores the next bytes; answers how many, 0 at the end. @throws SystemError */
  read(into: Uint8Array): number;
  /** Writes all of bytes [from, to). @throws SystemError, after which some may have been written */
  write(bytes: Uint8Array, from: number, to: number): void;
  /** As `read`; `into` is the file's until then. Rejects with a SystemError. */
  readSoon(into: Uint8Array<ArrayBuffer>): Promise<number>;
  /** As `write`; the bytes are the file's until then. Rejects with a SystemError. */
  writeSoon(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): Promise<void>;
  /** Brings everything to the disk. @throws SystemError */
  sync(): void;
  syncSoon(): Promise<void>;
  /** Reading and writing go on at this byte, counted from 0. */
  seek(position: number): void;
  /**
   * Locks the file until it is closed, or its process ends however that may be. False when another open
   * file has the lock, or where locks are not to be had.
   */
  tryLock(): boolean;
  /** @throws SystemError */
  sizeBytes(): number;
  /** May be repeated. Operations under way then end with an error. */
  close(): void;
  [Symbol.dispose](): void;
}

// -- threads ---------------------------------------------------------------------------------------

/** A program for a worker. It is named twice: as a module for a thread of its own, and as a function. */
export interface WorkerProgram {
  /** The module, which calls `run` with what its thread has. */
  readonly url: URL;
  /** Runs it where there are no threads; returns who takes messages. */
  run(runtime: Runtime, post: PostMessage): (message: unknown) => void;
}

/** Sends a message; what is transferred is the receiver's from then on. */
export type PostMessage = (message: unknown, transfer: ArrayBuffer[]) => void;

export interface WorkerPort {
  /** Whether it has a thread in more than name: what takes long there holds nobody up here. */
  readonly isThread: boolean;
  readonly post: PostMessage;
  /** Ends the thread, wherever it is. May be repeated. */
  end(): void;
}

// -- the process and its machine -------------------------------------------------------------------

/** Signals that a server hears of. */
export type SignalName = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGALRM";

/** The heap of JavaScript objects. */
export interface HeapUse {
  /** In use, with what has not been collected yet. Asking for it may take a while where there is no limit. */
  readonly usedBytes: number;
  /** The size at which the runtime gives up the process; 0 where there is no such limit. */
  readonly limitBytes: number;
}

export interface HostProcess {
  readonly id: number;
  /** The words behind the program's name. */
  readonly arguments: readonly string[];
  /** "linux", "darwin", "windows" … */
  readonly os: string;
  /** "x86_64", "aarch64". */
  readonly architecture: string;
  /** The folder that relative paths count from. */
  readonly workingFolder: string;
  /** The kernel's release, empty where that may not be asked. */
  systemRelease(): string;
  /** The file that runs, empty where that may not be asked. */
  executablePath(): string;
  /** A variable of the environment; undefined where it is not set or may not be asked. */
  environment(name: string): string | undefined;
  /** Memory of the process in the machine, in bytes. */
  residentBytes(): number;
  /**
   * Buffers of at least so many bytes are given back to the system when they are freed; what is smaller, the
   * runtime's allocator may keep.
   */
  readonly returnedMin: number;
  /** Memory that JavaScript objects take, buffers apart. */
  heap(): HeapUse;
  /**
   * Memory, in bytes, that the system can give the process on top of what it has, as far as the system
   * tells; Infinity where it does not.
   */
  availableMemoryBytes(): number;
  /**
   * Has what nobody refers to any more collected, where the runtime lets one ask. Takes some milliseconds.
   * `isThorough`: its memory goes back to the system at once, which may take fifty.
   */
  collectGarbage(isThorough: boolean): void;
  /** Memory of the machine, in bytes; 0 where that may not be asked. */
  systemMemoryBytes(): number;
  /** Processor time of the process since its start, in microseconds. */
  processorMicros(): { readonly user: number; readonly system: number };
  /** How many files and sockets may be open at once; null where that cannot be told. */
  openFilesMax(): number | null;
  /** Everything that comes on standard input, until its end; blocks. */
  readStandardInput(): Uint8Array<ArrayBuffer>;
  /** @throws SystemError, EPIPE when nobody reads */
  writeStandardOutput(bytes: Uint8Array<ArrayBuffer>): void;
  /** Likewise. */
  writeStandardError(bytes: Uint8Array<ArrayBuffer>): void;
  /** Whether somebody looks at standard error through a terminal. */
  isErrorTerminal(): boolean;
  /** How many characters a line of that terminal has, 80 where it does not say. */
  terminalColumns(): number;
  /** Calls `listener` at each such signal, instead of what the system does at it. */
  onSignal(signal: SignalName, listener: () => void): void;
  /**
   * Tells the service manager of the state (`READY=1`), if it has asked to be told (NOTIFY_SOCKET).
   * Resolves when it has been: true; false when it has not asked, or cannot be told. Never rejects.
   */
  notifyServiceManager(state: string): Promise<boolean>;
  /** Has other threads go before the calling one where the processors are too few for all, if the system can do that. */
  lowerThreadPriority(): void;
  /** What `ps` shows of the process, where it can be changed. */
  setTitle(title: string): void;
  exit(code: number): never;
}
