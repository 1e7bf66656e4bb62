import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["dist/", "src/messages/generated/", "src/api/types.ts"] },
  js.configs.recommended,
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser } } },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: [".svelte"] } },
  },
  {
    rules: {
      // Names and messages come from strangers: they are text, never markup.
      "svelte/no-at-html-tags": "error",
      // What nothing renders is a plain collection.
      "svelte/prefer-svelte-reactivity": "off",
      // tauri.ts is the only file that knows Tauri.
      "no-restricted-imports": ["error", { patterns: ["@tauri-apps/*"] }],
    },
  },
  { files: ["src/api/tauri.ts"], rules: { "no-restricted-imports": "off" } },
);
