/**
 * The handshake of a link to our master, from PING to the answer to PSYNC: who says what when. The words themselves are
 * in handshake.ts. One that was not reached last time is asked step by step, as Redis does; one that is known is told
 * all at once.
 */

import { joined } from "../base/bytes.ts";
import { problemOf } from "../runtime/system_error.ts";
import {
  introductions,
  isTooEarly,
  isWelcome,
  PING,
  request,
  SYNC,
  type SyncAnswer,
  syncAnswer,
  takesEarlyPsync,
} from "./handshake.ts";
import type { ReplicationHost } from "./host.ts";
import type { LinkBytes } from "./link_bytes.ts";
import { LinkFailure } from "./link_failure.ts";
import type { MasterLink } from "./master_link.ts";

const LINE_END_BYTES = 2;

export class MasterHandshake {
  constructor(
    readonly link: MasterLink,
    readonly bytes: LinkBytes,
    readonly host: ReplicationHost,
  ) {}

  /** Where we say that we listen: with TLS if it is with TLS that masters are followed. */
  get #listeningPort(): number {
    const { config, port, tlsPort } = this.host;
    return config.value("tls-replication") && tlsPort !== 0 ? tlsPort : port;
  }

  /** Makes it. What is to follow, a snapshot or the stream, is in the answer. @throws LinkFailure */
  async make(): Promise<SyncAnswer> {
    this.link.setState("handshake");
    this.link.step("Non blocking connect for SYNC fired the event.");
    this.bytes.readFailure = (why) =>
      new LinkFailure(`Master did not respond to command during SYNC handshake: ${why}`);
    const { haste } = this.link.owner;
    const said = introductions(this.host.config, this.#listeningPort);
    const introducing = said.map(({ bytes }) => bytes);
    if (haste === "none") this.bytes.send(PING);
    else if (haste === "introductions") this.bytes.send(joined([PING, ...introducing]));
    else this.bytes.send(joined([PING, ...introducing, this.#psyncRequest()]));
    const pong = await this.bytes.line();
    if (!isWelcome(pong)) throw new LinkFailure(`Error reply to PING from master: '${pong}'`);
    this.link.step("Master replied to PING, replication can continue...");

    if (haste === "none") this.bytes.send(joined(introducing));
    for (const { what } of said) {
      const reply = await this.bytes.line();
      if (what === "capa") this.link.owner.tookEarlyPsync(takesEarlyPsync(reply));
      if (!reply.startsWith("-")) continue;
      if (what === "AUTH") throw new LinkFailure(`Unable to AUTH to MASTER: ${reply}`);
      this.link.step(`(Non critical) Master does not understand REPLCONF ${what}: ${reply}`);
    }
    if (haste === "all") return await this.#syncAnswer("early");
    if (this.link.owner.tail.isExpected) this.link.owner.tail.heard(await this.#askForHistory());
    return await this.#psync();
  }

  /** What INFO says of the master's history; null where it is not told. */
  async #askForHistory(): Promise<string | null> {
    this.bytes.send(request("INFO", "replication"));
    const head = await this.bytes.line();
    const length = /^\$(\d{1,7})$/.exec(head)?.[1];
    if (length === undefined) return null;
    let info = "";
    for (let left = Number(length) + LINE_END_BYTES; left > 0;) {
      const line = await this.bytes.line();
      left -= line.length + LINE_END_BYTES;
      info += line + "\n";
    }
    return info;
  }

  async #psync(): Promise<SyncAnswer> {
    const { handOver } = this.link.owner;
    if (handOver === null) {
      this.bytes.send(this.#psyncRequest());
      return await this.#syncAnswer();
    }
    try {
      this.bytes.send(this.#psyncRequest("FAILOVER"));
      const answer = await this.#syncAnswer("takes over");
      handOver.granted();
      return answer;
    } catch (error) {
      // A link that has ended here, for want of a sign of life perhaps, is tried again.
      if (!this.link.isOver) {
        this.host.log.notice(problemOf(error));
        handOver.refused();
      }
      throw error;
    }
  }

  /** PSYNC, with this word behind it if there is one. */
  #psyncRequest(...more: "FAILOVER"[]): Uint8Array {
    const { ids, offset } = this.link.history;
    if (!this.link.owner.wantsPartial) return request("PSYNC", "?", -1, ...more);
    return request("PSYNC", ids.id, offset + 1, ...more);
  }

  /**
   * What the master says to PSYNC, which has gone out: the usual one, one that was sent before the answers to what is
   * ahead of it had come, or one that asks the other end to take over.
   */
  async #syncAnswer(asked: "usual" | "early" | "takes over" = "usual"): Promise<SyncAnswer> {
    const { history: { ids, offset }, owner: { wantsPartial } } = this.link;
    this.link.step(
      wantsPartial
        ? `Trying a partial resynchronization (request ${ids.id}:${offset + 1}).`
        : "Partial resynchronization not possible (no cached master)",
    );
    this.bytes.readFailure = (why) =>
      new LinkFailure(`Master did not reply to PSYNC, will try later: ${why}`);
    let line = "";
    while (line === "") line = await this.bytes.line();
    if (asked === "early" && isTooEarly(line)) {
      // Another server has taken the place of the one that would have taken it.
      this.link.owner.tookEarlyPsync(false);
      return await this.#psync();
    }
    const answer = syncAnswer(line);
    if (answer.kind === "full") {
      const refused = this.link.owner.wantsPartial
        ? `, not a partial one of ${ids.id}:${offset + 1}`
        : "";
      this.link.setState("sync");
      this.link.tell(
        "full-sync-begins",
        `the master gives ${answer.id}:${answer.offset}${refused}`,
      );
    }
    switch (answer.kind) {
      case "continue":
        if (!wantsPartial) {
          throw new LinkFailure(`Master goes on where nothing was asked for: ${line}`);
        }
        break;
      case "later":
        throw new LinkFailure(
          `Master is currently unable to PSYNC but should be in the future: ${line}`,
          { level: "notice", isMasterless: line.startsWith("-NOMASTERLINK") },
        );
      case "broken":
        throw new LinkFailure(`Master replied with wrong +FULLRESYNC syntax: ${line}`);
      case "unknown":
        this.link.step(
          answer.isError
            ? `Master does not support PSYNC or is in error state (reply: ${line})`
            : `Unexpected reply to PSYNC from master: ${line}`,
        );
        if (asked === "takes over") {
          throw new LinkFailure(`The role of master is not taken over: ${line}`);
        }
        this.link.step("Retrying with SYNC...");
        this.bytes.send(SYNC);
    }
    return answer;
  }
}
