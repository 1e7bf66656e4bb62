/**
 * The windows on the mock backend in headless Chromium: every screen, and the journeys through them.
 * `node run.mjs [PART OF A NAME]`; pictures are left in `tests/e2e/out`.
 */
import { mkdirSync } from "node:fs";
import { OUT, launch, serve } from "./browser.mjs";
import { journeyTests } from "./journeys.mjs";
import { screenTests } from "./screens.mjs";

/** Longer than the slowest of them, so that a stuck window is a failure and not a stuck run. */
const PATIENCE_MS = 60_000;
const AT_ONCE = 2;

mkdirSync(OUT, { recursive: true });
const wanted = process.argv[2] ?? "";
const server = await serve();
const browser = await launch();
const tests = [...screenTests(browser, server), ...journeyTests(browser, server)].filter(({ name }) => name.includes(wanted));

let passed = 0;
let failed = 0;

async function work() {
  for (let test = tests.shift(); test; test = tests.shift()) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("took too long")), PATIENCE_MS);
    });
    try {
      await Promise.race([test.run(), late]);
      passed += 1;
      console.log(`ok     ${test.name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${test.name}\n    ${error.message}`);
    } finally {
      clearTimeout(timer);
    }
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work));
await browser.close();
server.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
