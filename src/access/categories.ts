/** The categories of commands that rules speak of (`+@read`). */

/** In the order of ACL CAT; the bit of a category is its place here. */
export const ACL_CATEGORIES = [
  "keyspace",
  "read",
  "write",
  "set",
  "sortedset",
  "list",
  "hash",
  "string",
  "bitmap",
  "hyperloglog",
  "geo",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
  "scripting",
] as const;

/** A category, without the "@". */
export type AclCategory = typeof ACL_CATEGORIES[number];

/** The bit of a category, in any case; 0 where there is none of that name. */
export function categoryBit(name: string): number {
  const place = ACL_CATEGORIES.findIndex((category) => category === name.toLowerCase());
  return place < 0 ? 0 : 1 << place;
}
