import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ByteWriter } from "../../packraft/byte_writer.ts";
import type { HardState, Persist } from "../../src/raft/types.ts";
import { FILE_HEADER_BYTES, SECTOR_BYTES } from "../../src/storage/file_header.ts";
import { LogContent } from "../../src/storage/log_content.ts";
import { RecordFormat } from "../../src/storage/log_format.ts";
import { replaySegment, SegmentReader } from "../../src/storage/segment_reader.ts";
import {
  buildSegment,
  describe,
  DIRECTORY_ID,
  entry,
  FIRST_HEADER,
  NOTHING,
  persist,
  type Remembered,
  seededRandom,
  statesAfterEachRecord,
} from "./log_fixture.ts";

interface Recovered extends Remembered {
  readonly validBytes: number;
  readonly verdict: "sealed" | "whole" | "torn" | "damaged";
  readonly problem: string | undefined;
}

const BATCHES: readonly Persist[] = [
  persist({ currentTerm: 1, votedFor: 2 }),
  persist(undefined, entry(1, 1, 30), entry(2, 1, 700), entry(3, 1, 9)),
  persist({ currentTerm: 2, votedFor: 0 }, entry(2, 2, 12)),
  // The last batch holds whole sectors of a client's zeros.
  persist(undefined, entry(3, 2, 5), entry(4, 2, new Uint8Array(1700)), entry(5, 2, 40)),
];

function recover(bytes: Uint8Array, vouchedBytes?: number): Recovered {
  const content = new LogContent({ index: 0, term: 0 });
  const { endBytes, fault } = replaySegment(new SegmentReader(bytes, FIRST_HEADER, vouchedBytes), content);
  return {
    hardState: content.hardState,
    log: content.entries,
    validBytes: endBytes,
    verdict: fault?.kind ?? (content.isSealed ? "sealed" : "whole"),
    problem: fault?.problem,
  };
}

/** Where the damage is that must be found. */
function damageOf(bytes: Uint8Array, says = "", message = ""): number {
  const { verdict, validBytes, problem } = recover(bytes);
  assertEquals(verdict, "damaged", message);
  assertStringIncludes(problem ?? "", says, message);
  return validBytes;
}

/** The start of the record that byte `at` lies in. */
function recordAt(recordStarts: readonly number[], at: number): number {
  return recordStarts.findLast((start) => start <= at) ?? 0;
}

Deno.test("replaySegment() returns what was written, truncation included", () => {
  const { bytes } = buildSegment(BATCHES);
  const log = recover(bytes);
  assertEquals(describe(log), describe(statesAfterEachRecord(NOTHING, BATCHES).at(-1) ?? NOTHING));
  assertEquals(log.log.map(({ index, term }) => [index, term]), [[1, 1], [2, 2], [3, 2], [4, 2], [5, 2]]);
  assertEquals([log.validBytes, log.verdict, log.problem], [bytes.length, "whole", undefined]);
});

Deno.test("replaySegment() of an empty log returns term 0 and no entries", () => {
  const log = recover(buildSegment([]).bytes);
  assertEquals(describe(log), describe(NOTHING));
  assertEquals(log.verdict, "whole");
});

Deno.test("replaySegment() knows a log that was sealed", () => {
  assertEquals(recover(buildSegment(BATCHES, { sealed: true }).bytes).verdict, "sealed");
});

Deno.test("torn-tail: cut at every byte, a log keeps every whole record before the cut", () => {
  const { bytes, recordStarts } = buildSegment(BATCHES);
  const states = statesAfterEachRecord(NOTHING, BATCHES).map(describe);
  for (let size = FILE_HEADER_BYTES; size <= bytes.length; size++) {
    const log = recover(bytes.subarray(0, size));
    const whole = recordStarts.filter((start) => start > FILE_HEADER_BYTES && start <= size).length;
    assertEquals(describe(log), states[whole], `cut at ${size}`);
    assertEquals(log.validBytes, recordStarts[whole], `cut at ${size}`);
    assertEquals(log.verdict, log.validBytes === size ? "whole" : "torn");
  }
});

Deno.test("every change of every single byte is refused, in the last batch too, and names its record", () => {
  for (const sealed of [false, true]) {
    const { bytes, recordStarts } = buildSegment(BATCHES, { sealed });
    for (let at = FILE_HEADER_BYTES; at < bytes.length; at++) {
      const was = bytes[at] ?? 0;
      for (const becomes of [...[0, 1, 2, 3, 4, 5, 6, 7].map((bit) => was ^ (1 << bit)), 0x00, 0xff]) {
        if (becomes === was) continue;
        bytes[at] = becomes;
        const message = `byte ${at}: ${becomes}`;
        assertEquals(damageOf(bytes, "", message), recordAt(recordStarts, at), message);
      }
      bytes[at] = was;
    }
  }
});

Deno.test("reordered-append: any set of sectors of the last batch may be missing, earlier batches are kept", () => {
  const { bytes, recordStarts, batchStarts } = buildSegment(BATCHES);
  const states = statesAfterEachRecord(NOTHING, BATCHES).map(describe);
  const last = batchStarts.at(-2) ?? 0;
  const sectors: [number, number][] = [];
  for (let start = last; start < bytes.length;) {
    const end = Math.min(bytes.length, (Math.floor(start / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    sectors.push([start, end]);
    start = end;
  }
  assert(sectors.length >= 4);
  for (let missing = 0; missing < 2 ** sectors.length; missing++) {
    const torn = bytes.slice();
    sectors.forEach(([start, end], i) => (missing >> i) & 1 && torn.fill(0, start, end));
    const firstHit = sectors.find((_, i) => (missing >> i) & 1)?.[0] ?? bytes.length;
    const cut = recordAt(recordStarts, firstHit);
    const log = recover(torn);
    assertEquals(log.validBytes, cut, `missing ${missing.toString(2)}`);
    assertEquals(describe(log), states[recordStarts.indexOf(cut)]);
  }
});

Deno.test("reordered-append: a missing sector of a batch that has a later batch behind it is refused", () => {
  const { bytes, batchStarts, recordStarts } = buildSegment(BATCHES);
  const lastBatch = batchStarts.at(-2) ?? 0;
  for (let start = FILE_HEADER_BYTES; start + SECTOR_BYTES <= lastBatch; start += SECTOR_BYTES) {
    const damaged = bytes.slice();
    damaged.fill(0, start, start + SECTOR_BYTES);
    assertEquals(damageOf(damaged, "proves that it was durable"), recordAt(recordStarts, start));
  }
});

Deno.test("a sealed log is refused where an unsealed one would be cut", () => {
  const { bytes, batchStarts } = buildSegment(BATCHES, { sealed: true });
  const lastBatch = batchStarts.at(-3) ?? 0;
  bytes.fill(0, lastBatch, Math.ceil(lastBatch / SECTOR_BYTES) * SECTOR_BYTES);
  damageOf(bytes, "proves that it was durable");
});

Deno.test("length-field-flip: an overlong length in the middle of the file cannot hide what follows", () => {
  const { bytes, recordStarts } = buildSegment(BATCHES);
  for (const start of recordStarts.slice(0, -1)) {
    for (const length of [0, 1, 0x7fffffff, 0xffffffff, bytes.length - start]) {
      const damaged = bytes.slice();
      new DataView(damaged.buffer).setUint32(start + 4, length);
      assertEquals(damageOf(damaged), start);
    }
  }
});

Deno.test("mid-log-flip: a witness need not be undamaged itself, its header is enough", () => {
  const { bytes, recordStarts } = buildSegment(BATCHES);
  const [first = 0, second = 0] = recordStarts;
  bytes.fill(0, first, second);
  for (const start of recordStarts.slice(1, -1)) bytes[start + 24] = (bytes[start + 24] ?? 0) ^ 0x40;
  assertEquals(damageOf(bytes, "proves"), first);
});

Deno.test("a value that holds copies of the log's own records changes no verdict", () => {
  const inner = buildSegment(BATCHES).bytes;
  // A client that knew the whole file could place its records at every alignment: they are valid nowhere else.
  const value = new Uint8Array(inner.length + 8);
  value.set(inner, 3);
  const batches = [
    persist({ currentTerm: 1, votedFor: 1 }),
    persist(undefined, entry(1, 1, value), entry(2, 1, value)),
  ];
  const { bytes, recordStarts } = buildSegment(batches);
  assertEquals(recover(bytes).log[1]?.data, value);
  for (let size = FILE_HEADER_BYTES; size < bytes.length; size += 5) {
    assertEquals(recover(bytes.subarray(0, size)).validBytes, recordAt(recordStarts, size));
  }
});

Deno.test("any bytes after a valid header are a log, a torn log, or refused: nothing else", () => {
  const random = seededRandom(3);
  const verdicts = new Set<string>();
  for (let round = 0; round < 2000; round++) {
    const { bytes } = buildSegment(BATCHES);
    for (let changes = Math.floor(random() * 6); changes >= 0; changes--) {
      const start = FILE_HEADER_BYTES + Math.floor(random() * (bytes.length - FILE_HEADER_BYTES));
      const end = start + Math.floor(random() ** 3 * 1500);
      if (random() < 0.3) bytes.fill(0, start, end);
      else bytes.subarray(start, end + 1).forEach((_, i, part) => (part[i] = Math.floor(random() * 256)));
    }
    verdicts.add(recover(bytes.subarray(0, bytes.length - Math.floor(random() ** 8 * 400))).verdict);
  }
  assertEquals([...verdicts].sort(), ["damaged", "torn", "whole"]);
});

Deno.test("a record that is missing, doubled or in another's place is noticed by the one after it", () => {
  // Records of one length, so that each fits into the place of the other; none of their own checks notices.
  const format = new RecordFormat(DIRECTORY_ID, 1);
  const writer = new ByteWriter();
  writer.raw(buildSegment([]).bytes);
  const first = format.writeEntry(
    writer,
    { fileOffset: 512, syncedBytes: 512, previousCrc: 0 },
    entry(1, 1, 20),
  );
  const second = writer.length;
  format.writeEntry(writer, { fileOffset: second, syncedBytes: second, previousCrc: first }, entry(2, 1, 20));
  const sound = writer.finish();
  assertEquals(recover(sound).verdict, "whole");
  const other = new ByteWriter();
  other.raw(sound.subarray(0, 512));
  format.writeEntry(other, { fileOffset: 512, syncedBytes: 512, previousCrc: 0 }, entry(1, 2, 20));
  const mixed = sound.slice();
  mixed.set(other.view(512), 512);
  assertEquals(damageOf(mixed, "does not follow the one before it"), second);
});

Deno.test("a segment that has a successor is never torn", () => {
  const { bytes, recordStarts } = buildSegment(BATCHES);
  assertEquals(recover(bytes, bytes.length).verdict, "whole");
  for (let size = FILE_HEADER_BYTES; size < bytes.length; size += 3) {
    const { verdict, validBytes } = recover(bytes.subarray(0, size), bytes.length);
    assertEquals([verdict, validBytes], ["damaged", recordAt(recordStarts, size)]);
  }
  const end = recordStarts.at(-3) ?? 0;
  const shorter = recover(bytes, end);
  assertEquals([shorter.verdict, shorter.validBytes], ["whole", end], "what is behind its end is void");
  assertStringIncludes(recover(bytes, end - 8).problem ?? "", `ends at byte ${end - 8}`);
});

interface Contradiction {
  readonly name: string;
  /** Each is written behind the one before, with its mark or at 512. */
  readonly records:
    readonly (readonly [record: HardState | ReturnType<typeof entry> | number, mark?: number])[];
  readonly says: string;
}

const CONTRADICTIONS: readonly Contradiction[] = [
  { name: "a gap between entries", records: [[entry(2, 1)]], says: "entry 2 where 1 was next" },
  { name: "an entry at index 0", records: [[entry(0, 1)]], says: "entry 0 where 1 was next" },
  {
    name: "a term that goes back from one entry to the next",
    records: [[entry(1, 3)], [entry(2, 2)]],
    says: "entry 2 of term 2 after one of term 3",
  },
  {
    name: "a currentTerm that goes back",
    records: [[{ currentTerm: 4, votedFor: 1 }], [{ currentTerm: 3, votedFor: 0 }]],
    says: "term 3 after term 4",
  },
  {
    name: "a mark above the record's own place",
    records: [[{ currentTerm: 1, votedFor: 1 }, 9999]],
    says: "mark 9999 is not within 512 to 512",
  },
  {
    name: "a mark that goes back",
    records: [[entry(1, 1)], [entry(2, 1), 552], [entry(3, 1), 512]],
    says: "mark 512 is not within 552 to",
  },
  {
    name: "a seal at another index than the last",
    records: [[7]],
    says: "sealed at index 7, but the log ends at 0",
  },
];

for (const { name, records, says } of CONTRADICTIONS) {
  Deno.test(`replaySegment() takes ${name} for damage`, () => {
    const format = new RecordFormat(DIRECTORY_ID, 1);
    const writer = new ByteWriter();
    writer.raw(buildSegment([]).bytes);
    let previousCrc = 0;
    for (const [record, syncedBytes = 512] of records) {
      const place = { fileOffset: writer.length, syncedBytes, previousCrc };
      if (typeof record === "number") previousCrc = format.writeSealed(writer, place, record);
      else if ("index" in record) previousCrc = format.writeEntry(writer, place, record);
      else previousCrc = format.writeHardState(writer, place, record);
    }
    damageOf(writer.finish(), says);
  });
}
