/**
 * The payload of FUNCTION DUMP: the libraries as a snapshot has them, with the footer of DUMP. For FUNCTION
 * DUMP and FUNCTION RESTORE; what a library is, is theirs.
 */

import { Crc64 } from "./crc64.ts";
import {
  DUMP_FOOTER_BYTES,
  isReadVersion,
  OPCODE_FUNCTION_2,
  OPCODE_FUNCTION_PRE_GA,
} from "./format.ts";
import { RdbError } from "./rdb_error.ts";
import { RdbReader } from "./reader.ts";
import { ChunkCollector, RdbEncoder } from "./writer.ts";

/** The payload of these sources, in the version in which functions came; `compress` is `rdbcompression`. */
export function dumpLibraries(codes: Iterable<Uint8Array>, compress: boolean): Uint8Array {
  const collector = new ChunkCollector();
  const encoder = new RdbEncoder(collector.sink, { compress, chunkBytes: 16 * 1024 });
  for (const code of codes) encoder.writeLibrary(code);
  encoder.writeDumpFooter();
  return collector.take();
}

/** The sources in a payload, or what is wrong with it. */
export function readLibraries(
  bytes: Uint8Array,
  offset: number,
  length: number,
): Uint8Array[] | string {
  if (!hasGoodFooter(bytes, offset, length)) return "DUMP payload version or checksum are wrong";
  const size = length - DUMP_FOOTER_BYTES;
  const reader = RdbReader.fromBytes(bytes, offset, size, { checksum: false });
  const codes: Uint8Array[] = [];
  try {
    while (reader.offset < size) {
      const opcode = reader.readByte();
      if (opcode === OPCODE_FUNCTION_PRE_GA) return "Pre-GA function format not supported";
      if (opcode !== OPCODE_FUNCTION_2) return "given type is not a function";
      reader.readString();
      codes.push(reader.strBuf.slice(reader.strOff, reader.strOff + reader.strLen));
    }
  } catch (error) {
    if (!(error instanceof RdbError)) throw error;
    return "Failed loading library code";
  }
  return codes;
}

function hasGoodFooter(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length < DUMP_FOOTER_BYTES) return false;
  const footer = offset + length - DUMP_FOOTER_BYTES;
  if (!isReadVersion(bytes[footer] | (bytes[footer + 1] << 8))) return false;
  const crc = new Crc64();
  crc.update(bytes, offset, length - 8);
  return crc.equalsAt(bytes, footer + 2);
}
