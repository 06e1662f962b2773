/**
 * Sessions of several connections with one server, as the raw bytes that each connection got. After
 * each step the connections that answer are asked for a marker, so that what was pushed to them
 * meanwhile stands before it: two servers that do the same give the same transcripts.
 */

import { encode } from "../support/resp_client.ts";

/** What is sent on a connection: words, or raw text that goes out as it is. */
export interface Step {
  on: string;
  send: string[] | string;
}

/** How long to wait for bytes before a step is taken to have no answer and the test to have failed. */
const ANSWER_TIMEOUT_MS = 10_000;
/** How long the server gets for a step that has no answer. */
const SILENCE_MS = 40;

/** A connection that collects what it gets. */
export class Listener implements Disposable {
  text = "";
  isClosed = false;
  readonly #conn: Deno.Conn;
  #wake: () => void = () => {};
  readonly #reading: Promise<void>;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
    this.#reading = this.#read();
  }

  static async open(port: number): Promise<Listener> {
    return new Listener(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async #read(): Promise<void> {
    const chunk = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await this.#conn.read(chunk);
        if (count === null) break;
        let text = "";
        for (let i = 0; i < count; i++) text += String.fromCharCode(chunk[i]);
        this.text += text;
        this.#wake();
      }
    } catch {
      // Closed on one of the sides.
    }
    this.isClosed = true;
    this.#wake();
  }

  async send(words: string[] | string): Promise<void> {
    const bytes = typeof words === "string"
      ? Uint8Array.from(words, (c) => c.charCodeAt(0))
      : encode([words]);
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Waits until what has come says so; fails in time, with what has come. */
  async until(isEnough: (text: string) => boolean, what: string): Promise<void> {
    const deadline = performance.now() + ANSWER_TIMEOUT_MS;
    while (!isEnough(this.text) && !this.isClosed) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`waited for ${what}; got ${JSON.stringify(this.text)}`);
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  /** Closes, and waits for the reader's end. */
  async close(): Promise<void> {
    this[Symbol.dispose]();
    await this.#reading;
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
  }
}

/**
 * Plays the steps on connections named by their first use and gives what each of them got. A name
 * that begins with "3" says HELLO 3 first, whose answer is left out. A word "@name" stands for what
 * CLIENT ID says of that connection, which has been used before.
 */
export async function transcripts(port: number, steps: Step[]): Promise<Record<string, string>> {
  const listeners = new Map<string, Listener>();
  /** Connections that do not answer PING at present, and how many steps that lasts. */
  const silent = new Set<string>();
  let marks = 0;
  try {
    for (const { on, send } of steps) {
      let listener = listeners.get(on);
      if (listener === undefined) {
        listeners.set(on, listener = await Listener.open(port));
        if (on.startsWith("3")) {
          await listener.send(["HELLO", "3"]);
          await listener.until((text) => text.includes("modules\r\n*0\r\n"), "HELLO");
          listener.text = "";
        }
      }
      const before = listener.text.length;
      const line = typeof send === "string" ? send : send.join(" ");
      if (/^MULTI$|^CLIENT REPLY (OFF|SKIP)/i.test(line)) silent.add(on);
      if (/^(EXEC|DISCARD|RESET|CLIENT REPLY ON)/i.test(line)) silent.delete(on);
      if (typeof send === "string") await listener.send(send);
      else {
        const words: string[] = [];
        for (const word of send) {
          const named = word.startsWith("@") ? listeners.get(word.slice(1)) : undefined;
          words.push(named === undefined ? word : await idOf(named));
        }
        await listener.send(words);
      }
      if (silent.has(on)) await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
      else await listener.until((text) => text.length > before, line);
      for (const [name, other] of listeners) {
        if (silent.has(name) || other.isClosed) continue;
        const mark = `mark${++marks}.`;
        await other.send(["PING", mark]);
        await other.until((text) => text.includes(mark), `${mark} on ${name} after ${line}`);
      }
    }
    return Object.fromEntries([...listeners].map(([name, { text }]) => [name, text]));
  } finally {
    for (const listener of listeners.values()) await listener.close();
  }
}

/** What CLIENT ID says; the answer does not stay in the transcript. */
async function idOf(listener: Listener): Promise<string> {
  const before = listener.text;
  await listener.send(["CLIENT", "ID"]);
  await listener.until((text) => /:\d+\r\n$/.test(text.slice(before.length)), "CLIENT ID");
  const id = listener.text.slice(before.length + 1).trim();
  listener.text = before;
  return id;
}
