import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The pages lie under any path: addresses are relative, and the server writes <base href> into index.html.
export default defineConfig({
  base: "./",
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  server: { proxy: { "/client": process.env.SLUICE_URL ?? "http://127.0.0.1:8088", "/v1": process.env.SLUICE_URL ?? "http://127.0.0.1:8088" } },
  build: {
    manifest: true,
    emptyOutDir: false, // dist/README stays: without it a plain go build has nothing to embed
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // What every page needs is one chunk that changes rarely, so that an update costs little. Base UI, about as
        // large, is not in it: it comes when the first menu or dialog is wanted.
        codeSplitting: {
          groups: [
            { name: "vendor", test: /node_modules\/(react|react-dom|scheduler|@tanstack|zod|cookie-es|seroval|isbot)\// },
            { name: "ui", test: /node_modules\/(@base-ui|@floating-ui|tabbable|reselect|use-sync-external-store)\// },
          ],
        },
      },
    },
  },
});
