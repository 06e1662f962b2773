import { assert, assertEquals } from "@std/assert";
import { Holder, Links } from "../../src/arena/links.ts";
import { latin1, toLatin1 } from "../../src/base/bytes.ts";
import { Random } from "../support/random.ts";

function link<M>(links: Links<M>, holder: Holder<M>, text: string): number {
  const bytes = latin1(`<${text}>`);
  return links.link(holder, bytes, 1, text.length);
}

function find<M>(links: Links<M>, text: string): number {
  const bytes = latin1(`<${text}>`);
  return links.find(bytes, 1, text.length);
}

const textOf = <M>(links: Links<M>, name: number) => toLatin1(links.copyOf(name));

/** Who is attached to a name, in order. */
function membersOf<M>(links: Links<M>, text: string): M[] {
  const members: M[] = [];
  const name = find(links, text);
  if (name === 0) return members;
  for (let at = links.firstOf(name); at !== 0; at = links.nextOf(at)) {
    members.push(links.memberOf(at));
  }
  assertEquals(members.length, links.countOf(name));
  return members;
}

/** The names that a holder is attached to, in order. */
function namesOf<M>(links: Links<M>, holder: Holder<M>): string[] {
  const names: string[] = [];
  for (let at = holder.first; at !== 0; at = links.nextBy(at)) {
    names.push(textOf(links, links.nameOf(at)));
  }
  assertEquals(names.length, holder.count);
  return names;
}

Deno.test("Links knows who is attached to which name, as two maps of arrays do", () => {
  const gone: number[] = [];
  const links = new Links<number>((tag) => gone.push(tag));
  const holders = Array.from({ length: 12 }, (_, i) => new Holder(i));
  const byName = new Map<string, number[]>();
  const byHolder = holders.map((): string[] => []);
  const random = new Random(5);
  const end = (text: string, i: number) => {
    byName.set(text, byName.get(text)!.filter((each) => each !== i));
    byHolder[i] = byHolder[i].filter((each) => each !== text);
  };
  for (let step = 0; step < 20_000; step++) {
    const i = random.below(holders.length);
    const text = "n".repeat(random.below(40)) + random.below(60);
    const members = byName.get(text) ?? [];
    const isLinked = members.includes(i);
    const action = random.below(100);
    if (action === 0) {
      links.unlinkAll(holders[i]);
      for (const each of byHolder[i]) end(each, i);
    } else if (action < 50) {
      assertEquals(link(links, holders[i], text) === 0, isLinked);
      if (!isLinked) {
        byName.set(text, [...members, i]);
        byHolder[i].push(text);
      }
    } else {
      const name = find(links, text);
      const found = name === 0 ? 0 : links.linkOf(holders[i], name);
      assertEquals(found !== 0, isLinked);
      if (found !== 0) {
        links.unlink(found);
        end(text, i);
      }
    }
    if (step % 50 === 0) {
      assertEquals(membersOf(links, text), byName.get(text) ?? []);
      assertEquals(namesOf(links, holders[i]), byHolder[i]);
    }
  }
  const names: string[] = [];
  for (let name = links.nameAfter(0); name !== 0; name = links.nameAfter(name)) {
    names.push(textOf(links, name));
  }
  const expected = [...byName].filter(([, members]) => members.length > 0).map(([text]) => text);
  assertEquals(names.sort(), expected.sort());
  assertEquals(links.nameCount, names.length);
  for (const holder of holders) links.unlinkAll(holder);
  assertEquals([links.nameCount, links.linkCount], [0, 0]);
  assertEquals(holders.map(({ count, sizeBytes, slot }) => [count, sizeBytes, slot]), [
    ...holders.map(() => [0, 0, -1]),
  ]);
  assert(gone.length > 100);
});

Deno.test("Links keeps names of all lengths apart, and gives their memory back", () => {
  const links = new Links<string>();
  const holder = new Holder("a");
  const lengths = [0, 1, 3, 4, 5, 11, 12, 13, 262_131, 262_132, 262_133, 300_000, 5_000_000];
  for (const length of lengths) link(links, holder, "x".repeat(length));
  assert(links.memoryBytes > 6_000_000);
  assertEquals(namesOf(links, holder).map((name) => name.length), lengths);
  for (const length of lengths) links.unlink(links.linkOf(holder, find(links, "x".repeat(length))));
  assertEquals(holder.sizeBytes, 0);
  assert(links.memoryBytes < 2_500_000);
});

Deno.test("Links with few left of many keep order, tags and marks, and little memory", () => {
  const links = new Links<string>();
  const [few, many, third] = ["few", "many", "third"].map((name) => new Holder(name));
  const kept = Array.from({ length: 50 }, (_, i) => `kept:${i * 7919 % 50}`);
  for (const [i, name] of kept.entries()) {
    for (let n = 0; n < 2000; n++) link(links, many, `name:${i}:${n}`);
    const made = link(links, few, name);
    links.setMark(made, i % 2 === 1);
    links.setTag(links.nameOf(made), i + 1);
    link(links, many, name);
    link(links, third, name);
  }
  const before = links.memoryBytes;
  assert(before < 100_000 * 120, String(before));
  assertEquals(links.renewals, 0);
  links.unlinkAll(many);
  assert(links.renewals > 0);
  assert(links.memoryBytes < before / 20);
  assertEquals(namesOf(links, few), kept);
  assertEquals(namesOf(links, third), kept);
  let at = few.first;
  for (const [i, name] of kept.entries()) {
    assertEquals(membersOf(links, name), ["few", "third"]);
    assertEquals(links.isMarked(at), i % 2 === 1);
    assertEquals(links.tagOf(links.nameOf(at)), i + 1);
    at = links.nextBy(at);
  }
});

Deno.test("a holder's size is about what its links take", () => {
  const links = new Links<string>();
  const holder = new Holder("a");
  for (let i = 0; i < 100_000; i++) link(links, holder, `channel:${i}`);
  assert(holder.sizeBytes > links.memoryBytes * 0.7, `${holder.sizeBytes} ${links.memoryBytes}`);
  assert(holder.sizeBytes < links.memoryBytes * 1.05, `${holder.sizeBytes} ${links.memoryBytes}`);
  assert(holder.sizeBytes < 100_000 * 110);
});
