/**
 * Finds whoever goes on reading memory that has been given back: from the moment on when it may be used again it is
 * full of 0xDD. Importing this has it done in all of this process; test_server.ts does, so that
 * every test of commands looks for it.
 */

import { blocks } from "../../src/base/blocks.ts";

const POISON = 0xdd;

let given: Uint8Array[] = [];
const give = blocks.give.bind(blocks);
const settle = blocks.settle.bind(blocks);

blocks.give = (view) => {
  const before = blocks.pendingBytes;
  give(view);
  if (blocks.pendingBytes > before) given.push(view);
};

blocks.settle = () => {
  const views = given;
  given = [];
  for (const view of views) view.fill(POISON);
  settle();
};
