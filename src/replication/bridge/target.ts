/**
 * What an older server is taken to know: the version of snapshots that it reads, and the commands that came with
 * that. Servers cannot be told apart any finer, since none of them says its version: so a link is spoken to as
 * to the oldest server that reads the snapshot it was sent, which newer ones understand as well.
 */

/** A version of the server as a number that can be compared: 6.2.0 is 60200. */
export function serverVersion(text: string): number {
  const [major, minor = 0, patch = 0] = text.split(".").map(Number);
  return (major * 100 + minor) * 100 + patch;
}

/** Versions that have been asked for: the code names a dozen. */
const asked = new Map<string, number>();

export class Target {
  /** The newest version of Redis whose commands may be used, see `serverVersion`. */
  readonly server: number;

  constructor(
    /** The version of snapshots, RDB_VERSION_MIN to RDB_VERSION_MAX. */
    readonly rdbVersion: number,
    serverText: string,
    /** As the log calls such servers. */
    readonly name: string,
  ) {
    this.server = serverVersion(serverText);
  }

  /** Whether it knows what came with this version of Redis. */
  knows(since: string): boolean {
    let version = asked.get(since);
    if (version === undefined) asked.set(since, version = serverVersion(since));
    return version <= this.server;
  }
}

/** For links by SYNC, which Redis has made by itself only before 2.8. */
const BEFORE_PSYNC = new Target(6, "2.6.17", "Redis 2.6");

const TARGETS = [
  new Target(6, "2.8.24", "Redis 2.8 and 3.0"),
  new Target(7, "3.2.13", "Redis 3.2"),
  new Target(8, "4.0.14", "Redis 4.0"),
  new Target(9, "5.0.14", "Redis 5.0 to 6.2"),
  new Target(10, "7.0.15", "Redis 7.0"),
  new Target(11, "7.2.4", "Redis 7.2"),
];

/** Who reads snapshots of this version and no later one; null for the latest, to whom nothing has to be translated. */
export function targetOf(rdbVersion: number, hasPsync = true): Target | null {
  if (rdbVersion === 6 && !hasPsync) return BEFORE_PSYNC;
  return TARGETS.find((target) => target.rdbVersion === rdbVersion) ?? null;
}
