/**
 * What kind of machine an executable is for, read from the file's first bytes: for executables that cannot
 * be tried out where they are built.
 *
 *     ELF     7F 'E' 'L' 'F', class (2: 64 bit) … machine at 18, program headers, one of them with the
 *             path of the loader, which tells the C library
 *     Mach-O  CF FA ED FE, CPU type at 4
 *     PE      'M' 'Z' … at 60 the offset of 'P' 'E' 0 0, machine behind it
 */

/** A 64-bit executable's system and processor. */
export interface ExecutableFormat {
  system: "linux" | "linux-musl" | "macos" | "windows";
  architecture: "x64" | "arm64";
}

const ELF_MACHINES: Record<number, "x64" | "arm64"> = { 62: "x64", 183: "arm64" };
const MACH_O_TYPES: Record<number, "x64" | "arm64"> = { 0x01000007: "x64", 0x0100000c: "arm64" };
const PE_MACHINES: Record<number, "x64" | "arm64"> = { 0x8664: "x64", 0xaa64: "arm64" };

/** An ELF program header that names the loader. */
const PT_INTERP = 3;

/** The format of a file with these first bytes (4 KB are enough), or null when it is none of them. */
export function formatOf(head: Uint8Array<ArrayBuffer>): ExecutableFormat | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  try {
    if (view.getUint32(0) === 0x7f454c46) return elfFormat(head, view);
    if (view.getUint32(0) === 0xcffaedfe) {
      return format("macos", MACH_O_TYPES[view.getUint32(4, true)]);
    }
    if (view.getUint16(0) === 0x4d5a) {
      const at = view.getUint32(60, true);
      if (view.getUint32(at) !== 0x50450000) return null;
      return format("windows", PE_MACHINES[view.getUint16(at + 4, true)]);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // shorter than its own header says
  }
  return null;
}

function elfFormat(head: Uint8Array<ArrayBuffer>, view: DataView): ExecutableFormat | null {
  const [is64Bit, isLittleEndian] = [view.getUint8(4) === 2, view.getUint8(5) === 1];
  if (!is64Bit || !isLittleEndian) return null;
  const headers = Number(view.getBigUint64(32, true));
  const [size, count] = [view.getUint16(54, true), view.getUint16(56, true)];
  let loader = "";
  for (let at = headers; at < headers + size * count; at += size) {
    if (view.getUint32(at, true) !== PT_INTERP) continue;
    const from = Number(view.getBigUint64(at + 8, true));
    const length = Number(view.getBigUint64(at + 32, true));
    if (from + length > head.length) throw new RangeError("the loader's name lies further behind");
    loader = new TextDecoder().decode(head.subarray(from, from + length));
  }
  if (loader === "") return null;
  const system = loader.includes("ld-musl") ? "linux-musl" : "linux";
  return format(system, ELF_MACHINES[view.getUint16(18, true)]);
}

function format(
  system: ExecutableFormat["system"],
  architecture: ExecutableFormat["architecture"] | undefined,
): ExecutableFormat | null {
  return architecture === undefined ? null : { system, architecture };
}

/** The format of a file; null when it is none that is known. */
export async function formatOfFile(path: string): Promise<ExecutableFormat | null> {
  using file = await Deno.open(path);
  const head = new Uint8Array(4_096);
  const count = await file.read(head) ?? 0;
  return formatOf(head.slice(0, count));
}
