/**
 * What a snapshot or a payload holds that has no place here: values of types that are not known, and what is kept with a
 * value or a key beside it. It is never dropped in silence: a load that may leave it out (`rdb-skip-unknown-modules`,
 * `replica-accept-lossy-sync`, `--lossy`) names it by key and kind, any other one refuses it.
 */

import { quoted } from "../base/printable.ts";

/**
 * One such thing: a value of a module's type, or of a type of later servers, whose key is left out; or a part of a value
 * or what is kept with its key, which is loaded without. `name` is that of the type, or a noun for the part, plural.
 */
export interface Unheld {
  readonly kind: "module" | "type" | "part";
  readonly name: string;
}

/** What XADD remembers of producers, and the settings for that where they are not those that all streams begin with. */
export const IDEMPOTENT_IDS: Unheld = { kind: "part", name: "ids of idempotent producers (IDMP)" };
export const IDEMPOTENT_SETTINGS: Unheld = {
  kind: "part",
  name: "settings for idempotent producers (IDMP)",
};
/** That nobody has an entry which is pending; here it is pending for a consumer whose name is empty. */
export const GIVEN_BACK: Unheld = {
  kind: "part",
  name: "marks of entries that consumers have given back (XNACK)",
};

/** What modules of this class keep with a key. */
export function keyMetadata(className: string): Unheld {
  return { kind: "part", name: `metadata of the module class '${className}'` };
}

/** Keys that have it, for lists. */
export function unheldKeys({ kind, name }: Unheld): string {
  if (kind === "part") return `keys with ${name}`;
  return kind === "module" ? `keys of module type '${name}'` : `keys of type '${name}'`;
}

/** Why a load ends with it; a comma and the place follow. */
export function unheldRefusal({ kind, name }: Unheld): string {
  if (kind === "module") {
    return `The RDB file contains module data I can't load: no matching module type '${name}',`;
  }
  return `${kind === "type" ? `values of type '${name}'` : name} have no place here,`;
}

/** What to tell of a key that is left out, or loaded without a part. */
export function unheldRemark(unheld: Unheld, database: number, key: string): string {
  const { kind, name } = unheld;
  const whose = `The key ${quoted(key)} (database ${database})`;
  if (kind === "module") {
    return `The RDB file contains module data I can't load: no matching module type '${name}'. ` +
      `${whose} is left out.`;
  }
  if (kind === "type") {
    return `The RDB file contains a value of type '${name}', which has no place here. ${whose} is left out.`;
  }
  return `The RDB file contains ${name}, which have no place here. ${whose} is loaded without them.`;
}

/** What to tell of slots that were on their way to the server that wrote a snapshot. */
export function slotImportRemark(job: string): string {
  return `The RDB file was written while the job ${
    quoted(job)
  } brought slots of a cluster there: ` +
    "keys in them may be incomplete, and are loaded as they are.";
}
