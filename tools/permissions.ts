/**
 * What drafty may do: the sockets it listens on and connects to, its files, and (for the demo, which starts nodes)
 * other processes. One list for the tasks, the build and the artefact.
 *
 * @module
 */
export const PERMISSIONS = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-env",
] as const;
