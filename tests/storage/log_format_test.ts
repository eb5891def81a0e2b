import { assert, assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../packraft/byte_writer.ts";
import { crc32 } from "../../packraft/crc32.ts";
import {
  decodeFileHeader,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  RecordFormat,
  SECTOR_BYTES,
} from "../../src/storage/log_format.ts";
import { buildLog, DIRECTORY_ID, entry, IDENTITY, persist, seededRandom } from "./log_fixture.ts";

Deno.test("encodeFileHeader() writes what decodeFileHeader() reads", () => {
  const bytes = encodeFileHeader({ ...IDENTITY, node: 2 ** 40 + 3 });
  assertEquals(bytes.length, FILE_HEADER_BYTES);
  assertEquals(decodeFileHeader(bytes), { kind: "valid", identity: { ...IDENTITY, node: 2 ** 40 + 3 } });
});

Deno.test("encodeFileHeader() refuses a directory id of another length", () => {
  assertThrows(() => encodeFileHeader({ ...IDENTITY, directoryId: new Uint8Array(15) }), RangeError, "15 B");
});

Deno.test("decodeFileHeader() names a newer version only if the checksum vouches for it", () => {
  const bytes = encodeFileHeader(IDENTITY);
  bytes[9] = 3;
  assertEquals(decodeFileHeader(bytes).kind, "invalid");
  new DataView(bytes.buffer).setUint32(508, crc32(bytes.subarray(0, 508)));
  assertEquals(decodeFileHeader(bytes), { kind: "otherVersion", version: 3 });
});

Deno.test("decodeFileHeader() notices every flip of a bit and every cut", () => {
  const bytes = encodeFileHeader(IDENTITY);
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      assertEquals(decodeFileHeader(flipped).kind, "invalid", `byte ${at} bit ${bit}`);
    }
    assertEquals(decodeFileHeader(bytes.subarray(0, at)).kind, "invalid", `${at} bytes`);
  }
});

Deno.test("a record is valid at its own place and in its own file only", () => {
  const format = new RecordFormat(DIRECTORY_ID);
  const writer = new ByteWriter();
  format.writeEntry(writer, 1024, 512, entry(1, 1, 20));
  const record = writer.finish();
  const file = new Uint8Array(4096);
  file.set(record, 1024);
  file.set(record, 2048);
  const view = new DataView(file.buffer);
  assertEquals(format.readHeader(file, view, 1024)?.syncedBytes, 512);
  assertEquals(format.readHeader(file, view, 2048), undefined);
  const other = new RecordFormat(DIRECTORY_ID.map((byte) => byte ^ 1));
  assertEquals(other.readHeader(file, view, 1024), undefined);
});

Deno.test("no sector that was written is all zeros, nor becomes so by a change of one byte", () => {
  const random = seededRandom(11);
  for (let round = 0; round < 200; round++) {
    // Zeros are what a client can best confuse a missing sector with; lengths move the boundaries about.
    const entries = [0, 1, 2].map((i) => entry(i + 1, 1, new Uint8Array(Math.floor(random() * 2500))));
    const { bytes } = buildLog([persist({ currentTerm: 1, votedFor: 0 }, ...entries)]);
    for (let start = FILE_HEADER_BYTES; start < bytes.length; start += SECTOR_BYTES) {
      const used = bytes.subarray(start, start + SECTOR_BYTES).filter((byte) => byte !== 0).length;
      assert(used >= 2, `sector at ${start} of ${bytes.length} has ${used} bytes that are not zero`);
    }
  }
});

Deno.test("readBody() gives back the bytes of large bodies at every alignment", () => {
  const format = new RecordFormat(DIRECTORY_ID);
  for (let shift = 0; shift < 512; shift += 8) {
    const data = Uint8Array.from({ length: 3000 }, (_, i) => i % 251);
    const writer = new ByteWriter();
    writer.raw(new Uint8Array(FILE_HEADER_BYTES + shift));
    format.writeEntry(writer, writer.length, FILE_HEADER_BYTES, entry(1, 1, data));
    const bytes = writer.finish();
    const before = bytes.slice();
    const view = new DataView(bytes.buffer);
    const header = format.readHeader(bytes, view, FILE_HEADER_BYTES + shift);
    assert(header !== undefined && format.isBodyIntact(bytes, view, FILE_HEADER_BYTES + shift, header));
    const body = format.readBody(bytes, FILE_HEADER_BYTES + shift, header);
    assertEquals(body.slice(body.length - data.length), data);
    assertEquals(bytes, before, "the file's bytes are left as they are");
  }
});
