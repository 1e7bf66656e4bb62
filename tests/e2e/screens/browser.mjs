/**
 * Chromium on the built windows, served as strictly as the product serves them: the same kind of content security policy, and
 * any violation, console error or request elsewhere is a failure of the test that caused it.
 */
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const HERE = fileURLToPath(new URL(".", import.meta.url));
export const OUT = join(HERE, "../out");
const PAGES = join(OUT, "ui");
// The tests' libraries are those of the windows.
const load = createRequire(join(HERE, "../../../ui/package.json"));
const { chromium } = load("playwright-core");
const AXE = load.resolve("axe-core");

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** Serves the built windows on a free port of this computer. */
export function serve() {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const file = join(PAGES, path);
    if (!file.startsWith(PAGES) || !existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": CSP });
    createReadStream(file).pipe(response);
  });
  return new Promise((listening) => {
    server.listen(0, "127.0.0.1", () =>
      listening({ url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }),
    );
  });
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--headless",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
}

/** Sizes of the windows as the shell opens them, pixels. */
export const SIZES = { index: [1180, 760], drop: [420, 320], prompt: [460, 480] };

/** Opens a window; `troubles` fills with whatever went wrong in it. */
export async function open(browser, server, { page: name = "index", query = {}, hash = "", dark = false, size, locale = "en-GB" }) {
  const [width, height] = size ?? SIZES[name];
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    locale,
    // axe is injected by the test, not by the page.
    bypassCSP: false,
  });
  const page = await context.newPage();
  const troubles = [];
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url) && !request.url().startsWith("data:")) troubles.push(`asked for ${request.url()}`);
  });
  const given = Object.entries({ scenario: "uploading", still: "", ...query }).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(given);
  await page.goto(`${server.url}/${name}.html?${search}${hash}`);
  await page.locator("#window > *").first().waitFor();
  return { page, troubles, close: () => context.close() };
}

/** Waits until every picture on the screen is drawn and nothing is on its way. */
export async function settle(page) {
  await page.waitForLoadState("networkidle");
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  await page.waitForFunction(() => !document.querySelector('[role=grid][aria-busy="true"], [role=gridcell][aria-label="Loading"]'));
  // Two frames: effects have run and were painted.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Violations of WCAG 2.1 A and AA, and of axe's best practices, as short sentences. */
export async function violations(page) {
  const source = await import("node:fs/promises").then((fs) => fs.readFile(AXE, "utf8"));
  await page.evaluate(source);
  const { violations: found } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(" ")}: ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ""}`),
  );
}
