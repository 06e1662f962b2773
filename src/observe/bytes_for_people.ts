/** Sizes as people read them, in the form that INFO uses: "512B", "1.19M". */

const UNITS = ["K", "M", "G", "T", "P"];

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)}${UNITS[unit]}`;
}
