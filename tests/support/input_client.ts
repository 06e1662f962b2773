/**
 * A client of a TestServer that is given bytes as a connection gives them: for tests of splits,
 * pipelines, pauses and of what ends a connection, without sockets.
 */

import { splitWords } from "../../src/config/parse.ts";
import type { Client } from "../../src/dispatch/client.ts";
import { RequestParser } from "../../src/resp/parser.ts";
import type { TestServer, Value } from "./test_server.ts";
import { TestClient } from "./test_server.ts";

export class InputClient {
  readonly client: Client;
  /** How its connection was ended: not yet, at once, or after the output. */
  closed: "no" | "at once" | "after reply" = "no";
  readonly #replies: TestClient;

  constructor(readonly server: TestServer, address = "127.0.0.1:50000") {
    this.#replies = server.connect();
    const { client } = this.#replies;
    this.client = client;
    client.parser = new RequestParser({ bulkBytesMax: 512 << 20 }, splitWords);
    client.transport = {
      address,
      localAddress: "127.0.0.1:6379",
      descriptor: 8,
      isWriting: false,
      wake() {},
      resume: () => server.dispatcher.processInput(client),
      close: (afterReply) => {
        this.closed = afterReply ? "after reply" : "at once";
        client.isClosing = true;
        if (!afterReply) server.clients.remove(client);
      },
    };
  }

  /** Bytes arrive (latin1 text), in pieces of at most `pieceBytes`; then its turn runs. */
  send(text: string, pieceBytes = Infinity): void {
    const parser = this.client.parser!;
    for (let at = 0; at < text.length;) {
      const space = parser.space();
      const count = Math.min(space.length, pieceBytes, text.length - at);
      for (let i = 0; i < count; i++) space[i] = text.charCodeAt(at + i);
      parser.filled(count);
      at += count;
      this.server.dispatcher.processInput(this.client);
      if (this.client.isClosing) return;
    }
  }

  /** The replies since the last call. */
  received(): Value[] {
    return this.#replies.received();
  }
}
