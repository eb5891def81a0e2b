/**
 * What each command of `drafty client` does with a client, and what it prints.
 *
 * @module
 */
import { type ClusterMembers, type DraftyClient, type MemberPlace, nameOf } from "../client/mod.ts";
import type { CliIo } from "./io.ts";
import { membersTable } from "./members_table.ts";
import { jsonOf, keyJsonOf, lineOf, sizeOf } from "./render.ts";
import { memberId, memberPlace } from "./values.ts";

/** What a command works with. */
export interface ActionContext {
  readonly client: DraftyClient;
  readonly io: CliIo;
  readonly isJson: boolean;
  /** Whether a read is to be served from what a node has, without asking anyone. */
  readonly isStale: boolean;
}

export interface ClientAction {
  /** The names of its arguments; those that may be left out come last, in brackets. */
  readonly parameters: readonly string[];
  /** How long to try where nothing is said, if that is not the usual time. */
  readonly timeoutMs?: number;
  /** Whether further words belong to the last argument. */
  readonly joinsRest?: boolean;
  /** Resolves to the exit code. */
  readonly run: (context: ActionContext, words: readonly string[]) => Promise<number>;
}

/** A large state takes long to write. */
const SNAPSHOT_TIMEOUT_MS = 10 * 60_000;

/** All commands but `status`, which asks every node by itself. */
export const CLIENT_ACTIONS: Readonly<Record<string, ClientAction>> = {
  put: { parameters: ["K", "V"], run: put },
  set: { parameters: ["K", "V"], joinsRest: true, run: put },
  get: { parameters: ["K"], run: get },
  delete: { parameters: ["K"], run: remove },
  data: { parameters: [], run: data },
  show: { parameters: [], run: data },
  putrnd: { parameters: [], run: putRandom },
  ping: { parameters: [], run: ping },
  members: { parameters: [], run: members },
  register: { parameters: ["ID", "HOST:PEER:CLIENT"], run: register },
  deregister: { parameters: ["ID"], run: deregister },
  move: { parameters: ["ID", "HOST:PEER:CLIENT"], run: move },
  transfer: { parameters: ["[ID]"], run: transfer },
  snapshot: { parameters: [], timeoutMs: SNAPSHOT_TIMEOUT_MS, run: snapshot },
};

/** What may stand after `drafty client`. */
export const CLIENT_ACTION_NAMES: readonly string[] = [...Object.keys(CLIENT_ACTIONS), "status"];

const EXIT_NO_SUCH_KEY = 1;
/** Another node leads than the one that was to. */
const EXIT_NOT_HANDED_OVER = 1;
const CONSONANTS = "bcdfghjklmnprstvwz";
const VOWELS = "aeiou";
const encoder = new TextEncoder();

async function put({ client, io, isJson }: ActionContext, words: readonly string[]): Promise<number> {
  const [key = "", value = ""] = words;
  const { index } = await client.put(key, value);
  io.out(isJson ? line({ ok: true, index }) : "OK\n");
  return 0;
}

async function get(
  { client, io, isJson, isStale }: ActionContext,
  words: readonly string[],
): Promise<number> {
  const [key = ""] = words;
  const { value, ...age } = isStale ? await client.getStale(key) : { value: await client.get(key) };
  const found = value !== undefined;
  if (isJson) {
    io.out(line({ key, value: found ? jsonOf(value) : null, found, ...ageJsonOf(age) }));
  } else if (value !== undefined) {
    // The bytes as they are: what was put in comes out, text or not.
    io.out(value);
    io.out("\n");
  }
  if (!isJson) tellAge(io, age);
  if (value === undefined) return noSuchKey(io, key);
  return 0;
}

async function remove({ client, io, isJson }: ActionContext, words: readonly string[]): Promise<number> {
  const [key = ""] = words;
  const { found, index } = await client.delete(key);
  if (isJson) io.out(line({ ok: true, index, found }));
  else if (found) io.out("deleted\n");
  return found ? 0 : noSuchKey(io, key);
}

async function data({ client, io, isJson, isStale }: ActionContext): Promise<number> {
  const { pairs, ...age } = isStale ? await client.dataStale() : { pairs: await client.data() };
  if (!isJson) tellAge(io, age);
  if (isJson) {
    // Joined by hand: an object of JavaScript would put keys such as "10" before all others.
    const members = pairs.map(({ key, value }) =>
      `${JSON.stringify(keyJsonOf(key))}:${JSON.stringify(jsonOf(value))}`
    );
    io.out(`{${members.join(",")}}\n`);
  } else {
    io.out(pairs.map(({ key, value }) => `${lineOf(key)} = ${lineOf(value)}\n`).join(""));
  }
  return 0;
}

async function putRandom({ client, io, isJson }: ActionContext): Promise<number> {
  const one = (letters: string) => letters[Math.floor(Math.random() * letters.length)] ?? "";
  const key = one(CONSONANTS) + one(VOWELS) + one(CONSONANTS);
  const value = `${Math.floor(Math.random() * 1_000)}`;
  const { index } = await client.put(key, value);
  io.out(isJson ? line({ ok: true, index, key, value }) : `put ${key}=${value}\n`);
  return 0;
}

async function ping({ client, io, isJson }: ActionContext): Promise<number> {
  const { node, role, leader } = await client.ping();
  io.out(
    isJson
      ? line({ node, role, leader: leader === 0 ? null : leader })
      : `pong from node ${node}, ${role}; ${leader === 0 ? "it knows no leader" : `node ${leader} leads`}\n`,
  );
  return 0;
}

async function snapshot({ client, io, isJson }: ActionContext): Promise<number> {
  const { node, index, totalBytes } = await client.snapshot();
  io.out(
    isJson
      ? line({ node, index, bytes: totalBytes })
      : `node ${node} has a snapshot up to entry ${index}, ${sizeOf(totalBytes)}\n`,
  );
  return 0;
}

// ------------------------------------------------------------------------------------------ members

async function members({ client, io, isJson }: ActionContext): Promise<number> {
  tellMembers(io, isJson, await client.members());
  return 0;
}

async function register({ client, io, isJson }: ActionContext, words: readonly string[]): Promise<number> {
  const [id, place] = memberOf(words);
  const after = await client.register(id, place);
  tellMembers(io, isJson, after);
  const leader = after.members.find((member) => member.id === after.leader);
  if (isJson || leader === undefined) return 0;
  io.err(
    `node ${id} is a learner now. If it does not run yet: drafty --node ${id} ` +
      `--join ${
        nameOf({ host: leader.host, port: leader.clientPort })
      }. It becomes a voter when it has caught up\n`,
  );
  return 0;
}

async function deregister({ client, io, isJson }: ActionContext, words: readonly string[]): Promise<number> {
  const [word = ""] = words;
  tellMembers(io, isJson, await client.deregister(memberId(word)));
  return 0;
}

async function move({ client, io, isJson }: ActionContext, words: readonly string[]): Promise<number> {
  const [id, place] = memberOf(words);
  tellMembers(io, isJson, await client.move(id, place));
  return 0;
}

async function transfer({ client, io, isJson }: ActionContext, words: readonly string[]): Promise<number> {
  const [word] = words;
  const to = word === undefined ? 0 : memberId(word);
  const { leader } = await client.transfer(to);
  io.out(isJson ? line({ leader }) : `node ${leader} leads\n`);
  return to === 0 || leader === to ? 0 : EXIT_NOT_HANDED_OVER;
}

function memberOf([id = "", place = ""]: readonly string[]): [number, MemberPlace] {
  return [memberId(id), memberPlace("HOST:PEER:CLIENT", place)];
}

function tellMembers(io: CliIo, isJson: boolean, { members }: ClusterMembers): void {
  const rows = members.map(({ id, host, peerPort, clientPort, role }) => (
    { id, host, peer_port: peerPort, client_port: clientPort, role }
  ));
  io.out(isJson ? line(rows) : membersTable(rows, io.isColourful));
}

/** How old a read is that asked nobody. Nothing for one that is current. */
interface ReadAge {
  readonly appliedIndex?: number;
  readonly ageMs?: number | undefined;
}

function tellAge(io: CliIo, { appliedIndex, ageMs }: ReadAge): void {
  if (appliedIndex === undefined) return;
  const age = ageMs === undefined
    ? "the node has never heard from a leader"
    : `at most ${ageMs} ms older than what its leader had then`;
  io.err(`as of entry ${appliedIndex}, ${age}\n`);
}

function ageJsonOf({ appliedIndex, ageMs }: ReadAge): Record<string, unknown> {
  return appliedIndex === undefined ? {} : { applied_index: appliedIndex, age_ms: ageMs ?? null };
}

function noSuchKey(io: CliIo, key: string): number {
  io.err(`no such key: ${lineOf(encoder.encode(key))}\n`);
  return EXIT_NO_SUCH_KEY;
}

function line(value: unknown): string {
  return JSON.stringify(value) + "\n";
}
