import { assert, assertEquals } from "@std/assert";
import { MemoryGuard } from "../../src/observe/memory_guard.ts";
import { runtime } from "../../src/runtime/here.ts";
import { type TestServer, testServer } from "../support/test_server.ts";

const MB = 1 << 20;
const OOM_HEAP = { error: "OOM command not allowed when the heap of the process is nearly full." };
const OOM_SYSTEM = {
  error: "OOM command not allowed when the system has no memory left for it.",
};

/** A server whose process says that it has so much memory. */
function withMemory(availableBytes: number, heapUsed = 0, heapLimit = 0): TestServer {
  const s = testServer();
  s.core.memory.source = {
    heap: () => ({ usedBytes: heapUsed, limitBytes: heapLimit }),
    availableMemoryBytes: () => availableBytes,
  };
  return s;
}

Deno.test("small buffers are made without asking, large ones if the system keeps something", () => {
  let asked = 0;
  const guard = new MemoryGuard({
    heap: () => ({ usedBytes: 0, limitBytes: 0 }),
    availableMemoryBytes: () => (asked++, 164 * MB),
  });
  assert(guard.mayAllocate(1000));
  assertEquals(asked, 0);
  assert(guard.mayAllocate(100 * MB));
  assert(!guard.mayAllocate(101 * MB));
});

Deno.test("the heap is full from nine tenths of its limit on, and never without a limit", () => {
  const isFull = (usedBytes: number, limitBytes: number) =>
    new MemoryGuard({
      heap: () => ({ usedBytes, limitBytes }),
      availableMemoryBytes: () => Infinity,
    }).isHeapFull;
  assertEquals([isFull(89, 100), isFull(91, 100), isFull(2 ** 40, 0)], [false, true, false]);
});

Deno.test("without a limit nobody asks how large the heap is, which takes a while", () => {
  const heap = {
    limitBytes: 0,
    get usedBytes(): number {
      throw new Error("asked");
    },
  };
  const guard = new MemoryGuard({ heap: () => heap, availableMemoryBytes: () => Infinity });
  assertEquals(guard.isHeapFull, false);
});

Deno.test("the runtime tells how large the heap of objects is, and what the system can give", () => {
  const { usedBytes, limitBytes } = runtime.process.heap();
  assert(usedBytes > 10_000, `${usedBytes}`);
  assert(limitBytes === 0 || limitBytes > usedBytes, `${limitBytes}`);
  assertEquals(limitBytes === 0, runtime.name === "bun");
  assert(runtime.process.availableMemoryBytes() > 0);
});

Deno.test("INFO memory shows the heap and its limit", () => {
  const text = withMemory(Infinity, 12_345, 67_890).run("INFO", "memory") as string;
  assert(text.includes("\r\nheap_used:12345\r\nheap_limit:67890\r\n"), text);
});

Deno.test("commands that may take memory, and queued ones, are refused while the heap is full", () => {
  const s = withMemory(Infinity, 95, 100);
  s.core.updateGates();
  assertEquals(s.run("SET", "k", "v"), OOM_HEAP);
  assertEquals(s.run("GET", "k"), null);
  assertEquals(s.run("DEL", "k"), 0);
  s.run("MULTI");
  assertEquals(s.run("GET", "k"), OOM_HEAP);
  assertEquals(s.run("EXEC"), {
    error: "EXECABORT Transaction discarded because of previous errors.",
  });
  s.core.memory.source = {
    ...s.core.memory.source,
    heap: () => ({ usedBytes: 5, limitBytes: 100 }),
  };
  s.core.updateGates();
  assertEquals(s.run("SET", "k", "v"), "OK");
});

Deno.test("a burst between two turns of the timer is refused too once the heap is nearly full", () => {
  const s = withMemory(Infinity, 95, 100);
  let accepted = 0;
  while (accepted < 10_000 && s.run("SET", "k", accepted) === "OK") accepted++;
  assert(accepted > 0 && accepted < 10_000, `${accepted}`);
  assertEquals(s.run("SET", "k", "v"), OOM_HEAP);
  assertEquals(s.run("GET", "k"), String(accepted - 1));
});

Deno.test("SORT is refused when there is no memory for its scratch, and leaves everything as it was", () => {
  const s = withMemory(65 * MB);
  for (let i = 0; i < 200; i++) {
    s.run("RPUSH", "l", ...Array.from({ length: 1000 }, (_, n) => (i * 7919 + n * 31) % 10007));
  }
  for (const options of ["", "ALPHA", "BY w_*", "GET #", "STORE to", "ALPHA STORE to"]) {
    assertEquals(s.run("SORT", "l", ...options.split(" ").filter(Boolean)), OOM_SYSTEM, options);
  }
  assertEquals(s.run("EXISTS", "to"), 0);
  assertEquals((s.run("SORT", "l", "BY", "nosort", "LIMIT", 0, 3) as string[]).length, 3);
  s.core.memory.source = { ...s.core.memory.source, availableMemoryBytes: () => Infinity };
  assertEquals(s.run("SORT", "l", "STORE", "to"), 200_000);
});
