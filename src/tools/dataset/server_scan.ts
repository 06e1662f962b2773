/**
 * The data of a running server, key by key (SCAN, DUMP and when the key expires), for servers that do not let a user
 * SYNC: each key as of the moment at which it was asked for. What comes is put together to a snapshot: payloads of
 * DUMP are what stands in one.
 */

import { latin1, toLatin1 } from "../../base/bytes.ts";
import {
  DUMP_FOOTER_BYTES,
  isReadVersion,
  RDB_VERSION,
  RDB_VERSION_READ_MAX,
  RDB_VERSION_VALKEY,
} from "../../rdb/format.ts";
import { metadataBytes } from "../../rdb/module_data.ts";
import { RdbEncoder } from "../../rdb/writer.ts";
import { request } from "../../replication/handshake.ts";
import type { BytesSink } from "../byte_writer.ts";
import { Hash128 } from "../diff/hash128.ts";
import { Progress } from "../progress.ts";
import { ToolFailure, type ToolHost } from "../tool.ts";
import { FingerprintTable } from "../diff/fingerprint_table.ts";
import type { ServerAddress } from "./server_address.ts";
import { ServerError, type ServerLink, type ServerReply, withServer } from "./server_link.ts";

/** Keys that SCAN is asked for, and those whose values are asked for at once. */
const SCAN_COUNT = 1_000;
const KEYS_AT_ONCE = 64;

/**
 * Asks a server for all its keys; answers the least version that their payloads have, which tells what the server knows
 * of them. Rejects with a ToolFailure, or when interrupted.
 */
export async function scanServer(
  host: ToolHost,
  address: ServerAddress,
  to: BytesSink,
): Promise<number> {
  let version = RDB_VERSION;
  await withServer(host, address, async (link) => {
    version = await new ServerScan(host, link, to).run();
  });
  return version;
}

class ServerScan {
  readonly #host: ToolHost;
  readonly #link: ServerLink;
  readonly #to: BytesSink;
  #libraries: readonly Uint8Array[] = [];
  /** The snapshot: begun with the first payload, which tells whether it is Valkey's or Redis's. */
  #out: RdbEncoder | null = null;
  #leastVersion = Infinity;
  #database = 0;
  #selected = -1;
  /** Whether PEXPIRETIME is known; what PTTL says is counted from the server's time otherwise. */
  #tellsExpiry = true;
  #keys = 0;
  /** SCAN may show a key twice. */
  readonly #seen = new FingerprintTable();
  readonly #hash = new Hash128();

  constructor(host: ToolHost, link: ServerLink, to: BytesSink) {
    this.#host = host;
    this.#link = link;
    this.#to = to;
  }

  async run(): Promise<number> {
    const progress = new Progress(this.#host, `Asking ${this.#link.name}`, 0);
    try {
      this.#libraries = await this.#askLibraries();
      this.#tellsExpiry = !(await this.#link.ask("PEXPIRETIME", "") instanceof ServerError);
      for (const database of await this.#askDatabases()) await this.#scan(database, progress);
      (this.#out ?? this.#begin(RDB_VERSION)).writeEof();
      return this.#keys > 0 ? this.#leastVersion : RDB_VERSION;
    } finally {
      progress.end();
    }
  }

  /** The numbers of databases that have keys. */
  async #askDatabases(): Promise<number[]> {
    const info = await this.#link.ask("INFO", "keyspace");
    if (!(info instanceof Uint8Array)) return this.#unexpected("INFO", info);
    return [...toLatin1(info).matchAll(/^db(\d+):/gm)].map(([, number]) => Number(number));
  }

  /** The sources of function libraries; none where there are no functions. */
  async #askLibraries(): Promise<Uint8Array[]> {
    const list = await this.#link.ask("FUNCTION", "LIST", "WITHCODE");
    if (list instanceof ServerError && /unknown command/i.test(list.text)) return [];
    if (!Array.isArray(list)) return this.#unexpected("FUNCTION", list);
    return list.map((library) => {
      const fields = library as ServerReply[];
      const at = fields.findIndex((field) =>
        field instanceof Uint8Array && toLatin1(field) === "library_code"
      );
      return fields[at + 1] as Uint8Array;
    });
  }

  async #scan(database: number, progress: Progress): Promise<void> {
    const selected = await this.#link.ask("SELECT", database);
    if (selected instanceof ServerError) this.#unexpected("SELECT", selected);
    this.#database = database;
    let cursor = "0";
    do {
      const page = await this.#link.ask("SCAN", cursor, "COUNT", SCAN_COUNT);
      if (!Array.isArray(page)) this.#unexpected("SCAN", page);
      cursor = toLatin1(page[0] as Uint8Array);
      const keys = page[1] as Uint8Array[];
      for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
        await this.#take(keys.slice(at, at + KEYS_AT_ONCE));
        if (progress.isDue()) await progress.show(0, this.#keys);
      }
    } while (cursor !== "0");
  }

  async #take(keys: readonly Uint8Array[]): Promise<void> {
    const expiry = this.#tellsExpiry ? "PEXPIRETIME" : "PTTL";
    const requests = keys.map((key) => {
      const word = toLatin1(key);
      return toLatin1(request("DUMP", word)) + toLatin1(request(expiry, word));
    });
    await this.#link.send(latin1(toLatin1(request("TIME")) + requests.join("")));
    const time = await this.#link.reply();
    if (!Array.isArray(time)) this.#unexpected("TIME", time);
    const [seconds, micros] = time.map((part) => Number(toLatin1(part as Uint8Array)));
    const nowMs = seconds * 1_000 + Math.floor(micros / 1_000);
    for (const key of keys) {
      const payload = await this.#link.reply();
      const ms = await this.#link.reply();
      if (payload === null) continue; // it has gone meanwhile
      if (!(payload instanceof Uint8Array)) this.#unexpected("DUMP", payload);
      if (typeof ms !== "string") this.#unexpected(expiry, ms);
      const given = Number(ms);
      this.#write(key, payload, given < 0 ? NaN : this.#tellsExpiry ? given : nowMs + given);
    }
  }

  #write(key: Uint8Array, payload: Uint8Array, expiresAtMs: number): void {
    const hash = this.#hash.ofBytes(this.#database, key, 0, key.length);
    if (this.#seen.find(hash) >= 0) return;
    this.#seen.add(hash, hash, 0, NaN);
    const footer = payload.length - DUMP_FOOTER_BYTES;
    const version = payload[footer] | (payload[footer + 1] << 8);
    if (!isReadVersion(version)) {
      throw new ToolFailure(
        `${this.#link.name}: DUMP: payloads of RDB version ${version} are not read.`,
      );
    }
    const out = this.#out ?? this.#begin(version);
    // Payloads of one server can be of several versions; type numbers are the same in all but Valkey's own.
    if ((version === RDB_VERSION_VALKEY) !== (out.version === RDB_VERSION_VALKEY)) {
      this.#unexpected("DUMP", payload);
    }
    this.#leastVersion = Math.min(this.#leastVersion, version);
    if (this.#selected !== this.#database) out.writeSelectDb(this.#database);
    this.#selected = this.#database;
    if (expiresAtMs === expiresAtMs) out.writeExpiry(expiresAtMs);
    const typeAt = version === RDB_VERSION_VALKEY ? 0 : metadataBytes(payload);
    out.writeBytes(payload, 0, typeAt + 1);
    out.writeRawString(key, 0, key.length);
    out.writeBytes(payload, typeAt + 1, footer - typeAt - 1);
    this.#keys++;
  }

  #begin(version: number): RdbEncoder {
    const to = this.#to;
    const isValkeys = version === RDB_VERSION_VALKEY;
    const out: RdbEncoder = new RdbEncoder((chunk, length) => {
      to.write(chunk, 0, length);
      out.recycle(chunk);
    }, { version: isValkeys ? version : RDB_VERSION_READ_MAX });
    const header = latin1(isValkeys ? `VALKEY0${version}` : `REDIS00${RDB_VERSION_READ_MAX}`);
    out.writeBytes(header, 0, header.length);
    for (const code of this.#libraries) out.writeLibrary(code);
    return this.#out = out;
  }

  #unexpected(command: string, reply: ServerReply): never {
    const answer = reply instanceof ServerError ? reply.text : "an answer that was not expected";
    throw new ToolFailure(`${this.#link.name}: ${command}: ${answer}`);
  }
}
