import { assertEquals } from "@std/assert";
import { commandOf } from "../../src/cli/self.ts";

const PERMISSIONS = ["--allow-net", "--allow-read", "--allow-write"];

Deno.test("commandOf() runs a compiled program as it is", () => {
  const how = { isCompiled: true, execPath: "/opt/drafty", mainModule: "file:///tmp/deno-compile/mod.js" };
  assertEquals(commandOf(["--node", "1"], how), { program: "/opt/drafty", args: ["--node", "1"] });
});

Deno.test("commandOf() runs source and bundle with Deno and the permissions that a node needs", () => {
  for (const mainModule of ["file:///src/mod.ts", "file:///opt/drafty.js", "https://example.org/mod.ts"]) {
    assertEquals(commandOf(["--node", "1"], { isCompiled: false, execPath: "/bin/deno", mainModule }), {
      program: "/bin/deno",
      args: ["run", "--quiet", "--no-prompt", ...PERMISSIONS, mainModule, "--node", "1"],
    });
  }
});

Deno.test("commandOf() runs an executable script by itself: its name says no language, and no deno.json near it matters", () => {
  const how = { isCompiled: false, execPath: "/bin/deno", mainModule: "file:///opt/drafty" };
  assertEquals(commandOf([], how).args, [
    "run",
    "--quiet",
    "--no-prompt",
    ...PERMISSIONS,
    "--no-config",
    "--no-lock",
    "--ext=js",
    how.mainModule,
  ]);
});
