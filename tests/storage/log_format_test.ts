import { assert, assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../packraft/byte_writer.ts";
import { crc32 } from "../../packraft/crc32.ts";
import { FILE_HEADER_BYTES, FORMAT_VERSION, SECTOR_BYTES } from "../../src/storage/file_header.ts";
import { RecordFormat } from "../../src/storage/log_format.ts";
import {
  contradictionOf,
  decodeSegmentHeader,
  encodeSegmentHeader,
} from "../../src/storage/segment_format.ts";
import { decodeSnapshotHeader, encodeSnapshotHeader } from "../../src/storage/snapshot_format.ts";
import {
  buildSegment,
  DIRECTORY_ID,
  entry,
  FIRST_HEADER,
  OWNER,
  persist,
  seededRandom,
} from "./log_fixture.ts";

const SEGMENT_HEADER = {
  owner: { ...OWNER, node: 2 ** 40 + 3, place: 2 ** 52 + 9 },
  sequence: 12,
  firstIndex: 2 ** 33,
  baseTerm: 17,
  previousSequence: 9,
  previousBytes: 2 ** 34 + 1,
  previousCrc: 0xfedcba98,
};
const SNAPSHOT_HEADER = { owner: OWNER, position: { index: 2 ** 35, term: 4 } };

Deno.test("file headers are read as they were written", () => {
  const segment = encodeSegmentHeader(SEGMENT_HEADER);
  assertEquals(segment.length, FILE_HEADER_BYTES);
  assertEquals(decodeSegmentHeader(segment), { kind: "valid", header: SEGMENT_HEADER });
  const snapshot = encodeSnapshotHeader(SNAPSHOT_HEADER);
  assertEquals(decodeSnapshotHeader(snapshot), { kind: "valid", header: SNAPSHOT_HEADER });
  assertEquals(decodeSnapshotHeader(segment).kind, "invalid", "one kind of file is not taken for another");
});

Deno.test("the numbers of a segment header are where docs/data-directory.md says", () => {
  const view = new DataView(encodeSegmentHeader(SEGMENT_HEADER).buffer);
  assertEquals([view.getUint16(8), view.getUint32(36), view.getUint32(44)], [3, 3, 9]);
  assertEquals([52, 60, 68, 76, 84].map((at) => view.getUint32(at)), [12, 0, 17, 9, 1]);
  assertEquals([view.getUint32(88), view.getUint8(92)], [0xfedcba98, "test-cluster".length]);
});

Deno.test("encodeSegmentHeader() refuses a directory id of another length", () => {
  const owner = { ...OWNER, directoryId: new Uint8Array(15) };
  assertThrows(() => encodeSegmentHeader({ ...SEGMENT_HEADER, owner }), RangeError, "15 B");
});

Deno.test("a header names a newer version only if the checksum vouches for it", () => {
  const bytes = encodeSegmentHeader(SEGMENT_HEADER);
  bytes[9] = FORMAT_VERSION + 1;
  assertEquals(decodeSegmentHeader(bytes).kind, "invalid");
  new DataView(bytes.buffer).setUint32(508, crc32(bytes.subarray(0, 508)));
  assertEquals(decodeSegmentHeader(bytes), { kind: "otherVersion", version: FORMAT_VERSION + 1 });
});

Deno.test("every flip of a bit of a header and every cut is noticed", () => {
  const bytes = encodeSegmentHeader(SEGMENT_HEADER);
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      assertEquals(decodeSegmentHeader(flipped).kind, "invalid", `byte ${at} bit ${bit}`);
    }
    assertEquals(decodeSegmentHeader(bytes.subarray(0, at)).kind, "invalid", `${at} bytes`);
  }
});

Deno.test("contradictionOf() refuses a header under another name, and one that follows itself", () => {
  assertEquals(contradictionOf(SEGMENT_HEADER, 12), undefined);
  assertEquals(contradictionOf(FIRST_HEADER, 1), undefined);
  assert(contradictionOf(SEGMENT_HEADER, 13)?.includes("header is that of segment 12"));
  assert(contradictionOf({ ...SEGMENT_HEADER, previousSequence: 12 }, 12)?.includes("cannot follow"));
  assert(contradictionOf({ ...SEGMENT_HEADER, previousBytes: 511 }, 12)?.includes("cannot end at byte 511"));
  assert(contradictionOf({ ...SEGMENT_HEADER, firstIndex: 0 }, 12)?.includes("index is 0"));
});

Deno.test("a record is valid at its own place, in its own segment and directory only", () => {
  const format = new RecordFormat(DIRECTORY_ID, 3);
  const writer = new ByteWriter();
  format.writeEntry(writer, { fileOffset: 1024, syncedBytes: 512, previousCrc: 5 }, entry(1, 1, 20));
  const record = writer.finish();
  const file = new Uint8Array(4096);
  file.set(record, 1024);
  file.set(record, 2048);
  const view = new DataView(file.buffer);
  assertEquals(format.readHeader(file, view, 1024)?.syncedBytes, 512);
  assertEquals(format.readHeader(file, view, 1024)?.previousCrc, 5);
  assertEquals(format.readHeader(file, view, 2048), undefined);
  assertEquals(new RecordFormat(DIRECTORY_ID, 4).readHeader(file, view, 1024), undefined);
  const other = new RecordFormat(DIRECTORY_ID.map((byte) => byte ^ 1), 3);
  assertEquals(other.readHeader(file, view, 1024), undefined);
});

Deno.test("no sector that was written is all zeros, nor becomes so by a change of one byte", () => {
  const random = seededRandom(11);
  for (let round = 0; round < 200; round++) {
    // Zeros are what a client can best confuse a missing sector with; lengths move the boundaries about.
    const entries = [0, 1, 2].map((i) => entry(i + 1, 1, new Uint8Array(Math.floor(random() * 2500))));
    const { bytes } = buildSegment([persist({ currentTerm: 1, votedFor: 0 }, ...entries)]);
    for (let start = FILE_HEADER_BYTES; start < bytes.length; start += SECTOR_BYTES) {
      const used = bytes.subarray(start, start + SECTOR_BYTES).filter((byte) => byte !== 0).length;
      assert(used >= 2, `sector at ${start} of ${bytes.length} has ${used} bytes that are not zero`);
    }
  }
});

Deno.test("readBody() gives back the bytes of large bodies at every alignment", () => {
  const format = new RecordFormat(DIRECTORY_ID, 1);
  for (let shift = 0; shift < 512; shift += 8) {
    const data = Uint8Array.from({ length: 3000 }, (_, i) => i % 251);
    const writer = new ByteWriter();
    writer.raw(new Uint8Array(FILE_HEADER_BYTES + shift));
    const place = { fileOffset: writer.length, syncedBytes: FILE_HEADER_BYTES, previousCrc: 1 };
    const crc = format.writeEntry(writer, place, entry(1, 1, data));
    const bytes = writer.finish();
    const before = bytes.slice();
    const view = new DataView(bytes.buffer);
    const header = format.readHeader(bytes, view, FILE_HEADER_BYTES + shift);
    assert(header !== undefined && format.isBodyIntact(bytes, view, FILE_HEADER_BYTES + shift, header));
    assertEquals(format.bodyCrcOf(view, FILE_HEADER_BYTES + shift, header), crc);
    const body = format.readBody(bytes, FILE_HEADER_BYTES + shift, header);
    assertEquals(body.slice(body.length - data.length), data);
    assertEquals(bytes, before, "the file's bytes are left as they are");
  }
});
