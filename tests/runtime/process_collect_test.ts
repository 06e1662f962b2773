import { eventually } from "../support/eventually.ts";
import { runtime } from "../../src/runtime/here.ts";

Deno.test("a buffer that nobody has is given up by a collection that is asked for", async () => {
  let isGone = false;
  const registry = new FinalizationRegistry<string>(() => isGone = true);
  (() => registry.register(new Uint8Array(1 << 20), "buffer"))();
  await eventually(() => {
    runtime.process.collectGarbage(true);
    return isGone;
  });
});
