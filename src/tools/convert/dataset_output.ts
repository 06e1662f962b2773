/** What a dataset is written to, in one form or another: what converting asks of each form. */

import type { ShownKey } from "../dataset/dataset.ts";

export interface DatasetOutput {
  begin(): void;
  library(code: Uint8Array): void;
  key(key: ShownKey): void;
  /** Hands all bytes to where they go. */
  end(): void;
}

/** A key or library that cannot be said in the form that was asked for; the message names it. */
export class NotHeld extends Error {}
