/**
 * How much faster than real time the simulator is.
 *
 * @module
 */
import { selfCommandOf } from "../self_command.ts";
import type { Context, Figure } from "./figures.ts";

const GOAL = { atLeast: 1_000 };

export async function measureSimulator({ seeds, say }: Context): Promise<Figure[]> {
  say(`${seeds} seeds`);
  const { program, args } = selfCommandOf(["sim", "--seed", "1", "--seeds", `${seeds}`, "--json"]);
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args], stdin: "null" })
    .output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`the simulator failed: ${text}${new TextDecoder().decode(stderr)}`);
  const report = JSON.parse(text) as { simulated_ms: number; wall_ms: number; seeds: number };
  return [
    {
      name: "simulator, times real time",
      value: report.simulated_ms / report.wall_ms,
      unit: "×",
      goal: GOAL,
    },
    { name: "simulator, seeds", value: report.seeds / report.wall_ms * 1_000, unit: "/s" },
  ];
}
