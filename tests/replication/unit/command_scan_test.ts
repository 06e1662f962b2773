/** Commands read out of the backlog, wherever it begins. */

import { assertEquals } from "@std/assert";
import { latin1 } from "../../../src/base/bytes.ts";
import { Backlog } from "../../../src/propagation/backlog.ts";
import { CommandScan, databaseAt } from "../../../src/replication/command_scan.ts";
import { array } from "./fake_master.ts";

const pause = () => Promise.resolve();

const COMMANDS = [
  array("SELECT", "3"),
  array("SET", "k", array("SELECT", "9").slice(0, -2)), // its end looks like a command
  array("MULTI"),
  array("SELECT", "4"),
  array("INCR", "n"),
  array("EXEC"),
  array("PING"),
];
const TEXT = COMMANDS.join("");
const ENDS = COMMANDS.map((_, i) => COMMANDS.slice(0, i + 1).join("").length);

function add(backlog: Backlog, ...commands: string[]): void {
  for (const command of commands) backlog.append(latin1(command), 0, command.length);
}

Deno.test("commands are read out of the backlog one by one, with the offsets at which they end", () => {
  const backlog = new Backlog(1000, 1 << 20);
  add(backlog, ...COMMANDS);
  const scan = new CommandScan(backlog, 1000, 1000 + TEXT.length);
  const ends: number[] = [];
  let text = "";
  while (scan.next()) {
    ends.push(scan.offset - 1000);
    text += String.fromCharCode(...scan.bytes);
  }
  scan.close();
  assertEquals([ends, text], [ENDS, TEXT]);
});

Deno.test("the database at an offset is that of the last SELECT before it", async () => {
  const backlog = new Backlog(0, 1 << 20);
  add(backlog, ...COMMANDS);
  const at = (end: number) => databaseAt(backlog, end, pause);
  assertEquals(await at(0), -1);
  assertEquals(await Promise.all(ENDS.map(at)), [3, 3, 3, 4, 4, 4, 4]);
});

Deno.test("a backlog whose beginning has fallen off is read from its first whole command on, whatever values hold", async () => {
  const backlog = new Backlog(0, 16 * 1024);
  // Longer than a block: what is cut off ends in the midst of one of these, in what looks like commands.
  const long = array("SET", "k", array("SELECT", "9").repeat(900).slice(0, -2));
  for (let i = 0; i < 10; i++) add(backlog, array("SELECT", "5"), long, array("INCR", "n"));
  const { beginOffset, commandOffset, endOffset } = backlog;
  assertEquals([beginOffset > 0, commandOffset > beginOffset], [true, true]);
  const scan = new CommandScan(backlog, commandOffset, endOffset);
  let offset = commandOffset;
  while (scan.next()) {
    const name = scan.words.text(0);
    assertEquals(["SELECT", "SET", "INCR"].includes(name), true);
    if (name === "SELECT") assertEquals(scan.words.text(1), "5");
    offset = scan.offset;
  }
  scan.close();
  assertEquals(offset, endOffset);
  assertEquals([5, -1].includes(await databaseAt(backlog, endOffset, pause)), true);
});

Deno.test("a piece that is held instead of copied begins a command", () => {
  const backlog = new Backlog(0, 16 * 1024);
  const long = latin1(array("SET", "k", "v".repeat(1 << 20)));
  backlog.append(long, 0, long.length, true);
  add(backlog, array("INCR", "n"));
  assertEquals(backlog.commandOffset, 0);
  add(backlog, array("SET", "k", "v".repeat(20_000)));
  assertEquals(backlog.commandOffset, long.length);
});

Deno.test("what is no stream of commands is read up to there", () => {
  const backlog = new Backlog(0, 1 << 20);
  add(backlog, array("PING"), "*1\r\nx", array("PING"));
  const scan = new CommandScan(backlog, 0, backlog.endOffset);
  assertEquals([scan.next(), scan.next(), scan.offset < backlog.endOffset], [true, false, true]);
  scan.close();
});
