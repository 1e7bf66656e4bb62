import { paraglideVitePlugin } from "@inlang/paraglide-js";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

/** Three windows, three pages: the main window, the drop window and the permission prompt. */
const windows = ["index.html", "drop.html", "prompt.html"];

export default defineConfig({
  // Tauri serves the pages from a scheme of its own, the screen tests from a folder.
  base: "./",
  clearScreen: false,
  plugins: [
    paraglideVitePlugin({
      project: "./project.inlang",
      outdir: "./src/messages/generated",
      strategy: ["globalVariable", "baseLocale"],
    }),
    svelte(),
    svelteTesting(),
  ],
  server: { port: 1420, strictPort: true },
  build: {
    // The oldest webview: WKWebView of Safari 16. WebKitGTK 2.50 and WebView2 are newer.
    target: "safari16",
    rolldownOptions: { input: windows },
  },
  test: { environment: "jsdom", include: ["tests/**/*.test.ts"] },
});
