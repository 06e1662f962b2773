/**
 * Drawn scripts on a real server and here: what they return in RESP2 and RESP3, the errors they end with,
 * calls of commands, and the libraries (cjson, cmsgpack, struct, bit, string, math) on drawn values.
 *
 * Left out, as they are not the same in 7.0 and 7.2: numbers with a fraction or beyond 2^53 as words of a command or
 * doubles of a reply, which 7.0 writes with 17 digits, the sign of a NaN, calls of what blocks; and errors that are
 * tables without `err`, which end redis-server 7.0.15.
 */

import { assertEquals } from "@std/assert";
import { fuzzRounds, fuzzSeed } from "../support/fuzz.ts";
import { Random } from "../support/random.ts";
import { hasRedisServer } from "../support/real_redis.ts";
import { quote, render } from "./reply.ts";
import { EDGE_NUMBERS, EDGE_VALUES, STATEMENTS } from "./script_statements.ts";
import { Connection, realServer, testedServer } from "./support.ts";

const SCRIPTS = 3000;
/** Scripts that go out at once. */
const BATCH = 60;
/** Differences that are shown. */
const SHOWN = 5;

const NUMBERS = [
  "0",
  "1",
  "-1",
  "3.7",
  "-3.7",
  "1e10",
  "2^31",
  "2^53",
  "-2^53",
  "1e15",
  "123456789012",
  "0.1",
  "1/3",
  "1e100",
  "1e-7",
  "255",
  "65536",
];

class Scripts {
  constructor(readonly random: Random) {}

  pick<T>(values: readonly T[]): T {
    return values[this.random.below(values.length)];
  }

  chance(percent: number): boolean {
    return this.random.below(100) < percent;
  }

  string(): string {
    const texts = [
      "''",
      "'a'",
      "'hello world'",
      "'12'",
      "'0x10'",
      "' 7 '",
      "'1e3'",
      "'a\\0b'",
      "'\\255\\128'",
      "'line\\r\\nend'",
      "'ümläut'",
      "'quo\"te\\\\'",
      "KEYS[1]",
      "ARGV[1]",
      "ARGV[2]",
      "string.rep('x', 300)",
    ];
    return this.pick(texts);
  }

  number(): string {
    return this.pick(NUMBERS);
  }

  /** A value that has no metatable and is no function. */
  value(depth: number): string {
    const kind = this.random.below(depth > 2 ? 5 : 14);
    switch (kind) {
      case 0:
        return this.number();
      case 1:
        return this.string();
      case 2:
        return this.pick(["true", "false"]);
      case 3:
        return "nil";
      case 4:
        return String(this.random.below(1000) - 500);
      case 5:
        return `{ok = ${this.string()}}`;
      case 6:
        return `{err = ${this.pick(["'ERR x'", "'MY error'", "'WRONGTYPE a b'", "'a\\r\\nb'"])}}`;
      case 7:
        return `{double = ${this.pick(["3.5", "0", "-1.25", "100"])}}`;
      case 8:
        return `{map = {[${this.string()}] = ${this.value(depth + 1)}}}`;
      case 9:
        return `{set = {[${this.pick(["'m'", "1", "'x y'"])}] = true}}`;
      case 10:
        return this.pick([
          "{big_number = '123456789012345678901234567890'}",
          "{verbatim_string = {string = 'text', format = 'txt'}}",
          "{verbatim_string = {format = 'txt'}}",
          "{double = 'x'}",
          "{ok = 5}",
        ]);
      default:
        return this.array(depth);
    }
  }

  array(depth: number): string {
    const values = Array.from(
      { length: this.random.below(5) },
      () => this.value(depth + 1),
    );
    return `{${values.join(", ")}}`;
  }

  /** Numbers and strings, in tables of either kind: what the libraries take. */
  plain(depth: number): string {
    const kind = this.random.below(depth > 2 ? 3 : 5);
    if (kind === 0) return this.number();
    if (kind === 1) return this.string();
    if (kind === 2) return this.pick(["true", "false"]);
    const values = Array.from({ length: this.random.below(4) }, () => this.plain(depth + 1));
    if (kind === 3) return `{${values.join(", ")}}`;
    return values.length === 0 ? "{}" : `{k = ${values[0]}}`;
  }

  command(): string {
    const key = this.pick(["'s'", "'h'", "'l'", "'z'", "'set'", "KEYS[1]", "'none'"]);
    const word = () => this.pick([this.string(), String(this.random.below(100)), "'f'"]);
    const args = this.pick([
      () => `'set', ${key}, ${word()}`,
      () => `'get', ${key}`,
      () => `'incr', ${key}`,
      () => `'incrbyfloat', ${key}, '1.5'`,
      () => `'hset', ${key}, 'f', ${word()}`,
      () => `'hgetall', ${key}`,
      () => `'hget', ${key}, 'f'`,
      () => `'rpush', ${key}, ${word()}, ${word()}`,
      () => `'lrange', ${key}, 0, -1`,
      () => `'zadd', ${key}, 1, ${word()}`,
      () => `'zrange', ${key}, 0, -1, 'withscores'`,
      () => `'zscore', ${key}, 'f'`,
      () => `'sadd', 'set', 5`,
      () => `'smembers', 'set'`,
      () => `'type', ${key}`,
      () => `'del', ${key}`,
      () => `'exists', ${key}`,
      () => `'expire', ${key}, 100`,
      () => `'ping'`,
      () => `'nosuch', ${key}`,
      () => `'get'`,
      () => `'multi'`,
      () => `{}`,
      () => ``,
      () => `'select', 1`,
      () => `'echo', ${word()}`,
      () => `'setex', ${key}, 0, 1`,
    ])();
    return `redis.${this.pick(["call", "pcall"])}(${args})`;
  }

  library(): string {
    const s = this.string();
    const n = this.number();
    return this.pick([
      () => `cjson.encode(${this.plain(0)})`,
      () => `cjson.decode(cjson.encode(${this.array(1).replaceAll("nil", "1")}))`,
      () => `cjson.decode(${this.pick(JSON_TEXTS)})`,
      () => `cjson.encode(cjson.decode(${this.pick(JSON_TEXTS)}))`,
      () => `cmsgpack.pack(${this.plain(0)})`,
      () => `cmsgpack.unpack(cmsgpack.pack(${this.plain(0)}))`,
      () => `{cmsgpack.unpack(${s})}`,
      () => `struct.pack(${this.pick(STRUCT_FORMATS)}, ${n}, ${n}, ${n})`,
      () => `{struct.unpack(${this.pick(STRUCT_FORMATS)}, ${s} .. string.rep('ab', 20))}`,
      () => `bit.${this.pick(BIT_FUNCTIONS)}(${n}, ${this.pick(["1", "3", "8", "31"])})`,
      () => `bit.tohex(${n}, ${this.pick(["4", "8", "-6", "-8"])})`,
      () => `tostring(${n})`,
      () => `tonumber(${s})`,
      () => `string.format(${this.pick(FORMATS)}, ${n})`,
      () => `string.format('%q %s', ${s}, ${n})`,
      () => `{string.find(${s}, ${this.pick(PATTERNS)})}`,
      () => `{string.gsub(${s}, ${this.pick(PATTERNS)}, '<%0>')}`,
      () => `{string.byte(${s}, 1, -1)}`,
      () => `string.sub(${s}, ${this.pick(["1", "-2", "2^40", "0"])}, ${n})`,
      () => `#${s}`,
      () => `${n} .. ''`,
      () => `tostring(math.floor(${n})) .. tostring(math.fmod(${n}, 7)) .. tostring(${n} % 7)`,
      () => `select('#', unpack(${this.array(1)}))`,
      () => `table.concat({${this.string()}, ${n}, 1}, ',')`,
      () => `redis.sha1hex(${s})`,
      () => `redis.error_reply(${this.pick(["'x'", "'-A b'", "'A b'"])})`,
      () => `redis.status_reply(${s})`,
      () => `type(${this.value(1)})`,
    ])();
  }

  failure(): string {
    return this.pick([
      () => `error(${this.string()})`,
      () => `error({err = 'MY own'})`,
      () => `return nosuch`,
      () => `x = 1`,
      () => `return nil + 1`,
      () => `local t = nil return t.x`,
      () => `return #5`,
      () => `string.rep()`,
      () => `redis.setresp(5)`,
      () => `redis.log('x')`,
      () => `redis.sha1hex()`,
      () => `return 1 < 'x'`,
      () => `return {} .. 'x'`,
      () => `return (`,
      () => `setmetatable(_G, {})`,
      () => `redis.call = nil`,
      () => `string.find('a', '[')`,
      () => `for i = 1, 'x' do end`,
      () => `cjson.decode('{')`,
      () => `cjson.encode({[1] = 1, [100] = 2})`,
      () => `struct.unpack('i4', 'a')`,
      () => `bit.band()`,
      () => `cmsgpack.pack()`,
      () => `return loadstring('return +')`,
      () => `return {pcall(loadstring('error("in")'))}`,
    ])();
  }

  /** One of the texts of script_statements.ts, filled in. */
  statement(): string {
    return this.#filled(this.pick(STATEMENTS), 0);
  }

  #filled(text: string, depth: number): string {
    return text.replace(/\b[NDWSVCK]\b/g, (letter) => {
      if (letter === "N") return `(${this.pick(this.chance(60) ? EDGE_NUMBERS : NUMBERS)})`;
      if (letter === "D") return this.pick(["3.5", "-0.25", "0", "100", "2^40", "1/0", "-1/0"]);
      if (letter === "W") {
        return this.pick(["0", "1", "-1", "7", "300", "2^31", "-2^31", "2^53 - 1", "1.5"]);
      }
      if (letter === "S") return `(${this.string()})`;
      if (letter === "K") return this.pick(["'s'", "'h'", "'none'", "'new'", "KEYS[1]"]);
      if (letter === "C") return this.command();
      return this.chance(40) || depth > 2
        ? this.value(1)
        : this.#filled(this.pick(EDGE_VALUES), depth + 1);
    });
  }

  /** A whole script. */
  script(): string {
    if (this.chance(60)) {
      const shebang = this.chance(3) ? this.pick(SHEBANGS) : "";
      return shebang + this.statement();
    }
    const resp = this.chance(30) ? "redis.setresp(3) " : "";
    const body = this.pick([
      () => `return ${this.value(0)}`,
      () => `return ${this.library()}`,
      () => `return ${this.library()}`,
      () => `return ${this.command()}`,
      () => `local a = ${this.command()} local b = ${this.command()} return {a, b}`,
      () => `return {pcall(function() ${this.failure()} end)}`,
      () => `return {pcall(redis.call, 'incr', 'h')}`,
      () => this.failure(),
    ])();
    return resp + body;
  }
}

const SHEBANGS = [
  "#!lua\n",
  "#!lua flags=no-writes\n",
  "#!lua flags=allow-oom,allow-stale\n",
  "#!lua flags=none\n",
  "#!lua name=x\n",
  "#!lua",
  "#!other\n",
];

const JSON_TEXTS = [
  `'[1,2,{"a":null,"b":[]}]'`,
  `'{"x":1.5,"y":"\\\\u00e9\\\\ud83d\\\\ude00","z":true}'`,
  `'[]'`,
  `'{}'`,
  `'"text"'`,
  `'[1e3,-0,0.1,1E-5,12345678901234567890]'`,
  `'nul'`,
  `'[1,'`,
  `'{"a"}'`,
  `'  [ "a\\\\/b\\\\n" ] '`,
  `'[nan]'`,
  `'[0x10]'`,
];
const STRUCT_FORMATS = [
  "'>i4i2b'",
  "'<I8'",
  "'hh'",
  "'!4bi4'",
  "'=d'",
  "'f'",
  "'s'",
  "'c5'",
  "'xx b'",
];
const BIT_FUNCTIONS = ["band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror"];
const FORMATS = [
  "'%d'",
  "'%5.2f'",
  "'%g'",
  "'%.14g'",
  "'%.17g'",
  "'%x'",
  "'%5d|'",
  "'%-8d|'",
  "'%e'",
  "'%i'",
  "'%u'",
  "'%c'",
  "'%o'",
  "'%s'",
  "'%+d'",
  "'%08.3f'",
];
const PATTERNS = [
  "'%w+'",
  "'(.)(.)'",
  "'^h'",
  "'%d*'",
  "'[a-e]'",
  "'l-o'",
  "'%s'",
  "'$'",
  "'%z'",
  "'%b()'",
];

/** What one server answers to these scripts, in order. */
async function answers(connection: Connection, scripts: string[]): Promise<string[]> {
  const replies = await connection.pipeline(
    scripts.map((
      script,
      i,
    ) => [i % 20 === 0 ? "EVAL_RO" : "EVAL", script, "1", "key{a}", "arg", "7"]),
  );
  return replies.map((reply) => render(reply));
}

/** The same on both, or a version's way of saying it. */
function isSame(script: string, real: string, tested: string): boolean {
  if (real === tested) return true;
  // What an address is in memory.
  const shape = (text: string) => text.replace(/(table|function|userdata): 0x[0-9a-f]+/g, "$1");
  return shape(real) === shape(tested) && script !== "";
}

for (const resp of ["2", "3"]) {
  Deno.test({
    name: `drawn scripts answer in RESP${resp} as on a real server`,
    ignore: !hasRedisServer,
    fn: async () => {
      const seed = fuzzSeed(90_210);
      const scripts = new Scripts(new Random(seed));
      const real = realServer();
      const tested = testedServer();
      await Promise.all([real.start(), tested.start()]);
      const connections = [await Connection.open(real.port), await Connection.open(tested.port)];
      const differences: string[] = [];
      let count = 0;
      try {
        for (const each of connections) await each.call("HELLO", resp);
        const total = fuzzRounds(SCRIPTS);
        while (count < total && differences.length < SHOWN) {
          const batch = Array.from({ length: BATCH }, () => scripts.script());
          const [wanted, got] = await Promise.all(connections.map((c) => answers(c, batch)));
          batch.forEach((script, i) => {
            if (isSame(script, wanted[i], got[i])) return;
            differences.push(`${quote(script)}\n  real:   ${wanted[i]}\n  tested: ${got[i]}`);
          });
          count += batch.length;
        }
      } finally {
        for (const each of connections) each.close();
        await Promise.all([real.stop(), tested.stop()]);
      }
      const context = `seed ${seed}, ${count} scripts`;
      assertEquals(differences.slice(0, SHOWN).join("\n"), "", context);
    },
  });
}
