import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// The built files are embedded in berth-hostagent and committed: the same sources give the same bytes.
export default defineConfig({
  plugins: [svelte()],
  base: "./",
  build: { outDir: "../hostagent/ui/dist", emptyOutDir: true, target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
});
