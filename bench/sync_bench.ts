/**
 * One append to a file and the sync after it, with the call that blocks and with the one that does not:
 *
 *     deno bench -A bench/sync_bench.ts
 *
 * @module
 */

const SIZES = [256, 16 * 1024, 64 * 1024];

for (const sizeBytes of SIZES) {
  const bytes = new Uint8Array(sizeBytes).fill(7);
  const path = Deno.makeTempFileSync();
  const file = Deno.openSync(path, { append: true });
  globalThis.addEventListener("unload", () => {
    file.close();
    Deno.removeSync(path);
  });
  const group = `append and sync ${sizeBytes} B`;
  Deno.bench(`syncDataSync, ${sizeBytes} B`, { group, baseline: true }, () => {
    file.writeSync(bytes);
    file.syncDataSync();
  });
  Deno.bench(`syncData, ${sizeBytes} B`, { group }, async () => {
    file.writeSync(bytes);
    await file.syncData();
  });
}
