/**
 * What enters the stream that a replica cannot read though nothing is translated for it. Valkey tells its version
 * (`REPLCONF version`, since 8.0): it reads payloads up to RDB version 11, and 9 its own 80 too; commands for fields that
 * expire it knows since 9, and their form in a snapshot of Redis never. Such a replica would log an error and lack the
 * change from then on: so its link ends before the bytes are sent, with the key's name, and it goes on partially only
 * from behind them. Others are asked whether they know fields that expire once there are some (field_probe.ts), and
 * their links end likewise when they do not. Where they cannot be asked the log warns, once for each replica.
 *
 * On the path of the master role: asked when the stream has grown, and at PSYNC.
 */

import { quoted } from "../../base/printable.ts";
import { toLatin1 } from "../../base/bytes.ts";
import {
  RDB_VERSION,
  RDB_VERSION_FIELDS,
  RDB_VERSION_SET_LISTPACKS,
  RDB_VERSION_VALKEY,
} from "../../rdb/format.ts";
import type { Setting } from "../../config/config.ts";
import { firstUnheld } from "../../rdb/versions.ts";
import type { AttachedReplica } from "../attached_replica.ts";
import type { History } from "../history.ts";
import type { ReplicationHost } from "../host.ts";
import { type Feed, FieldProbe, type FieldQuestion } from "./field_probe.ts";
import { serverVersion } from "./target.ts";

/** The first Valkey with fields that expire, and a version of snapshots of its own. */
const VALKEY_9 = serverVersion("9.0.0");

/** Who does not read a version. */
const LACKING: Record<number, string | undefined> = {
  11: "older than Redis 7.2",
  12: "older than Redis 7.4",
  13: "older than Redis 8.6",
  14: "older than Redis 8.8",
  15: "older than Redis 8.10",
  80: "a Redis, or a Valkey before 9,",
};

/** The question of a replica that cannot be asked on its link: it is warned of once, and not looked at again. */
const UNASKABLE: FieldQuestion = {
  from: Infinity,
  begin: Infinity,
  end: Infinity,
  answers: 0,
  verdict: "silent",
};

/** A payload that has entered the stream, or is about to. */
interface Payload {
  readonly version: number;
  readonly what: string;
}

/** What the master role does about it. */
export interface UnreadableWritesOwner {
  readonly feed: Feed;
  /** A replica has read past what it does not know. */
  lacks(replica: AttachedReplica, what: string): void;
}

export class UnreadableWrites {
  /** Payloads of RESTORE whose bytes are about to enter the stream. */
  #payloads: Payload[] = [];
  /** Whether one of the replicas is known to read less than we write: a Valkey, or found out. */
  #hasLesser = false;
  /** Whether there are replicas of which it is not known whether they know fields that expire. */
  #hasUntold = false;
  /** Whoever reads less and has less of the stream than this lacks something that it could not read. */
  #readableFrom = 0;
  /** The backlog that this is about: another one has other offsets. */
  #backlog: unknown = null;
  readonly #given: Setting<string>;
  readonly #probe: FieldProbe;

  constructor(
    readonly host: ReplicationHost,
    readonly history: History,
    readonly replicas: ReadonlySet<AttachedReplica>,
    readonly owner: UnreadableWritesOwner,
  ) {
    this.#given = host.config.setting("rdb-version-for-replicas");
    this.#probe = new FieldProbe(host, owner.feed);
  }

  /** A replica has come. */
  attached(replica: AttachedReplica): void {
    replica.lacksFields = replica.valkeyVersion > 0
      ? replica.valkeyVersion < VALKEY_9
      : isUntold(replica) && this.#probe.isLacking(replica);
    this.#replicasChanged();
  }

  /** A replica has gone. */
  left(replica: AttachedReplica): void {
    this.#probe.left(replica);
    this.#replicasChanged();
  }

  #replicasChanged(): void {
    this.#hasLesser = this.#hasUntold = false;
    for (const replica of this.replicas) {
      if (replica.valkeyVersion > 0 || replica.lacksFields) this.#hasLesser = true;
      else if (isUntold(replica)) this.#hasUntold = true;
    }
  }

  /** Whether replicas are as they are found to be, and not as `rdb-version-for-replicas` says. */
  get #isAuto(): boolean {
    return this.#given.value === "auto";
  }

  /** RESTORE puts a payload of this version, for the key in these words, into the stream. */
  payload(version: number, key: Uint8Array, database: number): void {
    if (version <= RDB_VERSION || this.replicas.size === 0 || !this.#isAuto) return;
    const what =
      `the payload of RESTORE for the key ${quoted(toLatin1(key))} (database ${database}), ` +
      `which only RDB version ${version} can express`;
    this.#payloads.push({ version, what });
    // What has fields that expire is asked for, as those are in the dataset then.
    if (version !== RDB_VERSION_FIELDS) this.#warn(version, what);
  }

  /** The stream has grown, and nobody has been sent the new bytes yet. */
  grew(): void {
    if (this.#hasLesser && (this.#payloads.length > 0 || this.#hasFields)) {
      const fields = this.#fields();
      for (const replica of this.replicas) {
        const why = this.#unreadBy(replica, fields);
        if (why !== null) this.#end(replica, why);
      }
    }
    if (this.#payloads.length > 0) this.#payloads = [];
  }

  /** What of the newest of the stream this replica cannot read; null for nothing, or where it cannot be told. */
  #unreadBy(replica: AttachedReplica, fields: string | null): string | null {
    const { valkeyVersion, lacksFields, translation, closeCause } = replica;
    if (valkeyVersion === 0 && !lacksFields) return null;
    if (translation !== null || closeCause !== "") return null;
    const payload = this.#payloads.find(({ version }) => !readsPayload(valkeyVersion, version));
    return payload?.what ?? (lacksFields ? fields : null);
  }

  /** Whether there is a field that expires. */
  get #hasFields(): boolean {
    const { databases } = this.host.keyspace;
    for (let i = 0; i < databases.length; i++) if (databases[i].expiringHashCount > 0) return true;
    return false;
  }

  /** Names a hash with fields that expire; null where there is none. */
  #fields(): string | null {
    return this.#isAuto ? firstUnheld(this.host.keyspace, RDB_VERSION_SET_LISTPACKS) : null;
  }

  #end(replica: AttachedReplica, why: string): void {
    const text = `what happens cannot be told to ${nameOf(replica)}: ${why}`;
    this.host.log.warning(`Replica ${replica.name} has to synchronize anew: ${text}`);
    if (this.#readableFrom !== Infinity) {
      // More of the same may follow in this turn.
      this.#readableFrom = Infinity;
      this.host.runtime.timers.soon(() => {
        this.#readableFrom = this.history.offset;
        this.#backlog = this.history.backlog;
      });
    }
    replica.close(text);
  }

  /** Why a replica cannot go on behind the first `offset` bytes of the stream; null if it can. */
  partialRefusal(replica: AttachedReplica, offset: number): string | null {
    const { valkeyVersion } = replica;
    const lacksFields = valkeyVersion > 0
      ? valkeyVersion < VALKEY_9
      : this.#isFoundLacking(replica);
    if ((valkeyVersion === 0 && !lacksFields) || !this.#isAuto) return null;
    if (this.#readableFrom === Infinity) return "what it is to be sent cannot be read by it";
    if (offset < this.#readableFrom && this.#backlog === this.history.backlog) {
      return `what has been written up to offset ${this.#readableFrom} cannot be read by ${
        nameOf(replica)
      }`;
    }
    return lacksFields ? this.#fields() : null;
  }

  #isFoundLacking(replica: AttachedReplica): boolean {
    return isUntold(replica) && this.#probe.isLacking(replica);
  }

  /** Why a replica cannot be sent the dataset as it is; null if it can. */
  fullRefusal(replica: AttachedReplica): string | null {
    const isLesser = replica.valkeyVersion > 0 || this.#isFoundLacking(replica);
    const unheld = isLesser ? this.#fields() : null;
    return unheld === null ? null : `${unheld}, and ${nameOf(replica)} reads no later one`;
  }

  /**
   * Once a second, and wherever it matters soon: asks the replicas that do not tell what they are whether they know
   * fields that expire, if there are some.
   */
  look(): void {
    if (!this.#hasUntold || !this.#hasFields || !this.#isAuto) return;
    const unasked: AttachedReplica[] = [];
    for (const replica of this.replicas) {
      const isReached = replica.cursor !== null && replica.closeCause === "";
      const isProven = replica.sentVersion >= RDB_VERSION_FIELDS;
      if (isUntold(replica) && replica.fieldQuestion === null && isReached && !isProven) {
        unasked.push(replica);
      }
    }
    if (this.#probe.ask(unasked)) return;
    for (const replica of unasked) replica.fieldQuestion = UNASKABLE;
    this.#warnOfFields();
  }

  /**
   * A replica says where it is, which may answer what it was asked; its link ends if it lacks what there is. Answers
   * whether it does not count as being there, as it may lack what has led to the question.
   */
  holdsBack(replica: AttachedReplica, offset: number): boolean {
    const question = replica.fieldQuestion;
    // Before it has said that it has its snapshot it is sent nothing behind that.
    if (question === null || question.verdict === "knows" || replica.waitsForAck) return false;
    if (question.verdict === null) this.#answered(replica, question, offset);
    return question.verdict === "lacks" || (question.verdict === null && offset >= question.from);
  }

  #answered(replica: AttachedReplica, question: FieldQuestion, offset: number): void {
    this.#probe.answered(replica, question, offset);
    if (question.verdict === "silent") this.#warnOfFields();
    if (question.verdict !== "lacks") return;
    replica.lacksFields = true;
    this.#replicasChanged();
    this.owner.lacks(replica, "has been sent fields that expire, which it does not know");
    this.#end(replica, this.#fields() ?? "fields that expire, which it does not know");
  }

  #warnOfFields(): void {
    const fields = this.#fields();
    if (fields !== null) this.#warn(RDB_VERSION_FIELDS, fields);
  }

  /** Says of replicas of which it is not known that they read this version that they may lack something. */
  #warn(version: number, what: string): void {
    for (const replica of this.replicas) {
      if (!isUntold(replica) || replica.isWarnedOf || replica.sentVersion >= version) continue;
      const verdict = replica.fieldQuestion?.verdict;
      if (version === RDB_VERSION_FIELDS && (verdict === "knows" || verdict === null)) continue;
      replica.isWarnedOf = true;
      const who = LACKING[version] ?? "older than its master";
      this.host.log.warning(
        `Replica ${replica.name} does not tell its version. If it is ${who} it cannot have ${what}: ` +
          "then say so with rdb-version-for-replicas, and it is never left out",
      );
    }
  }
}

/** Whether a replica is a server that does not tell its version, by what it has said of itself. */
function isUntold(replica: AttachedReplica): boolean {
  const { valkeyVersion, readsRdb, target, isRdbOnly, listeningPort } = replica;
  return valkeyVersion === 0 && readsRdb === 0 && target === null && !isRdbOnly &&
    listeningPort !== 0;
}

/** Whether a server that is known to read less than we write reads payloads of a version; Valkey 0 is an older Redis. */
function readsPayload(valkeyVersion: number, version: number): boolean {
  return version <= RDB_VERSION_SET_LISTPACKS ||
    (version === RDB_VERSION_VALKEY && valkeyVersion >= VALKEY_9);
}

/** As the log calls such a replica. */
function nameOf({ valkeyVersion }: AttachedReplica): string {
  if (valkeyVersion === 0) return "a server older than Redis 7.4";
  const [major, minor, patch] = [10_000, 100, 1].map((unit) =>
    Math.floor(valkeyVersion / unit) % 100
  );
  return `Valkey ${major}.${minor}.${patch}`;
}
