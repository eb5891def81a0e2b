/**
 * The values of options: durations, ids, addresses, node numbers. Errors name the option and the value.
 *
 * @module
 */
import type { MemberPlace, ServerAddress } from "../client/mod.ts";
import { UsageError } from "./errors.ts";

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };
const MAX_DURATION_MS = 3_600_000;
const MAX_NODE_NUMBER = 65_535;

/** A whole number from `min` to `max`. */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${option} ${text} is not a whole number from ${min} to ${max}`);
}

/** `500ms`, `5s`, `1.5s`, `2m` → milliseconds. */
export function durationMs(option: string, text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const ms = Number(amount) * (UNITS_MS[unit ?? ""] ?? NaN);
  if (!(ms >= 1 && ms <= MAX_DURATION_MS)) {
    throw new UsageError(`--${option} ${text} is not a duration; give 1ms to 60m, such as 500ms or 5s`);
  }
  return ms;
}

/** 32 hex digits, dashes allowed → 16 bytes. */
export function guidBytes(option: string, text: string): Uint8Array {
  const digits = text.replaceAll("-", "");
  if (!/^[0-9a-fA-F]{32}$/.test(digits)) {
    throw new UsageError(
      `--${option} ${text} is not a guid; give 32 hex digits, such as 00112233-4455-6677-8899-aabbccddeeff`,
    );
  }
  return Uint8Array.fromHex(digits);
}

/** `HOST:PORT`, an IPv6 address in brackets. */
export function serverAddress(option: string, text: string): ServerAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    throw new UsageError(
      `--${option} ${text} is not an address; give HOST:PORT, such as 127.0.0.1:9001 or [::1]:9001`,
    );
  }
  return { host, port };
}

/** `HOST:PEER:CLIENT`, an IPv6 address in brackets: where a member is found. */
export function memberPlace(option: string, text: string): MemberPlace {
  const [, bracketed, plain, peer, client] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5}):(\d{1,5})$/.exec(text) ??
    [];
  const host = bracketed ?? plain;
  const [peerPort, clientPort] = [Number(peer), Number(client)];
  const arePorts = [peerPort, clientPort].every((port) => port >= 1 && port <= 65_535);
  const isHost = bracketed === undefined
    ? /^[A-Za-z0-9._-]{1,255}$/.test(host ?? "")
    : /^[0-9A-Fa-f:.%]{2,64}$/.test(bracketed);
  if (host === undefined || !isHost || !arePorts || peerPort === clientPort) {
    throw new UsageError(
      `${option} ${text} is not where a node is found; give a host and two ports, such as 127.0.0.1:8004:9004`,
    );
  }
  return { host, peerPort, clientPort };
}

/** The id of a member, as an argument. */
export function memberId(text: string): number {
  const id = isNodeNumber(text) ? Number(text) : 0;
  if (id >= 1 && id <= MAX_NODE_NUMBER) return id;
  throw new UsageError(
    `ID ${text} is not the id of a node; give a whole number from 1 to ${MAX_NODE_NUMBER}`,
  );
}

/** The number of a node. */
export function nodeNumber(option: string, text: string): number {
  const number = isNodeNumber(text) ? Number(text) : 0;
  if (number < 1 || number > MAX_NODE_NUMBER) {
    throw new UsageError(`--${option} ${text} is not a node number; give 1 to ${MAX_NODE_NUMBER}`);
  }
  return number;
}

/** Whether a text could be meant as the number of a node. */
export function isNodeNumber(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text);
}
