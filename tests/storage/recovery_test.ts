import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ByteWriter } from "../../packraft/byte_writer.ts";
import type { Persist } from "../../src/raft/types.ts";
import { CorruptLogError } from "../../src/storage/errors.ts";
import { FILE_HEADER_BYTES, RecordFormat, SECTOR_BYTES } from "../../src/storage/log_format.ts";
import { type RecoveredLog, recoverLog } from "../../src/storage/recovery.ts";
import {
  buildLog,
  describe,
  DIRECTORY_ID,
  entry,
  NOTHING,
  persist,
  seededRandom,
  statesAfterEachRecord,
} from "./log_fixture.ts";

const BATCHES: readonly Persist[] = [
  persist({ currentTerm: 1, votedFor: 2 }),
  persist(undefined, entry(1, 1, 30), entry(2, 1, 700), entry(3, 1, 9)),
  persist({ currentTerm: 2, votedFor: 0 }, entry(2, 2, 12)),
  // The last batch holds whole sectors of a client's zeros.
  persist(undefined, entry(3, 2, 5), entry(4, 2, new Uint8Array(1700)), entry(5, 2, 40)),
];

function recover(bytes: Uint8Array): RecoveredLog {
  return recoverLog("log", bytes, DIRECTORY_ID);
}

/** The start of the record that byte `at` lies in. */
function recordAt(recordStarts: readonly number[], at: number): number {
  return recordStarts.findLast((start) => start <= at) ?? 0;
}

Deno.test("recoverLog() returns what was written, truncation included", () => {
  const { bytes } = buildLog(BATCHES);
  const log = recover(bytes);
  assertEquals(describe(log), describe(statesAfterEachRecord(NOTHING, BATCHES).at(-1) ?? NOTHING));
  assertEquals(log.entries.map(({ index, term }) => [index, term]), [[1, 1], [2, 2], [3, 2], [4, 2], [5, 2]]);
  assertEquals([log.validBytes, log.verdict, log.tear], [bytes.length, "whole", undefined]);
});

Deno.test("recoverLog() of an empty log returns term 0 and no entries", () => {
  const log = recover(buildLog([]).bytes);
  assertEquals(describe(log), describe(NOTHING));
  assertEquals(log.verdict, "whole");
});

Deno.test("recoverLog() knows a log that was sealed", () => {
  assertEquals(recover(buildLog(BATCHES, { sealed: true }).bytes).verdict, "sealed");
});

Deno.test("torn-tail: cut at every byte, a log keeps every whole record before the cut", () => {
  const { bytes, recordStarts } = buildLog(BATCHES);
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
    const { bytes, recordStarts } = buildLog(BATCHES, { sealed });
    for (let at = FILE_HEADER_BYTES; at < bytes.length; at++) {
      const was = bytes[at] ?? 0;
      for (const becomes of [...[0, 1, 2, 3, 4, 5, 6, 7].map((bit) => was ^ (1 << bit)), 0x00, 0xff]) {
        if (becomes === was) continue;
        bytes[at] = becomes;
        const error = assertThrows(() => recover(bytes), CorruptLogError, "", `byte ${at}: ${becomes}`);
        assertEquals(error.offset, recordAt(recordStarts, at), `byte ${at}: ${becomes}`);
      }
      bytes[at] = was;
    }
  }
});

Deno.test("reordered-append: any set of sectors of the last batch may be missing, earlier batches are kept", () => {
  const { bytes, recordStarts, batchStarts } = buildLog(BATCHES);
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
  const { bytes, batchStarts, recordStarts } = buildLog(BATCHES);
  const lastBatch = batchStarts.at(-2) ?? 0;
  for (let start = FILE_HEADER_BYTES; start + SECTOR_BYTES <= lastBatch; start += SECTOR_BYTES) {
    const damaged = bytes.slice();
    damaged.fill(0, start, start + SECTOR_BYTES);
    const error = assertThrows(() => recover(damaged), CorruptLogError, "proves that it was durable");
    assertEquals(error.offset, recordAt(recordStarts, start));
  }
});

Deno.test("a sealed log is refused where an unsealed one would be cut", () => {
  const { bytes, batchStarts } = buildLog(BATCHES, { sealed: true });
  const lastBatch = batchStarts.at(-3) ?? 0;
  bytes.fill(0, lastBatch, Math.ceil(lastBatch / SECTOR_BYTES) * SECTOR_BYTES);
  assertThrows(() => recover(bytes), CorruptLogError, "proves that it was durable");
});

Deno.test("length-field-flip: an overlong length in the middle of the file cannot hide what follows", () => {
  const { bytes, recordStarts } = buildLog(BATCHES);
  for (const start of recordStarts.slice(0, -1)) {
    for (const length of [0, 1, 0x7fffffff, 0xffffffff, bytes.length - start]) {
      const damaged = bytes.slice();
      new DataView(damaged.buffer).setUint32(start + 4, length);
      assertEquals(assertThrows(() => recover(damaged), CorruptLogError).offset, start);
    }
  }
});

Deno.test("mid-log-flip: a witness need not be undamaged itself, its header is enough", () => {
  const { bytes, recordStarts } = buildLog(BATCHES);
  const [first = 0, second = 0] = recordStarts;
  bytes.fill(0, first, second);
  for (const start of recordStarts.slice(1, -1)) bytes[start + 20] = (bytes[start + 20] ?? 0) ^ 0x40;
  assertEquals(assertThrows(() => recover(bytes), CorruptLogError, "proves").offset, first);
});

Deno.test("a value that holds copies of the log's own records changes no verdict", () => {
  const inner = buildLog(BATCHES).bytes;
  // A client that knew the whole file could place its records at every alignment: they are valid nowhere else.
  const value = new Uint8Array(inner.length + 8);
  value.set(inner, 3);
  const batches = [
    persist({ currentTerm: 1, votedFor: 1 }),
    persist(undefined, entry(1, 1, value), entry(2, 1, value)),
  ];
  const { bytes, recordStarts } = buildLog(batches);
  assertEquals(recover(bytes).entries[1]?.data, value);
  for (let size = FILE_HEADER_BYTES; size < bytes.length; size += 5) {
    assertEquals(recover(bytes.subarray(0, size)).validBytes, recordAt(recordStarts, size));
  }
});

Deno.test("any bytes after a valid header are a log, a torn log, or refused: nothing else", () => {
  const random = seededRandom(3);
  const verdicts = new Set<string>();
  for (let round = 0; round < 2000; round++) {
    const { bytes } = buildLog(BATCHES);
    for (let changes = Math.floor(random() * 6); changes >= 0; changes--) {
      const start = FILE_HEADER_BYTES + Math.floor(random() * (bytes.length - FILE_HEADER_BYTES));
      const end = start + Math.floor(random() ** 3 * 1500);
      if (random() < 0.3) bytes.fill(0, start, end);
      else bytes.subarray(start, end + 1).forEach((_, i, part) => (part[i] = Math.floor(random() * 256)));
    }
    try {
      verdicts.add(recover(bytes.subarray(0, bytes.length - Math.floor(random() ** 8 * 400))).verdict);
    } catch (error) {
      assert(error instanceof CorruptLogError, String(error));
      verdicts.add("corrupt");
    }
  }
  assertEquals([...verdicts].sort(), ["corrupt", "torn", "whole"]);
});

interface Contradiction {
  readonly name: string;
  readonly write: (format: RecordFormat, writer: ByteWriter) => void;
  readonly says: string;
}

const CONTRADICTIONS: readonly Contradiction[] = [
  {
    name: "a gap between entries",
    write: (format, writer) => format.writeEntry(writer, writer.length, 512, entry(2, 1)),
    says: "entry 2 where 1 was next",
  },
  {
    name: "an entry at index 0",
    write: (format, writer) => format.writeEntry(writer, writer.length, 512, entry(0, 1)),
    says: "entry 0 where 1 was next",
  },
  {
    name: "a term that goes back from one entry to the next",
    write(format, writer) {
      format.writeEntry(writer, writer.length, 512, entry(1, 3));
      format.writeEntry(writer, writer.length, 512, entry(2, 2));
    },
    says: "entry 2 of term 2 after one of term 3",
  },
  {
    name: "a currentTerm that goes back",
    write(format, writer) {
      format.writeHardState(writer, writer.length, 512, { currentTerm: 4, votedFor: 1 });
      format.writeHardState(writer, writer.length, 512, { currentTerm: 3, votedFor: 0 });
    },
    says: "term 3 after term 4",
  },
  {
    name: "a mark above the record's own place",
    write: (format, writer) =>
      format.writeHardState(writer, writer.length, 9999, { currentTerm: 1, votedFor: 1 }),
    says: "mark 9999 is not within 512 to 512",
  },
  {
    name: "a mark that goes back",
    write(format, writer) {
      format.writeHardState(writer, writer.length, 512, { currentTerm: 1, votedFor: 1 });
      format.writeHardState(writer, writer.length, writer.length, { currentTerm: 1, votedFor: 1 });
      format.writeHardState(writer, writer.length, 512, { currentTerm: 1, votedFor: 1 });
    },
    says: "mark 512 is not within 544 to 576",
  },
  {
    name: "a seal at another index than the last",
    write: (format, writer) => format.writeSealed(writer, writer.length, 512, 7),
    says: "sealed at index 7, but the log ends at 0",
  },
];

for (const { name, write, says } of CONTRADICTIONS) {
  Deno.test(`recoverLog() refuses ${name}`, () => {
    const writer = new ByteWriter();
    writer.raw(buildLog([]).bytes);
    write(new RecordFormat(DIRECTORY_ID), writer);
    const error = assertThrows(() => recover(writer.finish()), CorruptLogError, says);
    assertStringIncludes(error.message, "log: corrupt at byte ");
    assertEquals(error.exitCode, 5);
  });
}
