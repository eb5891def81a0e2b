/**
 * The table of commands: what help shows, what the parser knows, and where the code is. The code of a command is
 * loaded when it is run, so that `drafty --version` loads none of it.
 *
 * @module
 */
import type { Arguments, Option } from "./arguments.ts";
import type { CliIo } from "./io.ts";

/** Runs a command. Resolves to the exit code, or rejects with an error that has one. */
export type Run = (given: Arguments, io: CliIo) => Promise<number>;

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** The ways to write it, after `drafty`. */
  readonly usage: readonly string[];
  readonly options: readonly Option[];
  /** Paragraphs and lists between the options and the examples. */
  readonly details?: string;
  readonly examples: readonly string[];
  readonly load: () => Promise<Run>;
}

const CONFIG_OPTION: Option = {
  name: "config",
  value: "FILE",
  summary: "the cluster; by default ./cluster.toml, else three nodes on 127.0.0.1",
};

/** What `drafty --node N` does. It has options instead of a name. */
export const NODE_COMMAND: Command = {
  name: "--node",
  summary: "run a node",
  usage: [
    "--node N [--config FILE] [--data DIR] [--join HOST:CLIENT] [--listen HOST:PEER:CLIENT]\n" +
    "                  [--new-cluster | --rejoin] [--server-msgs] [--client-msgs]",
  ],
  options: [
    { name: "node", value: "N", summary: "the node of the cluster to run" },
    CONFIG_OPTION,
    {
      name: "data",
      value: "DIR",
      summary: "keep the data in DIR/N; by default the [storage] directory, data",
    },
    {
      name: "join",
      value: "HOST:CLIENT",
      summary: "become a member of a running cluster, of which a node has its client port there",
    },
    {
      name: "listen",
      value: "HOST:PEER:CLIENT",
      summary: "listen there; by default where the configuration has the node, or the cluster knows it",
    },
    {
      name: "new-cluster",
      summary: "this cluster has no past: do not wait until all its nodes have said so",
    },
    {
      name: "rejoin",
      summary: "the directory is a copy or a backup: ask the others what it does not remember",
    },
    { name: "server-msgs", summary: "log each message between nodes as a sentence" },
    { name: "client-msgs", summary: "log each request of a client, and its answer, as a sentence" },
  ],
  details:
    `The node runs until it gets SIGINT (Ctrl-C) or SIGTERM, then ends cleanly with exit code 0. What it does is logged
on standard error. A node that leads hands over first, so nobody waits for an election.

A new member is registered at the cluster (drafty client register), and started with --join; in which order does not
matter. It is sent all data, and votes when it has caught up. A member that was removed is told so, and ends with exit
code 7. A node whose address has changed is started with --listen, and the others are told: drafty client move.

A node with an empty directory is new, or has lost its disk, and cannot tell which: it takes no part until all other
nodes have answered it once. So a new cluster begins when all its nodes have been started, or as soon as a majority
of them was started with --new-cluster. A node whose disk is damaged finds its way back in the same way.`,
  examples: [
    "drafty --node 1",
    "drafty --node 2 --server-msgs",
    "drafty --node 3 --config /etc/drafty/cluster.toml --data /var/lib/drafty",
    "drafty --node 4 --join 127.0.0.1:9001",
  ],
  load: async () => (await import("./node_command.ts")).runNode,
};

/** All commands that go by a name, in the order in which help lists them. */
export const COMMANDS: readonly Command[] = [
  {
    name: "client",
    summary: "send one request to the cluster",
    usage: [
      "client [--config FILE] [--node N | --server HOST:PORT] [--timeout 5s] [--guid HEX] [--stale] [--json] COMMAND",
    ],
    options: [
      CONFIG_OPTION,
      { name: "node", value: "N", summary: "ask this node first; by default any that can be reached" },
      { name: "server", value: "HOST:PORT", summary: "ask this address first, without a configuration" },
      {
        name: "timeout",
        value: "TIME",
        summary: "how long to try, such as 500ms, 5s (the default) or 1m",
      },
      {
        name: "guid",
        value: "HEX",
        summary: "the id of the write, 32 hex digits: the same id given again is not done again",
      },
      {
        name: "stale",
        summary: "read what the node has, without asking the others, and say how old that may be",
      },
      { name: "json", summary: "print one JSON value" },
    ],
    details: `Commands:
  put K V          set a key; quote a value with spaces
  set K V...       the same; several words become one value, with single spaces between
  get K            print the value of a key
  delete K         remove a key
  data, show       print all pairs in the order of their keys, a line each: key = value
  putrnd           put a random three-letter key with a value from 0 to 999
  ping             ask a node who it is and who leads
  snapshot         let a node take a snapshot of all pairs now, and remove the log before it
  status           a table of all nodes
  members          the members of the cluster, and where they are found
  register ID HOST:PEER:CLIENT
                   add a node, as a learner that becomes a voter by itself when it has caught up
  deregister ID    remove a member
  move ID HOST:PEER:CLIENT
                   tell the others that a member is found elsewhere now
  transfer [ID]    let another node lead

A node number before or after a command is the same as --node: client 1 putrnd, client putrnd 1. After put, get and
delete it is one argument more than they take; set takes all that follows for its value.

A node that does not lead names the leader, and the client goes there ("redirecting to node 2" on standard error). It
tries until the timeout, with the same id, so a write is done once. "outcome unknown" means that a write may
have been done: ask again with the same --guid to make sure.

get prints the bytes of the value as they are, and a line break. data shows what is no printable text as \\xNN, a line
break as \\n and a backslash as \\\\. In JSON a value that is no UTF-8 text is {"hex":"ff00"}, and a key is written as by
data.

Exit codes: 0 done, 1 no such key or not handed over, 2 usage or a change that makes no sense, 3 configuration,
8 no leader or no answer in time.`,
    examples: [
      "drafty client put colour green",
      "drafty client get colour",
      "drafty client set motto slow is smooth",
      "drafty client put -- --flag value",
      "drafty client 2 putrnd",
      "drafty client --json status",
      "drafty client get colour --stale",
      "drafty client register 4 127.0.0.1:8004:9004",
      "drafty client transfer 2",
      "drafty client --server 127.0.0.1:9001 --timeout 500ms ping",
    ],
    load: async () => (await import("./client_command.ts")).runClient,
  },
  {
    name: "explain",
    summary: "say who leads and why, or why nobody does, and what waits for what",
    usage: ["explain [--config FILE] [--node N | --server HOST:PORT] [--timeout 1s] [--json]"],
    options: [
      CONFIG_OPTION,
      { name: "node", value: "N", summary: "explain what this node does; by default the whole cluster" },
      { name: "server", value: "HOST:PORT", summary: "begin with this address, without a configuration" },
      { name: "timeout", value: "TIME", summary: "how long to wait for each node, by default 1s" },
      { name: "json", summary: "print one JSON object: the sentences, and what each node has told" },
    ],
    details:
      `Asks all nodes that are known, and the members that they tell of, and says in sentences what they know.

Exit codes: 0 explained, 2 usage, 3 configuration, 8 no node answers.`,
    examples: ["drafty explain", "drafty explain --node 3", "drafty explain --server 127.0.0.1:9001 --json"],
    load: async () => (await import("./explain_command.ts")).runExplain,
  },
  {
    name: "log",
    summary: "show what is in a node's data directory",
    usage: ["log DIR [--from I] [--to I] [--json]"],
    options: [
      { name: "from", value: "I", summary: "the first entry to show" },
      { name: "to", value: "I", summary: "the last entry to show" },
      { name: "json", summary: "print one JSON object a line" },
    ],
    details:
      `DIR is the directory of one node, such as data/1. Nothing is changed, and no lock is taken: it is meant for a node
that is down. Each line of a record begins with its place in the file.

Exit codes: 0 shown, 2 usage, 4 not a data directory, 5 something is damaged (all that can be read is shown).`,
    examples: ["drafty log data/1", "drafty log data/1 --from 100 --to 120", "drafty log data/1 --json"],
    load: async () => (await import("./log_command.ts")).runLog,
  },
  {
    name: "check",
    summary: "verify every byte of a node's data directory",
    usage: ["check DIR [--json]"],
    options: [{ name: "json", summary: "print one JSON object" }],
    details:
      `DIR is the directory of one node, such as data/1. Nothing is changed, and no lock is taken: it is meant for a node
that is down.

Exit codes: 0 every byte is what was written, 2 usage, 4 not a data directory, or with files of others, 5 damaged,
7 a copy.`,
    examples: ["drafty check data/1", "drafty check data/1 --json"],
    load: async () => (await import("./check_command.ts")).runCheck,
  },
  {
    name: "demo",
    summary: "start three nodes, kill the leader, see that nothing is lost",
    usage: ["demo"],
    options: [],
    details:
      "Runs three real nodes on free ports with their data in a temporary folder, which is removed again.\n" +
      "Takes some seconds. Exit code 0 if all went as told, 1 if not.",
    examples: ["drafty demo"],
    load: async () => (await import("./demo.ts")).runDemo,
  },
  {
    name: "sim",
    summary: "run the cluster in a simulated world that breaks it",
    usage: [
      "sim [--seed S] [--seeds N] [--nodes N] [--scenario NAME] [--bug NAME] [--trace FILE] [--json]",
      "sim --mutants [--json]",
    ],
    options: [
      {
        name: "seed",
        value: "S",
        summary: "the first seed, and the only one without --seeds; else by chance",
      },
      { name: "seeds", value: "N", summary: "how many seeds to run, by default 100" },
      {
        name: "nodes",
        value: "N",
        summary: "the size of the cluster, 1 to 7; by default 3 or 5, by the seed",
      },
      { name: "scenario", value: "NAME", summary: "play a scenario instead; --scenario list shows all" },
      {
        name: "bug",
        value: "NAME",
        summary: "put a bug back and watch it being noticed; --bug list shows all",
      },
      { name: "trace", value: "FILE", summary: "write everything that happens in one run, in sentences" },
      { name: "mutants", summary: "put every bug back, one by one, and show which promise it breaks" },
      { name: "json", summary: "print one JSON object" },
    ],
    details:
      `The nodes are the real ones; network, disks, clocks and clients are simulated, and fail as the seed has it. Every
promise of Raft is checked after every event, and at the end whether the clients saw one consistent store.

A seed gives the same run every time: one run in 50 is run twice, and the two must be the same. A failure is shrunk to
the few faults that it takes, and told as a story, with the command to see it again.

Exit codes: 0 all held, 1 a seed failed (with --bug: the bug was noticed; with --mutants: one was not), 2 usage.`,
    examples: [
      "drafty sim",
      "drafty sim --seeds 2000 --nodes 5",
      "drafty sim --seed 42 --trace run.txt",
      "drafty sim --bug votes-twice",
      "drafty sim --scenario figure-8",
    ],
    load: async () => (await import("./sim_command.ts")).runSim,
  },
  {
    name: "bench",
    summary: "load a cluster, and measure it beside what the machine can do",
    usage: [
      "bench [--put] [--get] [--mixed] [--inflight N[,N...]] [--connections N] [--value-bytes N] [--keys N]\n" +
      "               [--seconds S] [--one-shot] [--server HOST:PORT[,...]] [--json]",
    ],
    options: [
      { name: "put", summary: "write; without a choice: put, then get" },
      { name: "get", summary: "read, linearizable" },
      { name: "mixed", summary: "write and read in turns" },
      { name: "inflight", value: "N[,N...]", summary: "requests under way at once, by default 1,16,64,256" },
      {
        name: "connections",
        value: "N",
        summary: "they share so many; by default 1 below 128 in flight, else 4",
      },
      { name: "value-bytes", value: "N", summary: "the size of a value, by default 256" },
      { name: "keys", value: "N", summary: "how many keys there are, by default 10000" },
      { name: "seconds", value: "S", summary: "how long each load is measured, by default 3" },
      { name: "one-shot", summary: "a connection of its own for each request" },
      {
        name: "server",
        value: "HOST:PORT[,...]",
        summary: "load this cluster; by default three nodes that are started for it",
      },
      { name: "json", summary: "print one JSON object for each load" },
    ],
    details:
      `Without --server, three nodes run on free ports with their data in a temporary folder, which is removed again.
With it, keys that begin with "bench-" are written to that cluster, and stay there.

The limit is what the machine takes at least for one acknowledged write, measured in the same run: one append with
fdatasync in the same file system, and one exchange over loopback. Times begin when a request is handed to the client
library and end with its answer; a load is warmed up before it is measured.

Exit codes: 0 measured, 2 usage, 8 the cluster is not there, or answers nothing.`,
    examples: [
      "drafty bench",
      "drafty bench --put --inflight 1,16,256 --seconds 10",
      "drafty bench --mixed --value-bytes 4096 --keys 1000000 --json",
      "drafty bench --get --one-shot --server 127.0.0.1:9001",
    ],
    load: async () => (await import("./bench_command.ts")).runBench,
  },
];
