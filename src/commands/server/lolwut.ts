/** LOLWUT: a drawing, different each time, and the version. */

import type { Draw } from "../../base/clock.ts";
import { REDIS_VERSION, TSREDIS_VERSION } from "../../config/version.ts";
import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `LOLWUT [VERSION version [columns [rows]]]`. Every version has the same drawing here: hills.
 *
 * @see {@link https://redis.io/docs/latest/commands/lolwut/}
 */
export const lolwut = defineCommand({
  name: "lolwut",
  group: "server",
  since: "5.0.0",
  summary: "Draws something and tells the version",
  complexity: "O(N), N characters",
  arity: -1,
  flags: ["readonly", "fast"],
  args: "[VERSION version:integer]",
  run: runLolwut,
});

const COLUMNS_MAX = 200;
const ROWS_MAX = 60;

function runLolwut(call: Call): void {
  const { server, words, reply } = call;
  const hasVersion = words.count > 2 && words.is(1, "version");
  if (hasVersion) call.clampedInteger(2);
  const first = hasVersion ? 3 : words.count;
  const size = (index: number, usual: number, most: number) =>
    index < words.count ? Math.max(1, Math.min(most, call.clampedInteger(index))) : usual;
  const columns = size(first, 66, COLUMNS_MAX);
  const rows = size(first + 1, 14, ROWS_MAX);
  reply.verbatim(
    `${
      hills(columns, rows, server.draw)
    }\nRedis ver. ${REDIS_VERSION} (tsredis ${TSREDIS_VERSION})\n`,
  );
}

/** What the ranges are filled with, from the farthest to the nearest. */
const FILLINGS = [".", ":", "%", "#"];

/** Ranges of hills, nearer ones in front, under a sky with some stars. */
function hills(columns: number, rows: number, draw: Draw): string {
  const picture: string[][] = Array.from(
    { length: rows },
    (_, y) => Array.from({ length: columns }, () => y < rows / 2 && draw() < 0.03 ? "*" : " "),
  );
  FILLINGS.forEach((filling, range) => {
    const waves = Array.from({ length: 3 }, (_, n) => ({
      length: (8 + draw() * 24) / (n + 1),
      height: draw() * rows / 8 / (n + 1),
      shift: draw() * 2 * Math.PI,
    }));
    const level = rows * (0.4 + 0.17 * range);
    for (let x = 0; x < columns; x++) {
      let top = level;
      for (const { length, height, shift } of waves) {
        top += Math.sin(x * 2 * Math.PI / length + shift) * height;
      }
      for (let y = Math.max(0, Math.round(top)); y < rows; y++) picture[y][x] = filling;
    }
  });
  return picture.map((row) => row.join("").trimEnd() + "\n").join("");
}
