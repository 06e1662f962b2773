import { assert, assertEquals } from "@std/assert";
import { Random } from "../../support/random.ts";
import { testServer } from "../../support/test_server.ts";

const WRONG_TYPE = {
  error: "WRONGTYPE Operation against a key holding the wrong kind of value",
};
const SYNTAX = { error: "ERR syntax error" };

function sicily() {
  const s = testServer();
  s.run(
    "GEOADD",
    "Sicily",
    "13.361389",
    "38.115556",
    "Palermo",
    "15.087269",
    "37.502669",
    "Catania",
  );
  s.propagated();
  return s;
}

Deno.test("GEOADD stores positions as scores and enters the stream as ZADD", () => {
  const s = testServer();
  assertEquals(s.run("GEOADD", "g", "13.361389", "38.115556", "Palermo"), 1);
  assertEquals(s.run("ZSCORE", "g", "Palermo"), "3479099956230698");
  assertEquals(s.run("GEOADD", "g", "13.361389", "38.115556", "Palermo"), 0);
  assertEquals(s.run("GEOADD", "g", "CH", "13.5", "38", "Palermo", "15", "37", "Catania"), 2);
  assertEquals(s.run("GEOADD", "g", "NX", "1", "1", "Palermo", "2", "2", "new"), 1);
  assertEquals(s.run("GEOADD", "g", "XX", "CH", "1", "1", "other", "2", "2", "new"), 0);
  const stream = s.propagated();
  assertEquals(stream[0], "SELECT 0");
  assertEquals(stream[1], "ZADD g 3479099956230698 Palermo");
  assert(stream[2].startsWith("ZADD g CH "), stream[2]);
  assert(stream[3].startsWith("ZADD g NX "), stream[3]);
  assertEquals(stream.length, 4);
});

Deno.test("GEOADD refuses bad words and positions and changes nothing", () => {
  const s = testServer();
  const pair = (text: string) => ({ error: `ERR invalid longitude,latitude pair ${text}` });
  const notFloat = { error: "ERR value is not a valid float" };
  assertEquals(s.run("GEOADD", "g", "1", "2", "a", "3", "4"), SYNTAX);
  assertEquals(s.run("GEOADD", "g", "NX", "XX", "1", "2", "a"), SYNTAX);
  assertEquals(s.run("GEOADD", "g", "NX", "XX", "CH"), SYNTAX);
  assertEquals(s.run("GEOADD", "g", "CH", "NX", "NX"), SYNTAX);
  for (const word of ["", "x", "nan", "1e400", "1 ", "0x"]) {
    assertEquals(s.run("GEOADD", "g", "1", "1", "ok", word, "2", "a"), notFloat, word);
  }
  assertEquals(s.run("GEOADD", "g", "181", "0", "a"), pair("181.000000,0.000000"));
  assertEquals(s.run("GEOADD", "g", "-inf", "0", "a"), pair("-inf,0.000000"));
  assertEquals(s.run("GEOADD", "g", "0", "85.06", "a"), pair("0.000000,85.060000"));
  assertEquals(
    s.run("GEOADD", "g", "0", "1e22", "a"),
    pair("0.000000,10000000000000000000000.000000"),
  );
  assertEquals(s.run("EXISTS", "g"), 0);
  assertEquals(s.propagated(), []);
});

Deno.test("GEOPOS, GEOHASH and GEODIST print the digits that Redis prints", () => {
  const s = sicily();
  assertEquals(s.run("GEOPOS", "Sicily", "Palermo", "nobody"), [
    ["13.36138933897018433", "38.11555639549629859"],
    null,
  ]);
  assertEquals(s.run("GEOHASH", "Sicily", "Palermo", "Catania", "nobody"), [
    "sqc8b49rny0",
    "sqdtr74hyu0",
    null,
  ]);
  assertEquals(s.run("GEODIST", "Sicily", "Palermo", "Catania"), "166274.1516");
  assertEquals(s.run("GEODIST", "Sicily", "Palermo", "Catania", "KM"), "166.2742");
  assertEquals(s.run("GEODIST", "Sicily", "Palermo", "Catania", "mi"), "103.3182");
  assertEquals(s.run("GEODIST", "Sicily", "Palermo", "Catania", "ft"), "545518.8700");
  assertEquals(s.run("GEODIST", "Sicily", "Palermo", "nobody"), null);
  assertEquals(s.run("GEODIST", "missing", "a", "b"), null);
  assertEquals(s.run("GEOPOS", "missing", "a"), [null]);
  assertEquals(s.run("GEOPOS", "Sicily"), []);
  assertEquals(s.run("GEODIST", "Sicily", "a", "b", "cm"), {
    error: "ERR unsupported unit provided. please use M, KM, FT, MI",
  });
});

Deno.test("GEOSEARCH and GEORADIUS answer what was asked for, in its order", () => {
  const s = sicily();
  assertEquals(
    s.run(
      "GEORADIUS",
      "Sicily",
      "15",
      "37",
      "200",
      "km",
      "WITHDIST",
      "WITHCOORD",
      "WITHHASH",
      "ASC",
    ),
    [
      ["Catania", "56.4413", 3479447370796909, ["15.08726745843887329", "37.50266842333162032"]],
      ["Palermo", "190.4424", 3479099956230698, ["13.36138933897018433", "38.11555639549629859"]],
    ],
  );
  assertEquals(s.run("GEORADIUSBYMEMBER", "Sicily", "Palermo", "100", "km"), ["Palermo"]);
  const box = ["FROMLONLAT", "15", "37", "BYBOX", "400", "400", "km"];
  assertEquals(s.run("GEOSEARCH", "Sicily", ...box, "DESC"), ["Palermo", "Catania"]);
  assertEquals(s.run("GEOSEARCH", "Sicily", ...box, "COUNT", 1), ["Catania"]);
  assertEquals((s.run("GEOSEARCH", "Sicily", ...box, "COUNT", 1, "ANY") as string[]).length, 1);
  assertEquals(s.run("GEOSEARCH", "missing", ...box), []);
  assertEquals(s.run("GEOSEARCH", "missing", "FROMMEMBER", "a", "BYRADIUS", 1, "m"), []);
});

Deno.test("GEOSEARCHSTORE replaces the destination, also where it is the source", () => {
  const s = sicily();
  s.run("SET", "d", "a string");
  s.propagated();
  const area = ["FROMLONLAT", "15", "37", "BYRADIUS", "200", "km"];
  assertEquals(s.run("GEOSEARCHSTORE", "d", "Sicily", ...area), 2);
  assertEquals(s.run("ZSCORE", "d", "Palermo"), "3479099956230698");
  assertEquals(s.run("GEOSEARCHSTORE", "Sicily", "Sicily", ...area, "STOREDIST", "COUNT", 1), 1);
  assertEquals(s.run("ZCARD", "Sicily"), 1);
  assertEquals(s.run("GEOSEARCHSTORE", "d", "missing", ...area), 0);
  assertEquals(s.run("EXISTS", "d"), 0);
  assertEquals(s.run("GEORADIUS", "Sicily", "0", "0", "1", "m", "STORE", "Sicily"), 0);
  assertEquals(s.run("EXISTS", "Sicily"), 0);
  assertEquals(s.propagated().length, 4);
});

Deno.test("searches refuse what makes no sense together", () => {
  const s = sicily();
  const refuse = (words: string[], error: string) =>
    assertEquals(s.run(...words as [string]), { error: `ERR ${error}` }, words.join(" "));
  const area = ["FROMLONLAT", "15", "37", "BYRADIUS", "200", "km"];
  const circle = ["BYRADIUS", "200", "km"];
  refuse(["GEOSEARCH", "Sicily", ...area, "ANY"], "the ANY argument requires COUNT argument");
  refuse(["GEOSEARCH", "Sicily", ...area, "COUNT", "0"], "COUNT must be > 0");
  refuse(["GEOSEARCH", "Sicily", ...area, "STOREDIST"], "syntax error");
  refuse(["GEOSEARCH", "Sicily", ...area, "FROMMEMBER", "Palermo"], "syntax error");
  refuse(["GEOSEARCH", "Sicily", ...area, "BYBOX", "1", "1", "m"], "syntax error");
  refuse(
    ["GEOSEARCH", "Sicily", "FROMMEMBER", "x", ...circle],
    "could not decode requested zset member",
  );
  refuse(
    ["GEOSEARCH", "Sicily", "FROMLONLAT", "1", "2", "ASC", "ASC"],
    "exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH",
  );
  refuse(
    ["geoSearch", "Sicily", "ASC", "DESC", ...circle],
    "exactly one of FROMMEMBER or FROMLONLAT can be specified for geoSearch",
  );
  refuse(
    ["GEOSEARCH", "Sicily", "FROMLONLAT", "1", "2", "BYRADIUS", "-1", "m"],
    "radius cannot be negative",
  );
  refuse(
    ["GEOSEARCH", "Sicily", "FROMLONLAT", "1", "2", "BYRADIUS", "x", "m"],
    "need numeric radius",
  );
  refuse(
    ["GEOSEARCH", "Sicily", "FROMLONLAT", "1", "2", "BYBOX", "1", "-1", "m"],
    "height or width cannot be negative",
  );
  refuse(
    ["GEOSEARCHSTORE", "d", "Sicily", ...area, "WITHDIST"],
    "GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
  );
  refuse(
    ["GEORADIUS", "Sicily", "1", "2", "3", "m", "STORE", "d", "WITHDIST"],
    "STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
  );
  refuse(["GEORADIUS_RO", "Sicily", "1", "2", "3", "m", "STORE", "d"], "syntax error");
  s.run("SET", "string", "x");
  assertEquals(s.run("GEOSEARCH", "string", ...area), WRONG_TYPE);
  assertEquals(s.run("GEOADD", "string", "1", "1", "a"), WRONG_TYPE);
});

Deno.test("a search finds the members that looking at each one finds, in listpacks and large sets", () => {
  const random = new Random(5);
  const near = (middle: number, width: number) => middle + (random.draw() - 0.5) * width;
  for (const count of [60, 500]) {
    const s = testServer();
    for (let i = 0; i < count; i++) {
      const far = random.chance(0.5);
      s.run("GEOADD", "g", near(20, far ? 300 : 5), near(40, far ? 80 : 5), `m${i}`);
    }
    for (let round = 0; round < 10; round++) {
      const middle = [String(near(20, 6)), String(near(40, 6))];
      const meters = random.pick([0, 5_000, 60_000, 300_000, 2_000_000]);
      s.run("GEOADD", "probe", ...middle, "middle");
      const found = s.run("GEOSEARCH", "g", "FROMLONLAT", ...middle, "BYRADIUS", meters, "m");
      const expected = Array.from({ length: count }, (_, i) => `m${i}`).filter((member) => {
        const [position] = s.run("GEOPOS", "g", member) as [string, string][];
        s.run("GEOADD", "pair", ...position, "a", ...middle, "b");
        return Number(s.run("GEODIST", "pair", "a", "b")) <= meters;
      });
      // What is within centimeters of the edge may fall on either side of it.
      const odd = new Set(found as string[]).symmetricDifference(new Set(expected));
      assert(odd.size <= 1, `${meters} m around ${middle}: ${[...odd]}`);
    }
  }
});
