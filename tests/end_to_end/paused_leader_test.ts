/**
 * A leader that is stopped by SIGSTOP and wakes up in a world that has moved on without it.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { ClientRequest, ClientResponse } from "../../packraft/mod.ts";
import { withCluster } from "../chaos/cluster.ts";
import { countFromEnvironment, testOnProcesses } from "../chaos/registration.ts";
import { sleep } from "../chaos/waiting.ts";
import { assertAllAgree } from "./agreement.ts";
import { RawConnection } from "./raw_connection.ts";

const ROUNDS = await countFromEnvironment("DRAFTY_ROUNDS", 1);
const PAUSE_MS = 3_000;
const READ_COUNT = 20;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const GET: ClientRequest = { type: "GetRequest", key: encoder.encode("key"), mode: "leader" };

testOnProcesses(
  `a leader paused for ${PAUSE_MS} ms serves no stale read when it wakes, ${ROUNDS} times`,
  async () => {
    await withCluster({}, async (cluster) => {
      for (let round = 1; round <= ROUNDS; round++) {
        using client = cluster.client();
        await client.put("key", `old ${round}`);
        const leader = cluster.node(await cluster.waitForLeader());
        using raw = await RawConnection.open(leader.address.clientPort);
        await raw.request(GET);
        assertEquals(valueOf(await raw.response()), `old ${round}`);
        leader.pause();
        // These lie in its socket, to be the first thing that it sees.
        for (let count = 0; count < READ_COUNT; count++) await raw.request(GET);
        await client.put("key", `new ${round}`);
        assertNotEquals(await cluster.leader(), leader.id);
        await sleep(PAUSE_MS);
        leader.resume();
        for (let count = 0; count < READ_COUNT; count++) {
          const response = await raw.response();
          assert(response !== undefined, "the connection was closed without an answer");
          if (response.type === "GetResponse") assertEquals(valueOf(response), `new ${round}`);
          else assert(["RedirectResponse", "ErrorResponse"].includes(response.type), response.type);
        }
      }
      await assertAllAgree(cluster, []);
    });
  },
);

function valueOf(response: ClientResponse | undefined): string {
  assert(response?.type === "GetResponse" && response.found, `not a value: ${response?.type}`);
  return decoder.decode(response.value);
}
