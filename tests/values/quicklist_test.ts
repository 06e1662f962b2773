import { assert, assertEquals } from "@std/assert";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import {
  lpBytes,
  lpCount,
  lpEntryCopyText,
  lpEntryTextLength,
  lpSetNeedle,
  lpValidate,
} from "../../src/values/listpack.ts";
import { copyListNode, ListCursor, listNodeSize, QuickList } from "../../src/values/quicklist.ts";
import type { ListNode } from "../../src/values/list_node.ts";
import { Random } from "../support/random.ts";

function entryText(): string {
  const out = new Uint8Array(lpEntryTextLength());
  assertEquals(lpEntryCopyText(out, 0), out.length);
  return toLatin1(out);
}

function forward(list: QuickList): string[] {
  const out: string[] = [];
  const cursor = new ListCursor();
  for (let more = list.seek(cursor, 0); more; more = cursor.next()) {
    cursor.read();
    out.push(entryText());
  }
  return out;
}

function backward(list: QuickList): string[] {
  const out: string[] = [];
  const cursor = new ListCursor();
  for (let more = list.seek(cursor, -1); more; more = cursor.prev()) {
    cursor.read();
    out.push(entryText());
  }
  return out.reverse();
}

function nodeBytes(node: ListNode): Uint8Array {
  const out = new Uint8Array(listNodeSize(node));
  assertEquals(copyListNode(node, out, 0), out.length);
  return out;
}

/** The texts of a list, after checking that chain, counts and bytes of all nodes are sound. */
function contents(list: QuickList): string[] {
  let prev: ListNode | null = null;
  let count = 0, nodes = 0, buffers = 0;
  for (let node = list.head; node !== null; node = node.next) {
    assert(node.prev === prev);
    assert(node.count > 0 && node.low <= node.start);
    assert(node.start <= node.end && node.end <= node.high);
    const bytes = nodeBytes(node);
    if (node.plain) assertEquals(node.count, 1);
    else {
      assert(lpValidate(bytes, 0, bytes.length));
      assertEquals(lpCount(bytes, 0), node.count);
    }
    count += node.count;
    nodes++;
    buffers += node.capacity;
    prev = node;
  }
  assert(list.tail === prev);
  assertEquals([list.count, list.nodes, list.bufferBytes], [count, nodes, buffers]);
  const out = forward(list);
  assertEquals(backward(list), out);
  return out;
}

function push(list: QuickList, text: string): void {
  list.pushTail(latin1("<" + text + ">"), 1, text.length);
}

function listOf(items: string[], fill = -2): QuickList {
  const list = new QuickList(fill);
  for (const item of items) push(list, item);
  return list;
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `item:${i}`);
}

Deno.test("quicklist: pushing and popping at either end moves no bytes of full-size nodes", () => {
  const list = new QuickList();
  const want = numbered(20_000);
  for (let i = 10_000; i < 20_000; i++) push(list, want[i]);
  for (let i = 9_999; i >= 0; i--) list.pushHead(latin1(want[i]), 0, want[i].length);
  assertEquals(contents(list), want);
  const { buf, low, high, end } = list.head!;
  assert(list.head!.start > low && end === high);
  for (let i = 0; i < 100; i++) {
    assert(list.peekHead());
    assertEquals(entryText(), want.shift());
    list.dropHead();
    assert(list.peekTail());
    assertEquals(entryText(), want.pop());
    list.dropTail();
  }
  assert(list.head!.buf === buf && list.head!.end === end);
  assertEquals(contents(list), want);
});

Deno.test("quicklist: an emptied list has nothing to peek and takes elements again", () => {
  const list = listOf(["a"]);
  list.dropTail();
  assertEquals([list.peekHead(), list.peekTail(), list.count, list.nodes], [false, false, 0, 0]);
  assert(!list.index(0) && !list.index(-1));
  push(list, "b");
  assertEquals(contents(list), ["b"]);
  list.clear();
  assertEquals(contents(list), []);
});

for (
  const [fill, limit] of [[-1, 4096], [-2, 8192], [-3, 16384], [-4, 32768], [-5, 65536], [
    -9,
    65536,
  ]]
) {
  Deno.test(`quicklist: with a fill of ${fill} nodes stay within ${limit} bytes and are used well`, () => {
    const list = listOf(numbered(40_000), fill);
    for (let node = list.head!; node.next !== null; node = node.next) {
      assert(listNodeSize(node) <= limit && listNodeSize(node) > limit - 32, String(node.end));
      assert(node.capacity <= limit);
    }
    push(list, "x".repeat(limit));
    assert(!list.tail!.plain);
    push(list, "x".repeat(limit + 1));
    assert(list.tail!.plain);
    assertEquals(list.tail!.end, limit + 1);
  });
}

Deno.test("quicklist: nodes take no buffers over from lists whose nodes may be larger", () => {
  for (let n = 0; n < 3; n++) listOf(numbered(3_000), -2).dispose();
  const list = listOf(numbered(3_000), -1);
  for (let node = list.head; node !== null; node = node.next) assert(node.capacity <= 4096);
});

for (const [fill, most] of [[0, 1], [1, 1], [2, 2], [128, 128]]) {
  Deno.test(`quicklist: with a fill of ${fill} a node has at most ${most} elements`, () => {
    const list = listOf(numbered(1000), fill);
    assertEquals(list.nodes, Math.ceil(1000 / most));
    for (let node = list.head; node !== null; node = node.next) assert(node.count <= most);
  });
}

Deno.test("quicklist: memory follows the elements in short and long lists", () => {
  for (const count of [1, 10, 100, 200, 1000, 3000, 10_000, 100_000]) {
    const list = listOf(numbered(count));
    let used = 0;
    for (let node = list.head; node !== null; node = node.next) used += node.end - node.start;
    assert(list.bufferBytes <= used * 2 + 64, `${count}: ${list.bufferBytes} for ${used}`);
    if (count >= 3000) assert(list.bufferBytes <= used * 1.35, `${count}: ${list.bufferBytes}`);
  }
});

Deno.test("quicklist: a queue keeps its memory bounded", () => {
  const list = new QuickList();
  for (let i = 0; i < 900; i++) push(list, `item:${i}`);
  for (let i = 900; i < 50_000; i++) {
    push(list, `item:${i}`);
    assert(list.peekHead());
    assertEquals(entryText(), `item:${i - 900}`);
    list.dropHead();
    assert(list.bufferBytes <= 4 * 8192 && list.nodes <= 4);
  }
});

Deno.test("quicklist: a queue that nearly fills a node does not move it again and again", () => {
  const list = listOf(Array.from({ length: 740 }, () => "abcdefghi"), -2);
  let moves = 0;
  for (let i = 0; i < 20_000; i++) {
    const { head, tail } = list;
    const before = [head!.buf, tail!.buf];
    push(list, "abcdefghi");
    if (head!.buf !== before[0]) moves++;
    if (tail !== head && tail!.buf !== before[1]) moves++;
    list.dropHead();
  }
  assert(moves <= 200, `${moves} moves`);
});

Deno.test("quicklist: index and seek find every element from both sides", () => {
  const items = numbered(3000);
  const list = listOf(items, 100);
  for (let i = 0; i < items.length; i += 7) {
    assert(list.index(i));
    assertEquals(entryText(), items[i]);
    assert(list.index(i - items.length));
    assertEquals(entryText(), items[i]);
  }
  const cursor = new ListCursor();
  assert(!list.seek(cursor, 3000) && !list.seek(cursor, -3001));
  assertEquals(cursor.node, null);
});

Deno.test("quicklist: a cursor compares elements with a needle, in plain nodes too", () => {
  const list = listOf(["a", "17", "b".repeat(9000), "17", "017"]);
  const found = (text: string) => {
    lpSetNeedle(latin1(text), 0, text.length);
    const at: number[] = [];
    const cursor = new ListCursor();
    let i = 0;
    for (let more = list.seek(cursor, 0); more; more = cursor.next(), i++) {
      const passed = cursor.find(list.count, false);
      if (passed < 0) break;
      at.push(i += passed);
    }
    return at;
  };
  assertEquals(found("17"), [1, 3]);
  assertEquals(found("b".repeat(9000)), [2]);
  assertEquals(found("017"), [4]);
  assertEquals(found("b"), []);
});

Deno.test("quicklist: nodes go out and in as listpacks and plain bytes", () => {
  const items = [...numbered(2000), "p".repeat(10_000), "", "42", "q".repeat(8193)];
  const list = listOf(items);
  const copy = new QuickList();
  for (let node = list.head; node !== null; node = node.next) {
    const bytes = nodeBytes(node);
    if (node.plain) copy.appendPlain(bytes, 0, bytes.length);
    else copy.appendListpack(bytes, 0);
  }
  copy.appendPlain(new Uint8Array(0), 0, 0);
  copy.appendListpack(Uint8Array.of(7, 0, 0, 0, 0, 0, 0xff), 0);
  assertEquals(contents(copy), [...items, ""]);
});

Deno.test("quicklist: converts from and to a single listpack, if that fits", () => {
  const items = [...numbered(50), "p".repeat(5000), "-77"];
  const list = listOf(items, -1);
  assert(list.nodes > 1);
  const out = new Uint8Array(10_000);
  const size = list.toListpack(out, 5, out.length - 5);
  assert(lpValidate(out, 5, size));
  assertEquals(lpBytes(out, 5), size);
  assertEquals(contents(QuickList.fromListpack(out, 5, -2)), items);
  assertEquals(list.toListpack(out, 5, size), size);
  for (const less of [1, 2, 3000]) assertEquals(list.toListpack(out, 5, size - less), -1);
  assertEquals(new QuickList().toListpack(out, 0, 7), 7);
  assertEquals(new QuickList().toListpack(out, 0, 6), -1);
});

Deno.test("quicklist: thinning out a long list joins and shrinks its nodes", () => {
  const list = listOf(numbered(20_000));
  const cursor = new ListCursor();
  let i = 0;
  for (let more = list.seek(cursor, 0); more; i++) {
    if (i % 50 === 0) more = cursor.next();
    else {
      list.removeAt(cursor);
      more = cursor.node !== null;
    }
  }
  assertEquals(contents(list), numbered(20_000).filter((_, n) => n % 50 === 0));
  assert(list.nodes <= 3, `${list.nodes} nodes`);
  assert(list.bufferBytes < 10_000, `${list.bufferBytes} bytes`);
});

for (const atEnd of [false, true]) {
  const side = atEnd ? "behind the last" : "before the first";
  Deno.test(`quicklist: between full nodes of a long list an element has a node of its own (${side})`, () => {
    const items = numbered(10_000);
    const first: number[] = [];
    const list = listOf(items, -1);
    let index = 0;
    for (let node = list.head; node !== null; node = node.next) {
      first.push(index);
      index += node.count;
    }
    assert(first.length > 24);
    for (const at of [first[1], first[8], first[17], first[24]]) {
      const other = listOf(items, -1);
      const cursor = new ListCursor();
      const text = latin1("new");
      assert(other.seek(cursor, atEnd ? at - 1 : at));
      if (atEnd) other.insertAfter(cursor, text, 0, text.length);
      else other.insertBefore(cursor, text, 0, text.length);
      cursor.read();
      assertEquals(entryText(), "new");
      assertEquals(contents(other), items.toSpliced(at, 0, "new"));
    }
  });
}

/** Of all sizes; one in twelve nearly fills a node of `nodeBytes` bytes. */
function randomText(random: Random, nodeBytes: number): string {
  if (random.below(12) === 0) return "n".repeat(nodeBytes - random.below(600));
  const kind = random.below(100);
  if (kind < 40) return String(random.below(2 ** random.below(32)));
  if (kind < 90) return "v".repeat(random.below(60)) + random.below(10);
  if (kind < 98) return "w".repeat(random.below(1500));
  return "p".repeat(3000 + random.below(3000));
}

/**
 * Checks the promise of `onNodeWrite` for one operation: every node that was there before and is
 * gone or different now was announced while its bytes were still the old ones.
 */
class WriteWatch {
  #before = new Map<ListNode, Uint8Array>();
  #announced = new Set<ListNode>();

  constructor(private readonly list: QuickList) {
    list.onNodeWrite = (node) => {
      const old = this.#before.get(node);
      if (old !== undefined && !this.#announced.has(node)) assertEquals(nodeBytes(node), old);
      this.#announced.add(node);
    };
  }

  begin(): void {
    this.#before.clear();
    this.#announced.clear();
    for (let node = this.list.head; node !== null; node = node.next) {
      this.#before.set(node, nodeBytes(node));
    }
  }

  end(): void {
    const now = new Set<ListNode>();
    for (let node = this.list.head; node !== null; node = node.next) now.add(node);
    for (const [node, old] of this.#before) {
      if (this.#announced.has(node)) continue;
      assert(now.has(node), "a node left the list unannounced");
      assertEquals(nodeBytes(node), old, "a node changed unannounced");
    }
  }
}

for (const [fill, most] of [[-1, 400], [-1, 1500], [-2, 400], [1, 400], [3, 400], [20, 400]]) {
  for (const seed of [1, 2]) {
    Deno.test(`quicklist: random changes agree with an array (fill ${fill}, ${most} elements, seed ${seed})`, () => {
      const random = new Random(seed * 100 + fill);
      const list = new QuickList(fill);
      const watch = new WriteWatch(list);
      const cursor = new ListCursor();
      const model: string[] = [];
      for (let step = 0; step < 2500; step++) {
        const text = randomText(random, list.nodeBytesMax);
        const src = latin1("##" + text + "#");
        const index = model.length === 0 ? 0 : random.below(model.length);
        if (step % 3 === 0) list.tidy();
        const sought = list.seek(cursor, index - (random.below(2) === 0 ? 0 : model.length));
        assertEquals(sought, model.length > 0);
        watch.begin();
        const action = random.below(model.length > most ? 12 : 20);
        if (action === 0) {
          const count = random.below(model.length > most ? 300 : 20);
          const want = model.splice(index, count).length;
          assertEquals(
            list.deleteRange(index - (random.below(2) ? 0 : model.length + want), count),
            want,
          );
        } else if (action === 1 && sought) {
          list.dropHead();
          model.shift();
        } else if (action === 2 && sought) {
          list.dropTail();
          model.pop();
        } else if (action <= 4 && sought) {
          list.removeAt(cursor);
          model.splice(index, 1);
          expectAt(index);
        } else if (action <= 6 && sought) {
          list.removeAt(cursor, true);
          model.splice(index, 1);
          expectAt(index - 1);
        } else if (action === 7 && sought) {
          list.replaceAt(cursor, src, 2, text.length);
          model[index] = text;
          expectAt(index);
        } else if (action === 8) {
          assertEquals(list.set(index, src, 2, text.length), sought);
          if (sought) model[index] = text;
        } else if (action <= 10 && sought) {
          list.insertBefore(cursor, src, 2, text.length);
          model.splice(index, 0, text);
          expectAt(index);
        } else if (action <= 12 && sought) {
          list.insertAfter(cursor, src, 2, text.length);
          model.splice(index + 1, 0, text);
          expectAt(index + 1);
        } else if (action <= 15) {
          list.pushHead(src, 2, text.length);
          model.unshift(text);
        } else {
          list.pushTail(src, 2, text.length);
          model.push(text);
        }
        watch.end();
        assertEquals(list.count, model.length);
        if (step % Math.ceil(most / 80) === 0) assertEquals(contents(list), model, `step ${step}`);
      }

      function expectAt(at: number): void {
        if (at < 0 || at >= model.length) {
          assertEquals(cursor.node, null);
          return;
        }
        cursor.read();
        assertEquals(entryText(), model[at]);
        assertEquals(cursor.next(), at + 1 < model.length);
      }
    });
  }
}

for (const fill of [-1, -2, 1, 7]) {
  Deno.test(`quicklist: many elements pushed at once lie as if pushed one by one (fill ${fill})`, () => {
    const random = new Random(fill + 50);
    const lists = [new QuickList(fill), new QuickList(fill)];
    const watch = new WriteWatch(lists[0]);
    for (let round = 0; round < 60; round++) {
      const all = Array.from(
        { length: random.below(200) },
        () => random.below(20) > 0 ? `name:${random.below(1e6)}` : randomText(random, 4096),
      );
      const bytes = latin1(all.join(""));
      const lengths = Int32Array.from(all, (text) => text.length);
      const offsets = new Int32Array(all.length);
      for (let i = 1; i < all.length; i++) offsets[i] = offsets[i - 1] + lengths[i - 1];
      const from = Math.min(2, all.length);
      const atHead = random.below(2) === 0;
      watch.begin();
      lists[0].pushAll(bytes, offsets, lengths, from, all.length, atHead);
      watch.end();
      for (let i = from; i < all.length; i++) {
        if (atHead) lists[1].pushHead(bytes, offsets[i], lengths[i]);
        else lists[1].pushTail(bytes, offsets[i], lengths[i]);
      }
      if (round % 10 !== 9) continue;
      assertEquals(contents(lists[0]), contents(lists[1]));
      const sizes = lists.map((list) => {
        const found: number[] = [];
        for (let node = list.head; node !== null; node = node.next) found.push(node.count);
        return found;
      });
      assertEquals(sizes[0], sizes[1]);
    }
  });
}

for (const fill of [-1, 3, 50]) {
  Deno.test(`quicklist: an element goes from one end to the other where there is room (fill ${fill})`, () => {
    const random = new Random(fill + 9);
    const model = Array.from({ length: 300 }, () => randomText(random, 4096));
    const list = listOf(model, fill);
    const watch = new WriteWatch(list);
    let moved = 0;
    for (let n = 0; n < 1_500; n++) {
      const fromHead = Math.floor(n / 200) % 2 === 0;
      const text = (fromHead ? model.shift() : model.pop())!;
      watch.begin();
      if (list.rotate(fromHead, text.length)) moved++;
      else {
        const bytes = latin1(text);
        if (fromHead) list.pushTail(bytes, 0, bytes.length);
        else list.pushHead(bytes, 0, bytes.length);
        if (fromHead) list.dropHead();
        else list.dropTail();
      }
      watch.end();
      if (fromHead) model.push(text);
      else model.unshift(text);
      if (n % 250 === 0) assertEquals(contents(list), model, `${n}`);
    }
    assertEquals(contents(list), model);
    assert(moved > 300, `${moved}`);
    const alone = listOf(["a"], fill);
    assert(!alone.rotate(true, 1) && !new QuickList().rotate(false, 1));
    assertEquals(contents(alone), ["a"]);
  });
}

Deno.test("quicklist: new nodes take the generation of the list", () => {
  const list = listOf(numbered(2000), 100);
  list.generation = 7;
  push(list, "new");
  assertEquals(list.head!.generation, 0);
  assertEquals(list.tail!.generation, 7);
  const cursor = new ListCursor();
  list.seek(cursor, 150);
  list.insertBefore(cursor, latin1("x"), 0, 1); // splits the second node
  assertEquals(list.head!.next!.generation, 0);
  assertEquals(list.head!.next!.next!.generation, 7);
});

Deno.test("quicklist: elements far from each other are found again after every kind of change", () => {
  const random = new Random(77);
  const list = new QuickList(4);
  const model: string[] = [];
  const put = (text: string) => latin1(text);
  for (let i = 0; i < 600; i++) {
    model.push(`e${i}`);
    const bytes = put(`e${i}`);
    list.pushTail(bytes, 0, bytes.length);
  }
  const cursor = new ListCursor();
  for (let round = 0; round < 400; round++) {
    for (let seek = 0; seek < 8; seek++) {
      const index = random.below(model.length);
      assert(list.seek(cursor, index));
      cursor.read();
      assertEquals(entryText(), model[index], `round ${round}, index ${index}`);
    }
    const bytes = put(`n${round}`);
    const at = random.below(model.length);
    switch (round % 8) {
      case 0:
        list.pushTail(bytes, 0, bytes.length);
        model.push(`n${round}`);
        break;
      case 1:
        list.pushHead(bytes, 0, bytes.length);
        model.unshift(`n${round}`);
        break;
      case 2:
        list.dropHead();
        model.shift();
        break;
      case 3:
        list.dropTail();
        model.pop();
        break;
      case 4:
        list.seek(cursor, at);
        list.insertBefore(cursor, bytes, 0, bytes.length);
        model.splice(at, 0, `n${round}`);
        break;
      case 5:
        list.seek(cursor, at);
        list.removeAt(cursor);
        model.splice(at, 1);
        break;
      case 6:
        list.set(at, bytes, 0, bytes.length);
        model[at] = `n${round}`;
        break;
      case 7:
        list.deleteRange(at, 3);
        model.splice(at, 3);
    }
  }
});
