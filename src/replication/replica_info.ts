/**
 * What INFO tells of the master that we follow, and of what has come of its stream here.
 *
 * @see {@link https://redis.io/docs/latest/commands/info/}
 */

import type { LinkRetries } from "./link_retries.ts";
import type { MasterLink } from "./master_link.ts";
import type { ReplicaRole } from "./replica_role.ts";

type InfoField = [name: string, value: string | number];

/** INFO's fields about the master, in order; none for a master. `link` is the present one, null between two. */
export function replicaInfo(
  role: ReplicaRole,
  link: MasterLink | null,
  retries: LinkRetries,
  steadyMs: number,
): InfoField[] {
  if (role.masterHost === null) return [];
  const { host: { config }, history: { offset }, isLinkUp: isUp } = role;
  const secondsSince = (ms: number) => Math.max(0, Math.floor((steadyMs - ms) / 1000));
  const fields: InfoField[] = [
    ["master_host", role.masterHost],
    ["master_port", role.masterPort],
    ["master_link_status", isUp ? "up" : "down"],
    ["master_last_io_seconds_ago", isUp ? secondsSince(link!.lastReadMs) : -1],
    ["master_sync_in_progress", role.isSyncing ? 1 : 0],
    ["slave_read_repl_offset", link?.applier?.readOffset ?? offset],
    ["slave_repl_offset", link?.applier?.offset ?? offset],
  ];
  if (role.isSyncing) {
    const total = link!.syncTotalBytes;
    const read = link!.load?.receivedBytes ?? 0;
    // Before the size is known, Redis divides by its -1.
    const percent = total < 0 ? "-0.00" : (total === 0 ? 0 : read / total * 100).toFixed(2);
    fields.push(
      ["master_sync_total_bytes", total],
      ["master_sync_read_bytes", read],
      ["master_sync_left_bytes", total - read],
      ["master_sync_perc", percent],
      ["master_sync_last_io_seconds_ago", secondsSince(link!.lastReadMs)],
    );
  }
  if (!isUp) fields.push(["master_link_down_since_seconds", role.downSeconds(steadyMs)]);
  if (retries.badSnapshots > 0) {
    fields.push(
      ["master_sync_failures", retries.badSnapshots],
      ["master_sync_last_error", retries.snapshotProblem],
    );
  }
  if (role.isPuttingOff) {
    const leftMs = Math.max(0, retries.nextSnapshotMs - steadyMs);
    fields.push(["master_sync_retry_in_seconds", Math.ceil(leftMs / 1000)]);
  }
  fields.push(
    ["slave_priority", priorityOf(role)],
    ["slave_read_only", config.value("replica-read-only") ? 1 : 0],
    ["replica_announced", config.value("replica-announced") ? 1 : 0],
    ["master_link_state", role.state],
    ["master_stream_errors", role.divergence.errors],
    ...troubleFields(role, retries, steadyMs),
  );
  return fields;
}

/** What Sentinel is told: 0, never to be promoted, of a dataset that is not the master's. */
function priorityOf({ host: { config }, divergence }: ReplicaRole): number {
  const isHeldBack = divergence.isLacking && !config.value("replica-promote-diverged");
  return isHeldBack ? 0 : config.value("replica-priority");
}

/** The fields about a stream that could not be applied as it came; none where it could. */
function troubleFields(role: ReplicaRole, { stop }: LinkRetries, steadyMs: number): InfoField[] {
  const { errors, lastError, isDiverged, offset, leftOut } = role.divergence;
  const fields: InfoField[] = [];
  if (errors > 0) fields.push(["master_stream_last_error", lastError]);
  if (isDiverged) {
    fields.push(
      ["master_stream_diverged_offset", offset],
      ["master_stream_heal_in_seconds", role.divergence.healInSeconds(steadyMs)],
    );
  }
  if (leftOut > 0) fields.push(["master_sync_left_out", leftOut]);
  if (stop?.offset === role.history.offset) fields.push(["master_stream_stopped", stop.why]);
  return fields;
}
