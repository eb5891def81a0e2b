/**
 * The file by which a directory is locked. The lock itself is held by the operating system and ends with the process;
 * the text in the file, `<pid> <CRC-32 of the pid's digits, 8 hex digits>\n`, only tells others who holds it. After a
 * clean stop the file is empty.
 *
 * @module
 */
import { crc32 } from "../../packraft/crc32.ts";

/** The file that `FileSystem.lock` keeps in a directory. */
export const LOCK_FILE_NAME = "lock";

const encoder = new TextEncoder();

/** The content of the lock file while process `pid` holds the lock. */
export function encodeLockText(pid: number): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${pid} ${checksumOf(String(pid))}\n`);
}

/** The process that a lock file names: 0 if it is empty, undefined if it holds anything that was never written. */
export function decodeLockText(bytes: Uint8Array): number | undefined {
  if (bytes.length === 0) return 0;
  const [, pid, checksum] = /^([1-9]\d*) ([0-9a-f]{8})\n$/.exec(new TextDecoder().decode(bytes)) ?? [];
  return pid === undefined || checksum !== checksumOf(pid) ? undefined : Number(pid);
}

function checksumOf(pid: string): string {
  return crc32(encoder.encode(pid)).toString(16).padStart(8, "0");
}
