/** Plays the master of a recorded link to a replica, and tells what that then holds. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "./eventually.ts";
import { ask, infoOf, linkUp } from "./replication_peers.ts";
import { type Bytes, isBytes, type Item, wordsOf } from "./replication_transcript.ts";
import { FakeMaster, isAck, type Wire } from "./replication_wire.ts";
import { textOf } from "./resp_client.ts";
import type { ServerProcess } from "./server_process.ts";

/** Keys that only come from commands which are not there yet: streams, scripts, functions. */
const KEYS_OF_OTHERS = new Set(["st", "ev", "fc"]);

/** What a replica holds: the digest of each value, by database and key. */
export type Content = Record<string, string>;

async function contentOf(server: ServerProcess): Promise<Content> {
  const content: Content = {};
  using client = await server.connect();
  for (let database = 0; database < 16; database++) {
    await client.call("SELECT", `${database}`);
    const keys = await client.call("KEYS", "*");
    if (keys.kind !== "array") throw new Error(`KEYS: ${Deno.inspect(keys)}`);
    for (const key of keys.items.map(textOf)) {
      if (KEYS_OF_OTHERS.has(key)) continue;
      const digest = await client.call("DEBUG", "DIGEST-VALUE", key);
      content[`${database}/${key}`] = digest.kind === "array" ? textOf(digest.items[0]) : "";
    }
  }
  return content;
}

/**
 * The words of a handshake may differ in this: the port; an id and an offset where the master has
 * not named one (a replica before its first sync asks with its own id, or with `? -1`); a capability
 * more (psync2).
 */
export function assertSameRequest(
  words: string[],
  expected: string[],
  announced: Set<string>,
): void {
  const [name, option] = expected.map((word) => word.toLowerCase());
  assertEquals(words[0]?.toLowerCase(), name, `${words} instead of ${expected}`);
  if (name === "psync") {
    if (announced.has(expected[1])) assertEquals(words.slice(1), expected.slice(1));
    else assertMatch(words.slice(1).join(" "), /^(\? -1|[0-9a-f]{40} \d+)$/);
  } else if (name === "replconf") {
    assertEquals(words[1].toLowerCase(), option);
    if (option === "listening-port") assertMatch(words[2], /^\d+$/);
    else if (option === "capa") {
      for (const capability of expected.slice(2)) assert(words.includes(capability), `${words}`);
    } else assertEquals(words.slice(2), expected.slice(2));
  } else assertEquals(words.slice(1), expected.slice(1));
}

/** Plays the master of a transcript. */
export class MasterPlayer {
  readonly fake = new FakeMaster();
  readonly announced = new Set<string>();
  /** What the replica held before each FLUSHALL and at the end. */
  readonly contents: Content[] = [];
  /** Requests of the handshakes, as they came. */
  readonly requests: string[][] = [];
  #wire: Wire | null = null;
  #offset: number | null = null;
  #isStream = false;

  constructor(readonly replica: ServerProcess) {}

  async play(items: Item[]): Promise<void> {
    const sent = new Set<Item>();
    for (const [i, item] of items.entries()) {
      if (item.kind === "note") await this.#note(item.text);
      else if (item.kind === "closes") {
        // A replica asks for what it lacks: how much that is has to be as recorded.
        if (this.#isStream) await this.#look();
        this.#close();
      } else if (item.kind === "bytes" && item.to === "M") {
        if (item.bytes === "\n" || isAck(wordsOf(item.bytes))) continue;
        const wire = this.#wire ??= await this.fake.accept();
        this.#isStream = false;
        const expected = wordsOf(item.bytes);
        let words = await wire.request();
        if (words[0] === "INFO") {
          // What a demoted master asks before PSYNC, which no Redis does: not in any transcript.
          await wire.send("-ERR unknown command 'INFO'\r\n");
          words = await wire.request();
        }
        this.requests.push(words);
        assertSameRequest(words, expected, this.announced);
        if (expected[0] === "SYNC") this.#offset = null;
        else if (expected[0].toUpperCase() === "PSYNC" && this.announced.has(expected[1])) {
          this.#offset = Number(expected[2]) - 1;
        }
        // A recorded replica may have sent several words at once: each is answered when it comes.
        for (const answer of items.slice(i + 1).filter(isBytes)) {
          if (answer.to === "M" || sent.has(answer)) continue;
          if (expected[0] === "SYNC") break;
          sent.add(answer);
          await this.#send(answer);
          if (/^[+-]/.test(answer.bytes)) break;
        }
      } else if (item.kind === "bytes" && !sent.has(item)) {
        if (wordsOf(item.bytes)[0] === "FLUSHALL") await this.#look();
        await this.#send(item);
      }
    }
    if (this.#wire !== null) await this.#look();
  }

  /** Waits for an acknowledgement of all that was sent. */
  async acknowledged(): Promise<void> {
    await eventually(async () => await this.#wire!.ack() === this.#offset);
  }

  async #send({ bytes, isRdb, remark }: Bytes): Promise<void> {
    await this.#wire!.send(bytes);
    const full = /^\+FULLRESYNC (\w+) (\d+)\r\n$/.exec(bytes);
    if (full !== null) {
      this.announced.add(full[1]);
      this.#offset = Number(full[2]);
    }
    const continued = /^\+CONTINUE ?(\w*)\r\n$/.exec(bytes);
    if (continued !== null) {
      this.#isStream = true;
      if (continued[1] !== "") this.announced.add(continued[1]);
    } else if (isRdb) this.#isStream = true;
    // A master sends the stream once it knows that the RDB has been taken.
    else if (remark.startsWith("the mark")) await this.#wire!.ack();
    else if (this.#isStream && this.#offset !== null) this.#offset += bytes.length;
  }

  /** Notes what the replica holds, once it has all that was sent. */
  async #look(): Promise<void> {
    await this.#caughtUp();
    this.contents.push(await contentOf(this.replica));
  }

  async #caughtUp(): Promise<void> {
    await linkUp(this.replica);
    if (this.#offset !== null) {
      await eventually(async () => {
        assertEquals(Number((await infoOf(this.replica)).slave_repl_offset), this.#offset);
        return true;
      });
    } else {
      // Without offsets there is nothing to wait for but that nothing changes any more.
      let last = "";
      await eventually(async () => {
        const now = JSON.stringify(await contentOf(this.replica));
        return now === last || (last = now, false);
      });
    }
  }

  async #note(text: string): Promise<void> {
    const command = /^client on (?:slave|replica)(?: \([\d.]+\))?: (.*)$/.exec(text)?.[1];
    if (command === undefined) return;
    const words = command.replace("<master>", `${this.fake.port}`).split(" ");
    if (this.#wire !== null && /^(REPLICAOF|SLAVEOF)$/i.test(words[0])) await this.#look();
    await ask(this.replica, ...words);
    if (command === "SLAVEOF NO ONE") this.#isStream = false;
  }

  #close(): void {
    this.#wire?.close();
    this.#wire = null;
    this.#isStream = false;
  }

  [Symbol.dispose](): void {
    this.fake.close();
  }
}
