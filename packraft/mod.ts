/**
 * packraft: the binary wire format of drafty. It imports nothing, needs no permission and runs in any
 * JavaScript runtime. Specified byte by byte in `docs/protocol.md`; test vectors in `packraft/vectors.json`.
 *
 * ```ts
 * import { encodePacket, PacketReader } from "./mod.ts";
 *
 * const key = new TextEncoder().encode("bac");
 * const frame = encodePacket({
 *   family: "request",
 *   envelope: { transactionId: "t1" },
 *   message: { type: "GetRequest", key, mode: "leader" },
 * });
 *
 * const reader = new PacketReader({ families: ["request"] });
 * reader.push(frame.slice(0, 10)); // bytes may come in any pieces
 * if (reader.next() !== undefined) throw new Error("unreachable");
 * reader.push(frame.slice(10));
 * const packet = reader.next();
 * if (packet?.message.type !== "GetRequest") throw new Error("unreachable");
 * if (packet.message.key.length !== 3) throw new Error("unreachable");
 * ```
 *
 * @module
 */
export { ByteReader } from "./byte_reader.ts";
export { ByteWriter } from "./byte_writer.ts";
export { type Crc32, crc32, offerNativeCrc32 } from "./crc32.ts";
export * from "./errors.ts";
export { appendPacket, encodePacket, FRAME_HEADER_BYTES, PROTOCOL_VERSION } from "./frame.ts";
export * from "./limits.ts";
export { decodeMembers, encodeMembers } from "./member_list.ts";
export * from "./messages.ts";
export * from "./packet_reader.ts";
export * from "./schema.ts";
