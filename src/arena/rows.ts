/**
 * Rows of integers that refer to each other by number, and an index to find them by a hash: what tables
 * of many small things are made of (links.ts). Both grow by a page or a chain at a time, so that no
 * single addition has to move much of what is there.
 */

const PAGE_SHIFT = 16;
const PAGE_ROWS = 1 << PAGE_SHIFT;
const PAGE_MASK = PAGE_ROWS - 1;
/** The first page begins with so many rows, and doubles until it is as large as the others. */
const FIRST_ROWS = 256;

/** Rows of `fields` 32-bit integers. Row 0 is never given out: it stands for none. */
export class Rows {
  /** How many rows are in use. */
  count = 0;
  /** All rows in use are below. */
  end = 1;
  readonly #pages: Int32Array[] = [];
  /** The first of them: most tables have no other. */
  #first = new Int32Array(0);
  #capacity = 0;
  /** The first row of those given back, each of which names the next one in its last field. */
  #free = 0;

  constructor(readonly fields: number) {}

  /** Memory in bytes; what lies behind the rows in use has never been written, and takes none. */
  get memoryBytes(): number {
    return this.end * this.fields * 4;
  }

  get(row: number, field: number): number {
    if (row < PAGE_ROWS) return this.#first[row * this.fields + field];
    return this.#pages[row >>> PAGE_SHIFT][(row & PAGE_MASK) * this.fields + field];
  }

  set(row: number, field: number, value: number): void {
    if (row < PAGE_ROWS) this.#first[row * this.fields + field] = value;
    else this.#pages[row >>> PAGE_SHIFT][(row & PAGE_MASK) * this.fields + field] = value;
  }

  /** A row of zeros. @throws RangeError when there is no memory for it */
  take(): number {
    let row = this.#free;
    if (row !== 0) {
      this.#free = this.get(row, this.fields - 1);
      this.set(row, this.fields - 1, 0);
    } else {
      row = this.end;
      if (row >= this.#capacity) this.#grow();
      this.end++;
    }
    this.count++;
    return row;
  }

  #grow(): void {
    const isFirst = this.#capacity < PAGE_ROWS;
    const rows = isFirst ? Math.max(this.#capacity * 2, FIRST_ROWS) : PAGE_ROWS;
    const page = new Int32Array(rows * this.fields);
    if (this.#capacity > 0 && isFirst) page.set(this.#pages.pop()!);
    this.#pages.push(page);
    if (this.#pages.length === 1) this.#first = page;
    this.#capacity = isFirst ? rows : this.#capacity + rows;
  }

  /** Gives a row back; it is all zeros but for its last field. */
  give(row: number): void {
    for (let field = 0; field < this.fields - 1; field++) this.set(row, field, 0);
    this.set(row, this.fields - 1, this.#free);
    this.#free = row;
    this.count--;
  }
}

/**
 * Finds rows by their hash: chains through a field of the rows. There are about as many chains as rows;
 * with each row that is added one chain is split in two (linear hashing):
 *
 *     chain = hash & mask, or where that one is not there yet, hash & (mask >>> 1)
 *
 * @see {@link https://en.wikipedia.org/wiki/Linear_hashing}
 */
export class RowIndex {
  /** The first row of each chain, as rows of one field; chain n is row n + 1. */
  readonly #heads = new Rows(1);
  /** How many chains there are, and the mask that reaches the last of them. */
  #chains = 1;
  #mask = 0;
  #count = 0;

  /** The rows' chains go through their field `next`. */
  constructor(
    readonly rows: Rows,
    readonly next: number,
    readonly hashOf: (row: number) => number,
  ) {
    this.#heads.take();
  }

  get memoryBytes(): number {
    return this.#heads.memoryBytes;
  }

  /** The first row of the chain that rows with this hash are in. */
  first(hash: number): number {
    return this.#heads.get(this.#chainOf(hash) + 1, 0);
  }

  #chainOf(hash: number): number {
    const chain = hash & this.#mask;
    return chain < this.#chains ? chain : hash & (this.#mask >>> 1);
  }

  add(row: number): void {
    if (++this.#count > this.#chains) this.#split();
    this.#put(row, this.#chainOf(this.hashOf(row)));
  }

  #put(row: number, chain: number): void {
    this.rows.set(row, this.next, this.#heads.get(chain + 1, 0));
    this.#heads.set(chain + 1, 0, row);
  }

  /** Takes out a row that is there. */
  remove(row: number): void {
    const { rows, next } = this;
    const head = this.#chainOf(this.hashOf(row)) + 1;
    const first = this.#heads.get(head, 0);
    if (first === row) this.#heads.set(head, 0, rows.get(row, next));
    else {
      let before = first;
      while (rows.get(before, next) !== row) before = rows.get(before, next);
      rows.set(before, next, rows.get(row, next));
    }
    this.#count--;
  }

  /** One chain more: it takes its part of an older one. */
  #split(): void {
    const { rows, next } = this;
    const chain = this.#chains++;
    if (chain > this.#mask) this.#mask = this.#mask * 2 + 1;
    if (chain + 1 >= this.#heads.end) this.#heads.take();
    const older = chain & (this.#mask >>> 1);
    let row = this.#heads.get(older + 1, 0);
    this.#heads.set(older + 1, 0, 0);
    while (row !== 0) {
      const after = rows.get(row, next);
      this.#put(row, this.#chainOf(this.hashOf(row)));
      row = after;
    }
  }
}
