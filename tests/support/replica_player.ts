/** Plays the replica of a recorded link, and the clients of its master: what is sent has to be what was recorded. */

import { assertEquals, assertMatch } from "@std/assert";
import { eventually } from "./eventually.ts";
import { infoOf } from "./replication_peers.ts";
import { type Bytes, isBytes, type Item, wordsOf } from "./replication_transcript.ts";
import { fakeReplica, isAck, type Wire } from "./replication_wire.ts";
import { type RespClient, textOf } from "./resp_client.ts";
import type { ServerProcess } from "./server_process.ts";

/** How a recorded link and that of today are compared. */
export interface ReplicaPlay {
  /** What the stream has instead of a recorded command. */
  differences: Readonly<Record<string, string>>;
  /** Client commands that are not run; what they have put into the recorded stream is passed over. */
  isPassedOver(command: string): boolean;
  /** A command of the stream without what differs from run to run. */
  withoutChance(words: string[]): string;
  /** Compares the recorded snapshot with the one that came. */
  compareSnapshots(recorded: string, ours: string): void;
}

/** Plays the replica of a transcript and the clients on its master. */
export class ReplicaPlayer {
  readonly compared: string[] = [];
  #wire: Wire | null = null;
  #clients: RespClient[] = [];
  #pending: Promise<unknown> = Promise.resolve();
  /** The recorded master's ids and offsets, and ours for them. */
  readonly #ids = new Map<string, string>();
  #shift = 0;
  #offset = 0;
  #isStream = false;
  #isPassedOver = false;
  /** Whether the recorded replica is one that acknowledges. */
  #acknowledges = false;

  /** The snapshot that came last. */
  #rdb = "";

  constructor(readonly master: ServerProcess, readonly how: ReplicaPlay) {}

  async play(items: Item[]): Promise<void> {
    this.#clients = [await this.master.connect(), await this.master.connect()];
    const kept = Object.keys(this.how.differences).length > 0 ? withoutLoneBrackets(items) : items;
    for (const item of kept) {
      if (item.kind === "note") await this.#note(item.text);
      else if (item.kind === "closes") await this.#close();
      else if (!isBytes(item)) continue;
      else if (item.to === "M") await this.#say(item);
      else await this.#expect(item);
    }
    await this.#pending;
    await this.#close();
    for (const client of this.#clients) client.close();
  }

  async #say({ bytes }: Bytes): Promise<void> {
    const words = wordsOf(bytes);
    if (this.#wire === null) await this.#pending; // what its snapshot is to have
    const wire = this.#wire ??= await fakeReplica(this.master);
    this.#acknowledges ||= isAck(words);
    if (isAck(words)) return await wire.send(`REPLCONF ACK ${this.#offset}\r\n`);
    if (/^psync$/i.test(words[0] ?? "") && this.#ids.has(words[1])) {
      this.#offset = Number(words[2]) - 1 + this.#shift;
      return await wire.send(`PSYNC ${this.#ids.get(words[1])} ${this.#offset + 1}\r\n`);
    }
    await wire.send(bytes);
  }

  async #expect({ bytes, isRdb, remark }: Bytes): Promise<void> {
    const wire = this.#wire!;
    if (bytes === "\n" || remark.startsWith("the mark")) return;
    if (isRdb) return this.how.compareSnapshots(bytes, this.#rdb); // read with its header
    if (!this.#isStream) {
      const line = await wire.line();
      if (bytes.startsWith("$")) {
        assertEquals(line.startsWith("$EOF:"), bytes.startsWith("$EOF:"), line);
        this.#rdb = await wire.rdb(line);
        assertMatch(this.#rdb, /^REDIS00(0[6-9]|1[0-2])[^]*\xff[^]{8}$/);
        this.#isStream = true;
        return;
      }
      const full = /^\+FULLRESYNC (\w+) (\d+)/.exec(bytes);
      if (full === null) {
        assertEquals(withoutId(`${line}\r\n`), withoutId(bytes));
        if (line.startsWith("+CONTINUE")) this.#isStream = true;
        return;
      }
      const ours = /^\+FULLRESYNC ([0-9a-f]{40}) (\d+)$/.exec(line);
      if (ours === null) throw new Error(`not a +FULLRESYNC: ${line}`);
      this.#ids.set(full[1], ours[1]);
      this.#offset = Number(ours[2]);
      this.#shift = this.#offset - Number(full[2]);
      return;
    }
    const expected = this.how.withoutChance(wordsOf(bytes));
    if (this.#isPassedOver || /^ping$/i.test(expected)) return;
    for (;;) {
      const words = await this.#streamed(wire);
      if (/^ping$/i.test(words[0])) continue;
      // Since 3.0 the stream begins with the database, also when it is the first one.
      if (/^select$/i.test(words[0]) && !/^select/i.test(expected) && this.compared.length === 0) {
        continue;
      }
      const ours = this.how.withoutChance(words);
      assertEquals(ours.replace(/^select/i, "SELECT"), this.#rewritten(expected));
      this.compared.push(ours);
      return;
    }
  }

  #rewritten(expected: string): string {
    return (this.how.differences[expected] ?? expected).replace(/^select/i, "SELECT");
  }

  /** The next command of the stream, counted. */
  async #streamed(wire: Wire): Promise<string[]> {
    // A replica says where it is each second; after an RDB without length the stream waits for it.
    const timer = setInterval(() => {
      if (this.#acknowledges) wire.send(`REPLCONF ACK ${this.#offset}\r\n`).catch(() => {});
    }, 100);
    const words = await wire.words().finally(() => clearInterval(timer));
    const sizes = words.map((word) => `$${word.length}\r\n`.length + word.length + 2);
    this.#offset += `*${words.length}\r\n`.length + sizes.reduce((sum, size) => sum + size, 0);
    return words;
  }

  async #note(text: string): Promise<void> {
    const [one, two] = this.#clients;
    const blocked = /^client 2 on master blocks: (.*); then client on master: (.*)$/.exec(text);
    if (blocked !== null) {
      await this.#pending;
      const waiting = two.call(...blocked[1].split(" "));
      await eventually(async () => (await infoOf(this.master, "clients")).blocked_clients === "1");
      this.#pending = Promise.all([waiting, one.call(...blocked[2].split(" "))]);
      return;
    }
    const repeated = /^client on master: 3 times SET big <15000 bytes>, then DEL big$/.test(text);
    const command = /^client on master(?: \([\d.]+\))?: (.*)$/.exec(text)?.[1];
    if (repeated) {
      for (let i = 0; i < 3; i++) await one.call("SET", "big", "x".repeat(15_000));
      await one.call("DEL", "big");
    } else if (command !== undefined) {
      await this.#pending;
      this.#isPassedOver = this.how.isPassedOver(command);
      if (this.#isPassedOver) return;
      let words = command.split(" ");
      if (words[0] === "RESTORE") {
        words = [...words.slice(0, 3), textOf(await one.call("DUMP", "gs"))];
      }
      // Not waited for here: WAIT is answered only after what comes next.
      this.#pending = one.call(...words);
    }
  }

  /** Ends the connection, and waits until the master has seen it: it may draw conclusions before the next one comes. */
  async #close(): Promise<void> {
    this.#isStream = false;
    if (this.#wire === null) return;
    this.#wire.close();
    this.#wire = null;
    await eventually(async () => (await infoOf(this.master)).connected_slaves === "0");
  }
}

/** A recorded `+CONTINUE <id>` may have another id; without one it has to come without one. */
function withoutId(line: string): string {
  return line.replace(/[0-9a-f]{40}/g, "<id>");
}

/** MULTI and EXEC around a single command taken away. */
function withoutLoneBrackets(items: Item[]): Item[] {
  const commands = items.filter((item) => isBytes(item) && item.to === "R" && !item.isRdb);
  const name = (item: Item | undefined) =>
    item !== undefined && isBytes(item) ? wordsOf(item.bytes)[0] : "";
  const dropped = new Set<Item>();
  commands.forEach((item, i) => {
    if (name(item) === "MULTI" && name(commands[i + 2]) === "EXEC") {
      dropped.add(item).add(commands[i + 2]);
    }
  });
  return items.filter((item) => !dropped.has(item));
}
