/** A folder for one test, removed at its end: `using folder = new WorkFolder()`. */

export class WorkFolder {
  readonly path = Deno.makeTempDirSync({ prefix: "tsredis-test-" });

  /** The path of something in it. */
  at(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Writes a file; returns its path. */
  write(name: string, bytes: Uint8Array | string): string {
    const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    Deno.writeFileSync(this.at(name), data);
    return this.at(name);
  }

  /** The names in it, sorted. */
  get names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
