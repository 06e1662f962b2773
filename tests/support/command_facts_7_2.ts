/** What a redis 7.2.4 answers to COMMAND and COMMAND DOCS where 7.0.15, the stored facts, answers otherwise. */

import type { CommandFact } from "./command_facts.ts";

/** By full name: the fields that differ. Of a history only the versions count, of a text the quotes. */
export const CHANGES_OF_7_2: Readonly<Record<string, Partial<CommandFact>>> = {
  "acl|deluser": { "tips": ["request_policy:all_nodes", "response_policy:all_succeeded"] },
  "acl|log": { "history": [["7.2.0", ""]] },
  "acl|save": { "tips": ["request_policy:all_nodes", "response_policy:all_succeeded"] },
  "acl|setuser": { "tips": ["request_policy:all_nodes", "response_policy:all_succeeded"] },
  "blmove": { "flags": ["blocking", "denyoom", "write"] },
  "blpop": { "flags": ["blocking", "write"] },
  "brpop": { "flags": ["blocking", "write"] },
  "brpoplpush": { "flags": ["blocking", "denyoom", "write"] },
  "bzpopmax": { "flags": ["blocking", "fast", "write"] },
  "bzpopmin": { "flags": ["blocking", "fast", "write"] },
  "client|pause": { "since": "3.0.0" },
  "client|setname": { "tips": ["request_policy:all_nodes", "response_policy:all_succeeded"] },
  "cluster|shards": { "flags": ["loading", "stale"] },
  "cluster|slots": { "flags": ["loading", "stale"] },
  "command|getkeys": { "arity": -3 },
  "command|getkeysandflags": { "arity": -3 },
  "config|resetstat": { "tips": ["request_policy:all_nodes", "response_policy:all_succeeded"] },
  "config|rewrite": { "tips": ["request_policy:all_nodes", "response_policy:all_succeeded"] },
  "latency|reset": { "tips": ["request_policy:all_nodes", "response_policy:agg_sum"] },
  "msetnx": { "tips": [] },
  "psetex": {
    "deprecated_since": "2.6.12",
    "replaced_by": "`SET` `PX`",
    "doc_flags": ["deprecated"],
  },
  "quit": { "deprecated_since": "7.2.0", "replaced_by": "", "doc_flags": ["deprecated"] },
  "randomkey": {
    "tips": ["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
  },
  "scan": {
    "tips": ["nondeterministic_output", "request_policy:special", "response_policy:special"],
  },
  "setex": {
    "deprecated_since": "2.6.12",
    "replaced_by": "`SET` `EX`",
    "doc_flags": ["deprecated"],
  },
  "setnx": {
    "deprecated_since": "2.6.12",
    "replaced_by": "`SET` `NX`",
    "doc_flags": ["deprecated"],
  },
  "wait": { "flags": [] },
  "zrank": {
    "arity": -3,
    "history": [["7.2.0", ""]],
    "arguments": [{ "name": "key", "type": "key", "key_spec_index": 0 }, {
      "name": "member",
      "type": "string",
    }, { "name": "withscore", "type": "pure-token", "token": "WITHSCORE", "flags": ["optional"] }],
  },
  "zrevrank": {
    "arity": -3,
    "history": [["7.2.0", ""]],
    "arguments": [{ "name": "key", "type": "key", "key_spec_index": 0 }, {
      "name": "member",
      "type": "string",
    }, { "name": "withscore", "type": "pure-token", "token": "WITHSCORE", "flags": ["optional"] }],
  },
};
