/** Linux's table of a process's limits, /proc/self/limits. */

/**
 * How many files the process may have open at once, out of that table's text: the soft limit.
 * Null when there is none, or none can be found.
 */
export function openFilesLimit(table: string): number | null {
  const line = /^Max open files +(\d+)/m.exec(table);
  return line === null ? null : Number(line[1]);
}
