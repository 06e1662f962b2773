/**
 * What replication is given by the server, and what it asks of clients and connections. The parts
 * above (dispatch, net) fit these shapes; nothing here knows them.
 */

import type { Clock, Draw } from "../base/clock.ts";
import type { Config } from "../config/config.ts";
import type { Database } from "../keyspace/database.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Log } from "../observe/log.ts";
import type { Statistics } from "../observe/statistics.ts";
import type { Persistence, SnapshotMaker } from "../rdb/persistence.ts";
import type { RequestParser } from "../resp/parser.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Words } from "../resp/words.ts";
import type { Runtime, TlsContext } from "../runtime/runtime.ts";
import type { StreamCommand } from "./bridge/translator.ts";

/** Output of a connection beside its replies: sent when no reply is waiting. */
export interface OutputFeed {
  /**
   * The next bytes to send, null when there are none at present (then `transport.wake()` is called
   * once there are). They do not change until `sent` says how many of them have gone.
   */
  next(): Uint8Array | null;
  sent(count: number): void;
  /** Bytes that wait to be sent, for the limits of output. */
  readonly pendingBytes: number;
  /** So many of them count for none, as they belong together and have to be sent whole. */
  readonly exemptBytes: number;
}

/** What a connection does for its client. */
export interface LinkTransport {
  readonly address: string;
  readonly localAddress: string;
  readonly descriptor: number;
  readonly isWriting: boolean;
  wake(): void;
  resume(): void;
  close(afterReply: boolean): void;
  /** Whether small pieces go out at once (as they do by default) or are held back to be joined. */
  setNoDelay?(isOn: boolean): void;
}

/** A client that has become, or may become, the link of a replica. */
export interface ReplicaConnection {
  readonly id: number;
  readonly reply: ReplyWriter;
  readonly transport: LinkTransport;
  /** From PSYNC or SYNC on: no replies but to those. */
  readonly isReplica: boolean;
  readonly isClosed: boolean;
  readonly feed: OutputFeed | null;
  /** Why the server has closed the connection, if it has. */
  readonly closeCause: string;
  becomeReplica(feed: OutputFeed): void;
  /** What REPLCONF has told and more; kept here by the master role. */
  replicaState: unknown;
}

/** The client in whose name the commands of our master run. */
export interface MasterClient {
  readonly parser: RequestParser | null;
  readonly reply: ReplyWriter;
  transport: LinkTransport;
  database: Database;
  readonly isInMulti: boolean;
  isClosing: boolean;
  /** Set while one of its commands waits for something; `transport.resume()` tells of the end of that. */
  readonly park: unknown;
  onTransaction: (() => void) | null;
  onKeep: (() => Words) | null;
  bytesIn: number;
}

/** Commands that were written to the append-only file, one after the other. */
export interface CommandSource {
  /** Database that is selected where it begins. */
  readonly database: number;
  /** Offset of the stream where it begins; -1 when that is not known, and something before it may be missing. */
  readonly offset: number;
  /** Bytes that there are, and that have been read. */
  readonly sizeBytes: number;
  readonly readBytes: number;
  /** The next command; false at the end, or where there is none: then not all has been read. @throws SystemError */
  next(): boolean;
  /** Words of the command that was read last, and its bytes; good until the next call. */
  readonly words: Words;
  readonly bytes: Uint8Array;
  /** Whether others are to have their turn. */
  readonly isTurnOver: boolean;
  close(): void;
}

/** The server as replication sees it. */
export interface ReplicationHost {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly draw: Draw;
  /** INFO's run_id: another one with each start. */
  readonly runId: string;
  readonly config: Config;
  readonly log: Log;
  readonly keyspace: Keyspace;
  readonly persistence: Persistence;
  /** Who makes the snapshots for replicas: the persistence, but in some tests. */
  readonly snapshots: SnapshotMaker;
  readonly statistics: Statistics;
  /** Where the server listens; 0 when it has no TCP port. */
  readonly port: number;
  /** Where it listens with TLS; 0 when it does not. */
  readonly tlsPort: number;
  /** What links are made with. */
  readonly tls: {
    /** To a master; null: without TLS. */
    readonly forMaster: TlsContext | null;
  };
  /**
   * A client that is obeyed where others are refused, and is seen in CLIENT LIST. Inline requests, as
   * masters before 2.6 send them, are an error unless `takesInline`: they tell of a stream out of step.
   */
  openMasterClient(transport: LinkTransport, takesInline: boolean): MasterClient;
  /** CLIENT PAUSE: also what the master sends waits; `ReplicaRole.goOn` tells of the end of that. */
  readonly isPaused: boolean;
  /** FAILOVER: what clients write waits, until it is over. */
  holdWrites(asker: "failover" | "throttle", isHeld: boolean): void;
  /** A script is under way that has others answered meanwhile: the data are its own. As `isPaused` it ends. */
  readonly isHeldByScript: boolean;
  /** Runs the requests that have arrived for it; throws when one of them is a fault of ours. */
  processMasterInput(client: MasterClient): void;
  /** Tells of such a fault, as of any command of the master that has failed. */
  masterCommandFault(client: MasterClient, error: unknown): void;
  /** Forgets it. */
  closeMasterClient(client: MasterClient): void;
  /** Offset of the stream up to which the append-only file is on the disk; null without one. */
  readonly syncedOffset: number | null;
  /**
   * Where what was loaded at the start stands in a history, or from where commands have led on that nobody has counted;
   * null when nothing says so.
   */
  readonly loadedPosition: { readonly id: string; readonly offset: number } | null;
  /**
   * What the append-only file has behind `offset` of the history `id`, and maybe a little of what is before; null when
   * there is nothing. Rejects with a SystemError.
   */
  writtenBehind(
    id: string,
    offset: number,
    pause: () => Promise<void>,
  ): Promise<CommandSource | null>;
  /** The command that these words name, of a stream of writes; null when there is none here. */
  commandOf(words: Words): StreamCommand | null;
  /** The dataset is of another history from here on, which we have begun. */
  historyBegan(): void;
  /** Our role or the state of the link has changed: gates are to be looked at. */
  replicationChanged(): void;
  /** A replica has acknowledged more than before: who waits for that may be let go. */
  acknowledged(): void;
  /** A master becomes a replica, or the other way round: ends what waits for that no longer holds. */
  roleChanged(): void;
}
