/**
 * What a check has found, for programs: one object in one line for each dataset. Keys are text where they are UTF-8;
 * where they are not, `key` has them as redis-cli quotes them, and `keyHex` their bytes.
 */

import { toLatin1 } from "../../base/bytes.ts";
import { quoted } from "../../base/printable.ts";
import {
  type Damage,
  type Findings,
  isSound,
  type KeyPlace,
  type LogFindings,
  type PartFindings,
  type SnapshotFindings,
} from "./findings.ts";
import type { PrefixTree } from "./prefixes.ts";
import type { Survey } from "./survey.ts";

/** Prefixes with a smaller share are left out, and more than so many. */
const PREFIX_SHARE = 0.001;
const PREFIX_ROWS = 1000;

export function jsonReport(findings: Findings): string {
  const { set, parts, survey, written, replication, isLoaded, remarks } = findings;
  return JSON.stringify({
    path: set.path,
    kind: set.kind,
    sound: isSound(findings),
    problem: set.problem,
    bytes: set.totalBytes,
    files: parts.map(partJson),
    replication,
    loaded: isLoaded,
    remarks,
    ...surveyJson(survey),
    writtenPrefixes: written === null || isLoaded ? null : prefixJson(written),
  }) + "\n";
}

function partJson({ part, snapshot, log, damage, trailingBytes }: PartFindings): unknown {
  return {
    name: part.name,
    role: part.role,
    bytes: part.sizeBytes,
    snapshot: snapshot === null ? null : snapshotJson(snapshot),
    commands: log === null ? null : logJson(log),
    trailingBytes,
    damage: damage === null ? null : damageJson(damage),
  };
}

function snapshotJson(snapshot: SnapshotFindings): unknown {
  return {
    version: snapshot.version,
    bytes: snapshot.endBytes,
    checksum: snapshot.checksum,
    aux: Object.fromEntries(snapshot.aux),
    libraries: snapshot.libraries,
    modules: [...snapshot.modules],
    moduleKeys: Object.fromEntries(snapshot.moduleKeys),
    unheld: Object.fromEntries(snapshot.unheld),
    slotImports: snapshot.slotImports,
    keys: snapshot.keys,
    emptyKeys: snapshot.emptyKeys,
    announcedKeys: Object.fromEntries(snapshot.announced),
    duplicatesCompared: !snapshot.isDuplicateUnknown,
  };
}

function logJson(log: LogFindings): unknown {
  return {
    begin: log.beginBytes,
    count: log.commands,
    byName: Object.fromEntries(log.byName),
    byDatabase: Object.fromEntries(log.byDatabase),
    transactions: log.transactions,
    unfinishedFrom: log.unfinishedFrom,
    keysNamed: log.names,
    keysNamedComplete: log.areNamesCounted,
    timestamp: log.timestamp,
  };
}

function damageJson({ kind, what, offset, soundBytes, key, lastKey }: Damage): unknown {
  return {
    kind,
    what,
    offset,
    soundBytes,
    key: key === null ? null : placeJson(key),
    lastKey: lastKey === null ? null : placeJson(lastKey),
  };
}

function placeJson({ key, database, type, begin, end }: KeyPlace): unknown {
  return { ...keyJson(key), database, type, begin, end };
}

function surveyJson(survey: Survey): Record<string, unknown> {
  const { keys, elements, fileBytes, memoryBytes, expiring } = survey;
  return {
    totals: { keys, elements, fileBytes, memoryBytes, expiring },
    types: Object.fromEntries(survey.types),
    forms: Object.fromEntries(survey.encodings),
    databases: Object.fromEntries(survey.databases),
    expiry: {
      first: expiring > 0 ? survey.firstExpiryMs : null,
      last: expiring > 0 ? survey.lastExpiryMs : null,
      spans: Object.fromEntries(survey.spans),
    },
    largest: survey.largest.map(({ key, database, type, ...counts }) => ({
      ...keyJson(key),
      database,
      type,
      elements: counts.elements,
      fileBytes: counts.fileBytes,
      memoryBytes: counts.memoryBytes,
    })),
    prefixes: prefixJson(survey.prefixes),
  };
}

function prefixJson(prefixes: PrefixTree): unknown {
  return prefixes.rows(PREFIX_SHARE, PREFIX_ROWS).map(({ prefix, depth, keys, bytes }) => ({
    prefix: keyJson(Uint8Array.from(prefix, (c) => c.charCodeAt(0))).key,
    depth,
    keys,
    bytes,
  }));
}

/** A key as it is told in JSON. */
export function keyJson(key: Uint8Array): { key: string; keyHex?: string } {
  try {
    return { key: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(key) };
  } catch {
    const keyHex = Array.from(key, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { key: quoted(toLatin1(key, 0, key.length)), keyHex };
  }
}
