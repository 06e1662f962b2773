/** CLIENT LIST and CLIENT KILL: the connections, by what they are. */

import type { User } from "../../access/user.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Client } from "../../dispatch/client.ts";
import type { ClientClass } from "../../dispatch/client_info.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `CLIENT LIST [TYPE type] [ID id ...]`. One of the two options at most. IDs without a client are
 * left out.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-list/}
 */
export const clientList = defineCommand({
  name: "client|list",
  group: "connection",
  since: "2.4.0",
  history: [
    ["2.8.12", "the field `id`"],
    ["5.0.0", "`TYPE`"],
    ["6.0.0", "the field `user`"],
    ["6.2.0", "`ID`; the fields `argv-mem`, `tot-mem`, `laddr` and `redir`"],
    ["7.0.0", "the fields `resp`, `multi-mem`, `rbs` and `rbp`"],
    ["7.0.3", "the field `ssub`"],
  ],
  summary: "Lists the connections with what is known of each",
  complexity: "O(N), N being the number of connections",
  arity: -2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["nondeterministic_output"],
  args: `
    [TYPE normal_master_replica_pubsub:(NORMAL | MASTER | REPLICA | PUBSUB)@5.0.0]
    [ID id:(client-id:integer...)@6.2.0]
  `,
  run: runClientList,
});

function runClientList(call: Call): void {
  const { words, reply, server } = call;
  const { byId } = server.clients;
  let text = "";
  if (words.count === 2) {
    for (const client of byId.values()) text += client.info(server.keyspace.steadyMs) + "\n";
  } else if (words.is(2, "type") && words.count === 4) {
    const wanted = classAt(call, 3);
    for (const client of byId.values()) {
      if (client.class === wanted) text += client.info(server.keyspace.steadyMs) + "\n";
    }
  } else if (words.is(2, "id") && words.count > 3) {
    for (let i = 3; i < words.count; i++) {
      const client = byId.get(call.clampedInteger(i, "ERR Invalid client ID"));
      if (client !== undefined) text += client.info(server.keyspace.steadyMs) + "\n";
    }
  } else throw new ReplyError(SYNTAX_ERROR);
  reply.verbatim(text);
}

/**
 * `CLIENT KILL addr` (OK, or an error when there is none) or `CLIENT KILL filter value ...` (the
 * number of connections ended; those that all filters are true of). A connection that ends itself
 * this way is answered first.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-kill/}
 */
export const clientKill = defineCommand({
  name: "client|kill",
  group: "connection",
  since: "2.4.0",
  history: [["2.8.12", "filters"], ["2.8.12", "`ID`"], ["3.2.0", "`TYPE master`"], [
    "5.0.0",
    "`TYPE replica`, beside `slave`",
  ], ["6.2.0", "`LADDR`"]],
  summary: "Ends connections",
  complexity: "O(N), N being the number of connections",
  arity: -3,
  flags: ["admin", "noscript", "loading", "stale"],
  args: `
    filter:(
      "ip:port"@-2.8.12 |
      new-format:(
        [ID client-id:integer@2.8.12] |
        [TYPE normal_master_slave_pubsub:(
          NORMAL |
          MASTER@3.2.0 |
          SLAVE |
          REPLICA@5.0.0 |
          PUBSUB
        )@2.8.12] |
        [USER username] |
        [ADDR "ip:port"] |
        [LADDR "ip:port"@6.2.0] |
        [SKIPME "yes/no"]
      )...
    )
  `,
  run: runClientKill,
});

function runClientKill(call: Call): void {
  const { words, reply } = call;
  if (words.count === 3) {
    const address = words.text(2);
    const killed = kill(call, (client) => client.transport.address === address, false);
    if (killed === 0) reply.error("ERR No such client");
    else reply.ok();
    return;
  }
  let id: number | null = null;
  let type: ClientClass | null = null;
  let user: User | null = null;
  let address: string | null = null;
  let localAddress: string | null = null;
  let skipsMe = true;
  for (let i = 2; i < words.count; i += 2) {
    if (i + 1 === words.count) throw new ReplyError(SYNTAX_ERROR);
    if (words.is(i, "id")) {
      id = call.clampedInteger(i + 1, NOT_AN_ID);
      if (id < 1) throw new ReplyError(NOT_AN_ID);
    } else if (words.is(i, "type")) type = classAt(call, i + 1);
    else if (words.is(i, "addr")) address = words.text(i + 1);
    else if (words.is(i, "laddr")) localAddress = words.text(i + 1);
    else if (words.is(i, "user")) {
      const name = words.text(i + 1);
      user = call.server.access.users.find(name);
      if (user === null) throw new ReplyError(`ERR No such user '${name}'`);
    } else if (words.is(i, "skipme")) {
      if (words.is(i + 1, "yes")) skipsMe = true;
      else if (words.is(i + 1, "no")) skipsMe = false;
      else throw new ReplyError(SYNTAX_ERROR);
    } else throw new ReplyError(SYNTAX_ERROR);
  }
  const killed = kill(call, (client) =>
    (id === null || client.id === id) &&
    (type === null || client.class === type) &&
    (user === null || client.user === user) &&
    (address === null || client.transport.address === address) &&
    (localAddress === null || client.transport.localAddress === localAddress), skipsMe);
  reply.integer(killed);
}

const NOT_AN_ID = "ERR client-id should be greater than 0";

/** Ends the connections that `isMeant` is true of; answers how many. */
function kill(call: Call, isMeant: (client: Client) => boolean, skipsMe: boolean): number {
  let killed = 0;
  for (const client of call.server.clients.byId.values()) {
    if ((skipsMe && client === call.client) || !isMeant(client)) continue;
    killed++;
    // Its own connection ends after the reply to this command.
    if (client === call.client) client.isClosing = true;
    else {
      client.closeCause = "CLIENT KILL";
      client.transport.close(false);
    }
  }
  return killed;
}

/** The class that word `index` names; "slave" is an old name of "replica". */
function classAt({ words }: Call, index: number): ClientClass {
  const word = words.text(index).toLowerCase();
  if (word === "slave") return "replica";
  if (word === "normal" || word === "master" || word === "replica" || word === "pubsub") {
    return word;
  }
  throw new ReplyError(`ERR Unknown client type '${words.text(index)}'`);
}
