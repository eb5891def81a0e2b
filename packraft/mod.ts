/**
 * packraft: the binary wire format of drafty. It imports nothing, needs no permission and runs in any
 * JavaScript runtime. Specified byte by byte in `docs/protocol.md`; test vectors in `packraft/vectors.json`.
 *
 * @module
 */
export * from "./byte_reader.ts";
export * from "./byte_writer.ts";
export * from "./crc32.ts";
export * from "./errors.ts";
export * from "./frame.ts";
export * from "./limits.ts";
export * from "./messages.ts";
export * from "./packet_reader.ts";
export * from "./schema.ts";
