/**
 * The executable: the command line and nothing of the library beside it, so that the bundle starts with as little as
 * there is. `mod.ts` does the same when it is run.
 *
 * @module
 */
import { processIo } from "./io.ts";
import { main } from "./main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args, processIo()));
