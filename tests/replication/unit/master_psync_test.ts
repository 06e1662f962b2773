import { assert, assertEquals } from "@std/assert";
import { MasterRig, withoutIds } from "../../support/master_rig.ts";

/** A master at an offset beyond 0, with the last 16 KiB or more in its backlog. */
function writtenMaster(directives: Record<string, string> = {}) {
  const rig = new MasterRig(directives);
  const first = rig.onlineReplica();
  rig.run("SET", "a", "1");
  first.read();
  return { rig, first, id: rig.replication.ids.id, offset: rig.replication.offset };
}

const REQUESTS: [what: string, (id: string, offset: number) => string[], answer: RegExp][] = [
  ["? and -1", () => ["?", "-1"], /^\+FULLRESYNC <id> \d+\r\n/],
  ["all that there is", (id, offset) => [id, `${offset + 1}`], /^\+CONTINUE\r\n$/],
  ["the last byte again", (id, offset) => [id, `${offset}`], /^\+CONTINUE\r\n\n$/],
  ["the id in capitals", (id, at) => [id.toUpperCase(), `${at + 1}`], /^\+CONTINUE\r\n$/],
  ["a byte beyond the end", (id, offset) => [id, `${offset + 2}`], /^\+FULLRESYNC/],
  ["a byte before the backlog", (id) => [id, "0"], /^\+FULLRESYNC/],
  ["our id and -1", (id) => [id, "-1"], /^\+FULLRESYNC/],
  ["an id that is none", (_, offset) => ["x", `${offset + 1}`], /^\+FULLRESYNC/],
  ["no second id", (_, offset) => ["0".repeat(40), `${offset + 1}`], /^\+FULLRESYNC/],
  ["no number", () => ["?", "x"], /^-ERR value is not an integer or out of range\r\n$/],
  ["FAILOVER", () => ["?", "-1", "FAILOVER"], /^-ERR PSYNC FAILOVER can't be sent to a master/],
];

for (const [what, request, answer] of REQUESTS) {
  Deno.test(`PSYNC with ${what} is answered by ${answer.source}`, () => {
    const { rig, id, offset } = writtenMaster();
    const peer = rig.peer("capa", "eof");
    peer.send("PSYNC", ...request(id, offset));
    const text = withoutIds(peer.read());
    assert(answer.test(text), JSON.stringify(text));
  });
}

Deno.test("PSYNC names the id to who can deal with that", () => {
  const { rig, id, offset } = writtenMaster();
  const peer = rig.peer("capa", "eof", "capa", "psync2");
  peer.send("PSYNC", id, `${offset + 1}`);
  assertEquals(peer.read(), `+CONTINUE ${id}\r\n`);
  rig.run("SET", "b", "2");
  assertEquals(peer.read(), "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n");
});

Deno.test("PSYNC goes on with a former id up to where that history ended", () => {
  const { rig, id, offset } = writtenMaster();
  rig.replication.ids.branch(offset);
  rig.run("SET", "b", "2");
  const sibling = rig.peer("capa", "psync2");
  sibling.send("PSYNC", id, `${offset + 1}`);
  assertEquals(
    sibling.read(),
    `+CONTINUE ${rig.replication.ids.id}\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n`,
  );
  const strayed = rig.peer("capa", "eof");
  strayed.send("PSYNC", id, `${offset + 2}`);
  assertEquals(
    withoutIds(strayed.read()),
    `+FULLRESYNC <id> ${rig.replication.offset}\r\n$EOF:<id>\r\n`,
  );
  const [event] = rig.replication.events.latest(2).filter(({ event }) => event === "refused");
  assert(event.detail.includes("1 bytes of its history are not ours"), event.detail);
});

Deno.test("PSYNC counts what it granted and refused, and says by how much the backlog missed", () => {
  const { rig, first, id } = writtenMaster({ "repl-backlog-size": "16384" });
  for (let i = 0; i < 8; i++) rig.run("SET", "big", "x".repeat(15_000));
  const backlog = rig.replication.backlog!;
  assertEquals(backlog.beginOffset, 0, "kept for the first replica");
  first.read();
  const { beginOffset } = backlog;
  assert(beginOffset > 1);
  const { statistics } = rig.services;
  const before = statistics.fullSyncs;
  rig.peer("capa", "eof").send("PSYNC", "?", "-1");
  assertEquals(statistics.partialSyncsRefused, 0);
  const late = rig.peer("capa", "eof", "capa", "psync2", "listening-port", "7009");
  late.send("PSYNC", id, "1");
  assertEquals(statistics.partialSyncsRefused, 1);
  assertEquals(statistics.fullSyncs, before + 2);
  assert(
    rig.hasLogged(
      "Unable to partial resync with replica 127.0.0.1:7009 for lack of backlog (Replica request was: 1).",
    ),
  );
  const refused = rig.replication.events.latest(9).find(({ event }) => event === "refused")!;
  assert(refused.detail.endsWith(`${beginOffset} bytes are missing`), refused.detail);
  rig.peer("capa", "eof").send("PSYNC", id, `${beginOffset + 1}`);
  assertEquals(statistics.partialSyncs, 1);
});

Deno.test("PSYNC is refused while there is no link to our own master", () => {
  const rig = new MasterRig();
  rig.replication.replica.masterHost = "elsewhere";
  for (const words of [["PSYNC", "?", "-1"], ["SYNC"]]) {
    const peer = rig.peer("capa", "eof");
    peer.send(...words);
    assertEquals(peer.read(), "-NOMASTERLINK Can't SYNC while not connected with my master\r\n");
    assertEquals(rig.replication.master.count, 0);
  }
});

Deno.test("PSYNC is refused while replies have not been read", () => {
  const rig = new MasterRig();
  const peer = rig.peer();
  peer.send("PING");
  peer.send("PSYNC", "?", "-1");
  assertEquals(peer.read(), "+PONG\r\n-ERR SYNC and PSYNC are invalid with pending output\r\n");
});

Deno.test("who has said that it does so may send PSYNC before it has read earlier replies: it gets them first", () => {
  const { rig, first, id } = writtenMaster();
  first.read();
  const peer = rig.peer();
  peer.send("PING");
  peer.send("REPLCONF", "capa", "eof", "capa", "psync2", "capa", "early-psync");
  peer.send("PSYNC", id, "1");
  const read = peer.read();
  const answers = `+PONG\r\n+OK early-psync\r\n+CONTINUE ${id}\r\n`;
  assertEquals(read.slice(0, answers.length), answers);
  assertEquals(read.slice(answers.length, answers.length + 4), "*2\r\n");
});

Deno.test("the first replica makes the history a new one, later ones do not", () => {
  const rig = new MasterRig();
  const { id } = rig.replication.ids;
  rig.onlineReplica();
  const { id: second } = rig.replication.ids;
  assert(second !== id);
  rig.onlineReplica(7002);
  assertEquals(rig.replication.ids.id, second);
});

for (
  const [words, answer] of [
    [["a"], "-ERR syntax error\r\n"],
    [["nonsense", "1"], "-ERR Unrecognized REPLCONF option: nonsense\r\n"],
    [["listening-port", "x"], "-ERR value is not an integer or out of range\r\n"],
    [["rdb-only", "2"], "-ERR value is out of range, value must between 0 and 1\r\n"],
    [["rdb-filter-only", "keys"], "-ERR Unsupported rdb-filter-only option: keys\r\n"],
    [["rdb-filter-only", '"'], "-ERR Missing rdb-filter-only values\r\n"],
    [["capa", "of-later-versions"], "+OK\r\n"],
    [["ack", "1"], ""],
    [["getack", "*"], ""],
  ] as [string[], string][]
) {
  Deno.test(`REPLCONF ${words.join(" ")} is answered by ${JSON.stringify(answer)}`, () => {
    const peer = new MasterRig().peer();
    peer.send("REPLCONF", ...words);
    assertEquals(peer.read(), answer);
  });
}

Deno.test("a replica that runs a command with a reply is disconnected, and changes nothing", () => {
  for (const words of [["PING"], ["GET", "a"], ["SET", "a", "of a replica"], ["INFO"]]) {
    const { rig, first } = writtenMaster();
    first.send(...words);
    assertEquals(first.isClosed, true, words[0]);
    assertEquals(rig.run("GET", "a"), "1");
    assertEquals(rig.replication.master.count, 0);
  }
});
