/**
 * Keys and values, which are bytes, as text for people and for programs.
 *
 * @module
 */

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * One line for people that tells different bytes apart: printable text as it is; `\n`, `\t`, `\r` and `\\`; all
 * else, byte by byte, as `\xNN`. Nothing in it can move the cursor of a terminal.
 */
export function lineOf(bytes: Uint8Array): string {
  const text = textOf(bytes);
  if (text === undefined) return [...bytes].map(escapedByte).join("");
  return text.replaceAll(
    /[\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => ESCAPES[character] ?? [...encoder.encode(character)].map(hexByte).join(""),
  );
}

/** For JSON: text as it is, anything else as the hex digits of its bytes. */
export function jsonOf(bytes: Uint8Array): string | { readonly hex: string } {
  return textOf(bytes) ?? { hex: bytes.toHex() };
}

/** For the name of a JSON object's member: text as it is, anything else as {@linkcode lineOf} has it. */
export function keyJsonOf(bytes: Uint8Array): string {
  return textOf(bytes) ?? lineOf(bytes);
}

/** "812 B", "2.1 MB": a size for people. */
export function sizeOf(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

const encoder = new TextEncoder();
const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r" };

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function escapedByte(byte: number): string {
  const character = String.fromCharCode(byte);
  if (byte < 0x20 || byte > 0x7e) return ESCAPES[character] ?? hexByte(byte);
  return ESCAPES[character] ?? character;
}

function hexByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
