/**
 * Frames that a sender of ours would not make.
 *
 * @module
 */
import { ByteWriter, crc32 } from "../../packraft/mod.ts";

/** A frame with a right header and checksum about whatever body, of whatever type. */
export function framed(type: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.raw(new TextEncoder().encode("pkrf"));
  writer.u8(1);
  writer.u8(type);
  writer.u16(0);
  writer.u32(body.length);
  writer.u32(crc32(body, crc32(writer.view(4))));
  writer.raw(body);
  return writer.finish();
}
