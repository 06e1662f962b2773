/** A handful of definitions as the command folders have them, for tests without the whole server. */

import { Command, defineCommand } from "../../src/dispatch/command.ts";
import {
  bitfieldKeys,
  countedKeys,
  keyAfter,
  keyRange,
  keysAfter,
  keysToEnd,
  migrateKeys,
  noted,
  oneKey,
  setKeys,
  sortKeys,
  unknownKeys,
} from "../../src/dispatch/key_specs.ts";

const run = () => {};
const summary = "A command as an example";

const ping = defineCommand({
  name: "ping",
  group: "connection",
  since: "1.0.0",
  summary,
  complexity: "O(1)",
  arity: -1,
  flags: ["fast"],
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  args: "[message]",
  run,
});

const set = defineCommand({
  name: "set",
  group: "string",
  since: "1.0.0",
  history: [
    ["2.6.12", "`EX`, `PX`, `NX` and `XX`"],
    ["6.0.0", "`KEEPTTL`"],
    [
      "6.2.0",
      "`GET`, `EXAT` and `PXAT`",
    ],
    ["7.0.0", "`NX` together with `GET`"],
    ["8.4.0", "`IFEQ`, `IFNE`, `IFDEQ` and `IFDNE`"],
  ],
  summary,
  complexity: "O(1)",
  arity: -3,
  flags: ["write", "denyoom"],
  keys: [
    noted(
      "The old value is read only where `GET` asks for it.",
      oneKey("RW access update variable_flags"),
    ),
  ],
  findKeys: setKeys,
  args: `
    key value
    [condition:(
      NX | XX |
      IFEQ ifeq-value@8.4.0 | IFNE ifne-value@8.4.0 |
      IFDEQ ifdeq-digest@8.4.0 | IFDNE ifdne-digest@8.4.0
    )@2.6.12]
    [GET@6.2.0]
    [expiration:(
      EX seconds:integer@2.6.12 |
      PX milliseconds:integer@2.6.12 |
      EXAT unix-time-seconds:unix-time@6.2.0 |
      PXAT unix-time-milliseconds:unix-time@6.2.0 |
      KEEPTTL@6.0.0
    )]
  `,
  run,
});

const get = defineCommand({
  name: "get",
  group: "string",
  since: "1.0.0",
  summary,
  complexity: "O(1)",
  arity: 2,
  flags: ["readonly", "fast"],
  keys: [oneKey("RO access")],
  args: "key",
  run,
});

const getset = defineCommand({
  name: "getset",
  group: "string",
  since: "1.0.0",
  summary,
  complexity: "O(1)",
  arity: 3,
  flags: ["write", "denyoom", "fast"],
  keys: [oneKey("RW access update")],
  args: "key value",
  deprecated: { since: "6.2.0", use: "`SET` (`GET`)" },
  run,
});

const mset = defineCommand({
  name: "mset",
  group: "string",
  since: "1.0.1",
  summary,
  complexity: "",
  arity: -3,
  flags: ["write", "denyoom"],
  tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
  keys: [keysToEnd("OW update", 1, 2)],
  args: "key_value:(key value)...",
  run,
});

const bitfield = defineCommand({
  name: "bitfield",
  group: "bitmap",
  since: "3.2.0",
  summary,
  complexity: "",
  arity: -2,
  flags: ["write", "denyoom"],
  keys: [
    noted(
      "Some operations read, some change the value.",
      oneKey("RW access update variable_flags"),
    ),
  ],
  findKeys: bitfieldKeys,
  args: `
    key
    [operation:(
      GET encoding_offset:(encoding offset:integer) |
      write:(
        [OVERFLOW wrap_sat_fail:(WRAP | SAT | FAIL)]
        write_operation:(
          SET encoding_offset_value:(encoding offset:integer value:integer) |
          INCRBY encoding_offset_increment:(encoding offset:integer increment:integer)
        )
      )
    )...]
  `,
  run,
});

const sort = defineCommand({
  name: "sort",
  group: "generic",
  since: "1.0.0",
  summary,
  complexity: "",
  arity: -2,
  flags: ["write", "denyoom"],
  acl: ["set", "sortedset", "list", "dangerous"],
  keys: [
    oneKey("RO access"),
    noted("`BY` and `GET` make names of keys from the elements.", unknownKeys("RO access")),
    noted("`STORE` may stand anywhere among the options.", unknownKeys("OW update")),
  ],
  findKeys: sortKeys,
  args: `
    key
    [BY pattern#1]
    [LIMIT offset_count:(offset:integer count:integer)]
    [GET... pattern#1]
    [order:(ASC | DESC)]
    [sorting:ALPHA]
    [STORE destination:key#2]
  `,
  run,
});

const migrate = defineCommand({
  name: "migrate",
  group: "generic",
  since: "2.6.0",
  history: [["3.0.0", "`COPY` and `REPLACE`"], ["3.0.6", "`KEYS`"], ["4.0.7", "`AUTH`"], [
    "6.0.0",
    "`AUTH2`",
  ]],
  summary,
  complexity: "",
  arity: -6,
  flags: ["write"],
  acl: ["keyspace", "dangerous"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RW access delete", 3), keysAfter("KEYS", -2, "RW access delete incomplete")],
  findKeys: migrateKeys,
  args: `
    host port:integer
    key_or_empty_string:(key | empty_string:"")
    destination-db:integer timeout:integer
    [COPY@3.0.0]
    [REPLACE@3.0.0]
    [authentication:([AUTH password@4.0.7] | [AUTH2 username_password:(username password)@6.0.0])]
    [KEYS key#1...@3.0.6]
  `,
  run,
});

const rename = defineCommand({
  name: "rename",
  group: "generic",
  since: "1.0.0",
  summary,
  complexity: "O(1)",
  arity: 3,
  flags: ["write"],
  keys: [oneKey("RW access delete"), oneKey("OW update", 2)],
  args: "key newkey:key#1",
  run,
});

const blpop = defineCommand({
  name: "blpop",
  group: "list",
  since: "2.0.0",
  history: [["6.0.0", "fractions of a second in `timeout`"]],
  summary,
  complexity: "",
  arity: -3,
  flags: ["write", "blocking"],
  keys: [keyRange("RW access delete", 1, -2)],
  args: "key... timeout:double",
  run,
});

const xread = defineCommand({
  name: "xread",
  group: "stream",
  since: "5.0.0",
  summary,
  complexity: "",
  arity: -4,
  flags: ["readonly", "blocking"],
  keys: [keysAfter("STREAMS", 1, "RO access", 2)],
  args: `
    [COUNT count:integer]
    [BLOCK milliseconds:integer]
    STREAMS streams:(key... id...)
  `,
  run,
});

const georadius = defineCommand({
  name: "georadius",
  group: "geo",
  since: "3.2.0",
  history: [["6.2.0", "`ANY`"], ["7.0.0", "units in capitals"]],
  summary,
  complexity: "",
  arity: -6,
  flags: ["write", "denyoom"],
  keys: [
    oneKey("RO access"),
    keyAfter("STORE", 6, "OW update"),
    keyAfter("STOREDIST", 6, "OW update"),
  ],
  args: `
    key longitude:double latitude:double radius:double
    unit:(M | KM | FT | MI)
    [WITHCOORD]
    [WITHDIST]
    [WITHHASH]
    [count:(COUNT count:integer [ANY@6.2.0])]
    [order:(ASC | DESC)]
    [STORE key#1]
    [STOREDIST key#2]
  `,
  deprecated: { since: "6.2.0", use: "`GEOSEARCH` or `GEOSEARCHSTORE` (`BYRADIUS`)" },
  run,
});

const zunionstore = defineCommand({
  name: "zunionstore",
  group: "sorted-set",
  since: "2.0.0",
  summary,
  complexity: "",
  arity: -4,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update"), countedKeys("RO access", 2)],
  args: `
    destination:key numkeys:integer key#1...
    [WEIGHTS weight:integer...]
    [AGGREGATE aggregate:(SUM | MIN | MAX)]
  `,
  run,
});

const evalCommand = defineCommand({
  name: "eval",
  group: "scripting",
  since: "2.6.0",
  summary,
  complexity: "",
  arity: -3,
  flags: ["noscript", "stale", "skip_monitor", "no_mandatory_keys", "may_replicate"],
  keys: [noted("A script may do anything to its keys.", countedKeys("RW access update", 2))],
  args: "script numkeys:integer [key...] [arg...]",
  run,
});

const pfcount = defineCommand({
  name: "pfcount",
  group: "hyperloglog",
  since: "2.8.9",
  summary,
  complexity: "",
  arity: -2,
  flags: ["readonly", "may_replicate"],
  keys: [noted("A count that is worked out is kept in the value.", keysToEnd("RW access"))],
  args: "key...",
  run,
});

const spublish = defineCommand({
  name: "spublish",
  group: "pubsub",
  since: "7.0.0",
  summary,
  complexity: "",
  arity: 3,
  flags: ["pubsub", "loading", "stale", "fast", "may_replicate"],
  keys: [oneKey("not_key")],
  args: "shardchannel message",
  run,
});

const sunionstore = defineCommand({
  name: "sunionstore",
  group: "set",
  since: "1.0.0",
  summary,
  complexity: "",
  arity: -3,
  flags: ["write", "denyoom"],
  keys: [oneKey("OW update"), keysToEnd("RO access", 2)],
  args: "destination:key key#1...",
  run,
});

const objectEncoding = defineCommand({
  name: "object|encoding",
  group: "generic",
  since: "2.2.3",
  summary,
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO", 2)],
  args: "key",
  run,
});

const objectFreq = defineCommand({
  name: "object|freq",
  group: "generic",
  since: "4.0.0",
  summary,
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO", 2)],
  args: "key",
  run,
});

const objectHelp = defineCommand({
  name: "object|help",
  group: "generic",
  since: "6.2.0",
  summary,
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run,
});

const objectIdletime = defineCommand({
  name: "object|idletime",
  group: "generic",
  since: "2.2.3",
  summary,
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO", 2)],
  args: "key",
  run,
});

const objectRefcount = defineCommand({
  name: "object|refcount",
  group: "generic",
  since: "2.2.3",
  summary,
  complexity: "O(1)",
  arity: 3,
  flags: ["readonly"],
  tips: ["nondeterministic_output"],
  keys: [oneKey("RO", 2)],
  args: "key",
  run,
});

const object = defineCommand({
  name: "object",
  group: "generic",
  since: "2.2.3",
  summary,
  complexity: "",
  arity: -2,
  subcommands: [objectEncoding, objectFreq, objectHelp, objectIdletime, objectRefcount],
});

const configGet = defineCommand({
  name: "config|get",
  group: "server",
  since: "2.0.0",
  history: [["7.0.0", "several patterns in one call"]],
  summary,
  complexity: "",
  arity: -3,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "parameter:(parameter)...",
  run,
});

const configHelp = defineCommand({
  name: "config|help",
  group: "server",
  since: "5.0.0",
  summary,
  complexity: "O(1)",
  arity: 2,
  flags: ["loading", "stale"],
  run,
});

const configResetstat = defineCommand({
  name: "config|resetstat",
  group: "server",
  since: "2.0.0",
  summary,
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  run,
});

const configRewrite = defineCommand({
  name: "config|rewrite",
  group: "server",
  since: "2.8.0",
  summary,
  complexity: "O(1)",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  run,
});

const configSet = defineCommand({
  name: "config|set",
  group: "server",
  since: "2.0.0",
  history: [["7.0.0", "several directives in one call"]],
  summary,
  complexity: "",
  arity: -4,
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  args: "parameter_value:(parameter value)...",
  run,
});

const config = defineCommand({
  name: "config",
  group: "server",
  since: "2.0.0",
  summary,
  complexity: "",
  arity: -2,
  subcommands: [configGet, configHelp, configResetstat, configRewrite, configSet],
});

const replconf = defineCommand({
  name: "replconf",
  group: "server",
  since: "3.0.0",
  summary,
  complexity: "O(1)",
  arity: -1,
  flags: ["admin", "noscript", "loading", "stale", "allow_busy"],
  internal: true,
  run,
});

const waitaof = defineCommand({
  name: "waitaof",
  group: "generic",
  since: "7.2.0",
  summary,
  complexity: "O(1)",
  arity: 4,
  flags: ["blocking"],
  acl: ["connection"],
  tips: ["request_policy:all_shards", "response_policy:agg_min"],
  args: "numlocal:integer numreplicas:integer timeout:integer",
  run,
});

/** The samples; their names are those of real commands. */
export const sampleCommands: readonly Command[] = [
  ping,
  set,
  get,
  getset,
  mset,
  bitfield,
  sort,
  migrate,
  rename,
  blpop,
  xread,
  georadius,
  zunionstore,
  evalCommand,
  pfcount,
  spublish,
  sunionstore,
  object,
  config,
  replconf,
  waitaof,
].map((definition) => new Command(definition));
