/**
 * @module
 */

/** The version of drafty. `deno.json` has it too; a test holds them equal. */
export const VERSION = "0.1.0";
