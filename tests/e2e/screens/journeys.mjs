/** What a person does, from the first click to what they see at the end. On a mock whose clock runs. */
import { open, settle } from "./browser.mjs";
import { dragFiles } from "./screens.mjs";

/** The mock's clock runs: jobs progress. */
const LIVE = { still: undefined };

function expect(is, what) {
  if (!is) throw new Error(what);
}

const tiles = (page) => page.getByRole("row").filter({ has: page.locator(".tile") }).getByRole("gridcell");

const JOURNEYS = [
  {
    name: "photos chosen with the mouse are sent to a destination",
    async walk(page) {
      await tiles(page).nth(3).click();
      await tiles(page).nth(8).click({ modifiers: ["Shift"] });
      await tiles(page).nth(5).click({ modifiers: ["ControlOrMeta"] });
      await page.getByText("5 items selected").waitFor();
      await page.getByRole("button", { name: "Upload to" }).click();
      await page.getByRole("menuitem", { name: "photos.example.com" }).click();
      await page.getByText("5 items on their way to").waitFor();
      expect((await page.getByRole("toolbar").count()) === 0, "the selection stayed");
      await page.getByRole("link", { name: "Uploads" }).click();
      await page.getByText("5 photos to photos.example.com").first().waitFor();
    },
  },
  {
    name: "the grid is walked, chosen from and opened by keyboard alone",
    async walk(page) {
      await tiles(page).first().waitFor();
      await page.getByRole("grid").focus();
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Space");
      await page.getByText("1 item selected").waitFor();
      await page.keyboard.press("Shift+ArrowDown");
      await page.getByText("8 items selected").waitFor();
      await page.keyboard.press("Escape");
      await page.getByText("items selected").waitFor({ state: "detached" });
      await page.keyboard.press("Enter");
      const detail = page.getByRole("region", { name: "Photo" });
      const first = await detail.getByRole("heading", { level: 2 }).textContent();
      await page.keyboard.press("ArrowRight");
      await page.waitForFunction(
        (before) => document.querySelector("aside h2")?.textContent !== before && document.querySelector("aside h2"),
        first,
      );
      await page.keyboard.press("Escape");
      await detail.waitFor({ state: "detached" });
      expect(await page.getByRole("grid").evaluate((grid) => grid === document.activeElement), "the focus was lost");
    },
  },
  {
    name: "a whole library of 5,310 and more is chosen at once",
    query: { scenario: "delivered" },
    async walk(page) {
      await tiles(page).first().waitFor();
      await page.getByRole("grid").focus();
      await page.keyboard.press("ControlOrMeta+a");
      await page.getByText("18,204 items selected").waitFor();
    },
  },
  {
    name: "200,000 photos are scrolled to the end without a stutter",
    query: { scenario: "huge" },
    async walk(page) {
      await tiles(page).first().waitFor();
      await page.getByRole("grid").focus();
      await page.keyboard.press("End");
      await page.waitForFunction(() => document.activeElement?.getAttribute("aria-activedescendant")?.endsWith("-199999"));
      await page.locator(".tile.active:not([aria-label=Loading])").waitFor();
      expect((await page.locator(".tile").count()) < 250, "rows off the screen were kept");
    },
  },
  {
    name: "what waits is uploaded anyway",
    hash: "#/uploads",
    query: { scenario: "waiting" },
    async walk(page) {
      const card = page.locator("article", { hasText: "198 items to" });
      await card.getByRole("button", { name: "Upload anyway" }).click();
      await page.getByRole("menuitem", { name: "For an hour" }).click();
      await page.getByText(/Uploading .* to Home server/).waitFor();
      await card.getByText("Waiting:").waitFor({ state: "detached" });
    },
  },
  {
    name: "uploads are paused and resumed",
    async walk(page) {
      await page.getByRole("button", { name: "Pause" }).click();
      await page.getByRole("menuitem", { name: "Until plugged in" }).click();
      await page.getByRole("status").getByText("Paused").waitFor();
      await page.getByRole("button", { name: "Resume" }).click();
      await page.getByRole("status").getByText("Uploading").waitFor();
    },
  },
  {
    name: "uploads are paused until one is on another network that is allowed",
    async walk(page) {
      await page.getByRole("button", { name: "Pause" }).click();
      expect((await page.getByRole("menuitem", { name: /Until I am on .*(Home|Station)/ }).count()) === 0, "a wrong network is offered");
      await page.getByRole("menuitem", { name: /Until I am on .*Studio/ }).click();
      await page.getByRole("status").getByText("Uploads continue on Studio 5 GHz.").waitFor();
    },
  },
  {
    name: "what a destination shows to hold goes to the trash, by keyboard and only as far as it is left chosen",
    hash: "#/destinations",
    async walk(page) {
      await page.getByRole("button", { name: /More for .*photos.example.com/ }).focus();
      await page.keyboard.press("Enter");
      await page.getByRole("menuitem", { name: "Free up space" }).focus();
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Check now" }).focus();
      await page.keyboard.press("Enter");
      const offered = dialog.getByRole("listbox", { name: "Can go to the trash" });
      await offered.getByRole("option").first().waitFor();
      await dialog.getByText("24 of 24 chosen").waitFor();
      await dialog.getByText("2 items: the destination does not hold them any more").waitFor();
      await offered.focus();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Space");
      await dialog.getByText("23 of 24 chosen").waitFor();
      expect((await offered.getByRole("option").nth(1).getAttribute("aria-selected")) === "false", "another was left out");
      await dialog.getByRole("button", { name: /^Move 23 items to the trash/ }).focus();
      await page.keyboard.press("Enter");
      await dialog.getByText("went to the trash").waitFor();
      await dialog.getByText("It changed since the check.").first().waitFor();
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
    },
  },
  {
    name: "10,000 photos that could go to the trash are looked through quickly, by keyboard",
    hash: "#/destinations",
    query: { scenario: "huge" },
    async walk(page) {
      await page.getByRole("button", { name: /More for .*photos.example.com/ }).click();
      await page.getByRole("menuitem", { name: "Free up space" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Check now" }).click();
      const offered = dialog.getByRole("listbox", { name: "Can go to the trash" });
      await dialog.getByText("10,000 of 10,000 chosen").waitFor();
      await offered.focus();
      // The browser's own clock: what the keys cost, without the way to them.
      const slowest = await offered.evaluate(async (list) => {
        let slowest = 0;
        for (const key of ["End", " ", "Home", " ", "PageDown", " "]) {
          const began = performance.now();
          list.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          slowest = Math.max(slowest, performance.now() - began);
        }
        return slowest;
      });
      await dialog.getByText("9,997 of 10,000 chosen").waitFor();
      expect(slowest < 1_000, `a key took ${Math.round(slowest)} ms`);
      await page.keyboard.press("End");
      await offered.locator('[aria-posinset="10000"]').waitFor();
      expect((await offered.getByRole("option").count()) < 60, "rows off the screen were kept");
      const active = await offered.getAttribute("aria-activedescendant");
      expect((await page.locator(`[id="${active}"]`).getAttribute("aria-posinset")) === "10000", "the active row is not there");
      await page.keyboard.press("Shift+ArrowUp");
      await dialog.getByText("9,998 of 10,000 chosen").waitFor();

      const all = dialog.getByRole("checkbox", { name: "Choose all" });
      expect(await all.evaluate((box) => box.indeterminate), "a part is shown as all or nothing");
      await all.check();
      await dialog.getByText("10,000 of 10,000 chosen").waitFor();
      await offered.focus();
      await page.keyboard.press("ControlOrMeta+a");
      await dialog.getByText("0 of 10,000 chosen (0 B)").waitFor();
      expect(await dialog.getByRole("button", { name: /^Move .* to the trash/ }).isDisabled(), "nothing could be moved");
      await offered.getByRole("option").nth(2).click();
      await dialog.getByRole("button", { name: /^Move 1 item to the trash/ }).click();
      await dialog.getByText("went to the trash").waitFor();
    },
  },
  {
    name: "a destination is wished other versions of edited photos",
    hash: "#/destinations",
    async walk(page) {
      const wish = page.getByRole("article", { name: "Home server" }).getByLabel("Of edited photos");
      await wish.selectOption("originals only");
      await page.waitForFunction(() => !document.querySelector("article select:disabled"));
      expect((await wish.inputValue()) === "originals", "the wish was not kept");
    },
  },
  {
    name: "Immich is wished another place for photos, and albums",
    hash: "#/destinations",
    query: { scenario: "kinds" },
    async walk(page) {
      const card = page.getByRole("article", { name: "Immich at home" });
      const settled = () => page.waitForFunction(() => !document.querySelector("article select:disabled"));
      const albums = card.getByRole("checkbox", { name: "Make my albums there, too" });
      await albums.check();
      await settled();
      expect(await albums.isChecked(), "the wish for albums was not kept");
      await card.getByLabel("Where Immich shows photos").selectOption("In the locked folder");
      await settled();
      await albums.waitFor({ state: "detached" });
      await card.getByLabel("Where Immich shows photos").selectOption("In the timeline");
      await settled();
      expect(!(await albums.isChecked()), "albums were wished that the locked folder cannot have");
      const other = page.getByRole("article", { name: "Family cloud" });
      expect((await other.getByLabel("Where Immich shows photos").count()) === 0, "a question only for Immich");
    },
  },
  {
    name: "the addresses of a destination are put in another order, corrected and removed, by keyboard alone",
    hash: "#/destinations",
    query: { scenario: "kinds" },
    async walk(page) {
      const card = page.getByRole("article", { name: "Immich at home" });
      const shown = card.getByRole("list", { name: "Reached at" }).getByRole("listitem");
      expect((await shown.count()) === 2, "not every address is shown");
      await shown.first().getByText("used now").waitFor();
      await card.getByRole("button", { name: /Change the addresses of/ }).focus();
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog");
      const save = dialog.getByRole("button", { name: "Test and save" });
      const values = async () => {
        const fields = await dialog.getByRole("textbox").all();
        return (await Promise.all(fields.map((field) => field.inputValue()))).map((value) => new URL(value).host).join(" ");
      };
      expect(await save.isDisabled(), "there is nothing to save");
      await dialog.getByLabel("Address 2", { exact: true }).focus();
      await page.keyboard.press("Alt+ArrowUp");
      await dialog.getByText("It is number 1 of 2 now.").waitFor();
      expect((await values()) === "photos.example.com photos.home.arpa", await values());
      expect(await dialog.getByLabel("Address 1", { exact: true }).evaluate((field) => field === document.activeElement), "the focus was lost");

      await dialog.getByLabel("Address 1", { exact: true }).fill("stranger.example.com");
      await page.keyboard.press("Enter");
      await dialog.getByRole("alert").getByText("Another server than yours answers at stranger.example.com").waitFor();
      await dialog.getByRole("button", { name: "Undo changes" }).click();
      expect((await values()) === "photos.home.arpa photos.example.com", await values());
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
      expect((await shown.first().textContent()).includes("photos.home.arpa"), "what was refused was kept");

      await card.getByRole("button", { name: /Change the addresses of/ }).click();
      await dialog.getByLabel("Address 1, used now").fill("photos.new.example");
      await dialog.getByRole("button", { name: "Remove address 2" }).focus();
      await page.keyboard.press("Enter");
      expect((await dialog.getByRole("button", { name: /Remove address/ }).count()) === 0, "the last could be removed");
      await save.focus();
      await page.keyboard.press("Enter");
      await page.getByText("is reached at these addresses from now on").waitFor();
      await card.getByText("https://photos.new.example").waitFor();
      await shown.first().waitFor({ state: "detached" });
    },
  },
  {
    name: "a destination is given rules of its own",
    hash: "#/destinations",
    async walk(page) {
      const card = page.getByRole("article", { name: "Home server" });
      await card.getByText("No rules of its own").waitFor();
      await card.getByRole("button", { name: /Change the rules of/ }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("switch", { name: "Send there only when plugged in" }).check();
      await dialog.getByRole("checkbox", { name: "Studio 5 GHz" }).check();
      await dialog.getByRole("checkbox", { name: "Home" }).check();
      await page.keyboard.press("Escape");
      await card.getByText("only when plugged in").waitFor();
      await card.getByText(/only over .*Home.* and .*Studio/).waitFor();
    },
  },
  {
    name: "the history says when uploads went on and why they stopped",
    hash: "#/uploads",
    async walk(page) {
      await page.getByRole("tab", { name: "Activity" }).focus();
      await page.keyboard.press("ArrowRight");
      const runs = page.getByRole("listitem");
      await runs.filter({ hasText: "148 items delivered, 652 MB" }).getByText("moved to Pixel hotspot").waitFor();
      await runs.filter({ hasText: "2 attempts failed" }).getByText("1 hr 14 min").waitFor();
      await page.getByRole("tab", { name: "Activity" }).click();
      await page.getByText("Last 10 minutes").waitFor();
    },
  },
  {
    name: "signing in again lets what waited go on",
    hash: "#/uploads",
    query: { scenario: "attention" },
    async walk(page) {
      await page.getByRole("button", { name: "Sign in again" }).click();
      const field = page.getByLabel("Token");
      await field.fill("wrong");
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await page.getByRole("alert").getByText("did not accept the token").waitFor();
      await field.fill("right");
      await page.keyboard.press("Enter");
      await page.getByText("What waited goes on.").waitFor();
      await page.getByRole("button", { name: "Sign in again" }).waitFor({ state: "detached" });
    },
  },
  {
    name: "a failed photo is retried",
    hash: "#/uploads",
    query: { scenario: "attention" },
    async walk(page) {
      const failed = page.locator("article", { hasText: "The file is gone" });
      await failed.getByRole("button", { name: "Retry" }).click();
      await failed.waitFor({ state: "detached" });
    },
  },
  {
    name: "the jobs behind a number are seen",
    hash: "#/uploads",
    query: { scenario: "waiting" },
    async walk(page) {
      await page.getByRole("button", { name: /198 items to/ }).click();
      const jobs = page.getByRole("dialog").getByRole("listitem");
      await jobs.first().waitFor();
      await jobs.first().getByText("Pixel hotspot is metered").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    },
  },
  {
    name: "an album is made, filled, renamed and deleted",
    async walk(page) {
      await page.getByRole("button", { name: "New album" }).click();
      await page.getByLabel("Name").fill("Harbour <b>lights</b>");
      await page.keyboard.press("Enter");
      await page.getByText("Nothing here").waitFor();
      await page.getByRole("link", { name: /^Library/ }).click();
      await tiles(page).nth(2).click();
      await page.getByRole("button", { name: "Add to album" }).click();
      await page.getByRole("menuitem", { name: "Harbour" }).click();
      const link = page.getByRole("link", { name: /Harbour <b>lights<\/b>/ });
      await link.getByText("1", { exact: true }).waitFor();
      await page.getByRole("button", { name: /Actions for .*Harbour/ }).click();
      await page.getByRole("menuitem", { name: "Delete the album" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete the album" }).click();
      await link.waitFor({ state: "detached" });
    },
  },
  {
    name: "an app's access is withdrawn with one click, and given again by choosing photos",
    hash: "#/apps",
    async walk(page) {
      const row = page.getByRole("listitem").filter({ hasText: "Reel Editor" });
      await row.getByRole("button", { name: /Withdraw/ }).click();
      await row.getByText("No access").waitFor();
      await row.getByRole("button", { name: /Change/ }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Selected photos").check();
      await dialog.locator(".tile").nth(20).click();
      await dialog.getByRole("button", { name: "Save" }).click();
      await row.getByText(/Selected photos.*15/).waitFor();
    },
  },
  {
    name: "a destination is tested before it is added, and says what it proves",
    hash: "#/destinations",
    async walk(page) {
      await page.getByRole("button", { name: "Add a destination" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Resumable HTTP" }).click();
      await dialog.getByLabel("Address").fill("https://nowhere.example/uploads");
      await page.keyboard.press("Enter");
      await dialog.getByRole("alert").getByText("does not answer").waitFor();
      await dialog.getByLabel("Address").fill("https://box.example/uploads");
      await dialog.getByLabel("Name").fill("The box");
      await dialog.getByRole("button", { name: "Test and add" }).click();
      await dialog.getByText("proved it by SHA-256").waitFor();
      await dialog.getByRole("button", { name: "Done" }).click();
      const card = page.getByRole("article", { name: "The box" });
      await card.getByText("All photos").waitFor();
      await card.getByRole("button", { name: /More for/ }).click();
      await page.getByRole("menuitem", { name: "Remove" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
      await card.waitFor({ state: "detached" });
    },
  },
  {
    name: "a certificate that nobody vouches for is shown, and exactly it is trusted",
    hash: "#/destinations",
    async walk(page) {
      await page.getByRole("button", { name: "Add a destination" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Immich", exact: true }).click();
      await dialog.getByLabel("Address").fill("https://self-made.home.arpa");
      await dialog.getByLabel("API key").fill("right");
      await dialog.getByRole("button", { name: "Test and add" }).click();
      await dialog.getByText("5E:0B:9A").waitFor();
      await dialog.getByText("Home CA, Ada").waitFor();
      await dialog.getByText("2 May 2023 to 2 May 2025").waitFor();
      await dialog.getByText("It has expired.").waitFor();
      await dialog.getByRole("button", { name: "Trust exactly this certificate" }).click();
      await dialog.getByText("by SHA-1").first().waitFor();
    },
  },
  {
    name: "a certificate that has changed holds its destination until the new one is trusted",
    hash: "#/destinations",
    query: { scenario: "kinds" },
    async walk(page) {
      const card = page.getByRole("article", { name: "Studio" });
      await card.getByText("shows another certificate").waitFor();
      await card.getByRole("button", { name: "Look at the certificate" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Trust exactly this certificate" }).click();
      await card.getByText("Ready").waitFor();
    },
  },
  {
    name: "the user's name can be changed when signing in again",
    hash: "#/destinations",
    query: { scenario: "kinds" },
    async walk(page) {
      const card = page.getByRole("article", { name: "Family cloud" });
      await card.getByRole("button", { name: "Sign in again" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("User name").fill("anna");
      await dialog.getByLabel("App password").fill("right");
      await dialog.getByRole("button", { name: "Sign in", exact: true }).click();
      await dialog.waitFor({ state: "detached" });
      await card.getByText("Ready").waitFor();
    },
  },
  {
    name: "another computer is found nearby and paired by the code that it shows",
    hash: "#/destinations",
    async walk(page) {
      await page.getByRole("button", { name: "Add a destination" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Search nearby" }).click();
      await dialog.getByRole("radio", { name: "Attic" }).check();
      await dialog.getByLabel("Code on its screen").fill("0000 0000");
      await page.keyboard.press("Enter");
      await dialog.getByRole("alert").getByText("not the code that 192.168.1.21 shows").waitFor();
      await dialog.getByLabel("Code on its screen").fill("1234 5678");
      await dialog.getByRole("button", { name: "Pair and test" }).click();
      await dialog.getByText("proved it by SHA-256").waitFor();
      await dialog.getByRole("button", { name: "Done" }).click();
      await page.getByRole("article", { name: "Attic" }).waitFor();
    },
  },
  {
    name: "Immich is added by keyboard alone, and a refused key leaves everything as it was typed",
    hash: "#/destinations",
    async walk(page) {
      const focused = (label) =>
        page.waitForFunction((wanted) => document.activeElement?.labels?.[0]?.textContent === wanted, label);
      await page.getByRole("button", { name: "Add a destination" }).focus();
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").getByRole("button", { name: "Immich" }).focus();
      await page.keyboard.press("Enter");
      await focused("Address");
      await page.keyboard.type("photos.home.arpa");
      // Over the way to a further address.
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await focused("API key");
      await page.keyboard.type("wrong");
      await page.keyboard.press("Tab");
      await focused("Where Immich shows photos");
      await page.keyboard.press("Tab");
      await focused("Make my albums there, too");
      await page.keyboard.press("Space");
      await page.keyboard.press("Tab");
      await focused("Of edited photos");
      await page.keyboard.press("Tab");
      await focused("Name");
      await page.keyboard.type("Immich");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").getByText("did not accept the API key").waitFor();
      await focused("API key");
      const key = page.getByLabel("API key");
      expect((await key.getAttribute("aria-invalid")) === "true", "the key is not said to be at fault");
      expect((await page.getByLabel("Address").inputValue()) === "https://photos.home.arpa", "the address was lost");
      expect((await page.getByLabel("Name").inputValue()) === "Immich", "the name was lost");
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.type("right");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").getByText("It proves each delivery by SHA-1.").waitFor();
      await page.getByRole("button", { name: "Done" }).click();
      const card = page.getByRole("article", { name: "Immich" });
      await card.getByText("https://photos.home.arpa").waitFor();
      await card.getByRole("button", { name: /More for/ }).click();
      await page.getByRole("menuitem", { name: "Change API key…" }).click();
      await page.getByRole("dialog").getByLabel("API key").waitFor();
    },
  },
  {
    name: "every kind asks for what it needs, is tested, and shows where it is and what it proves",
    hash: "#/destinations",
    query: { scenario: "empty" },
    async walk(page) {
      const dialog = page.getByRole("dialog");
      const kinds = [
        ["Nextcloud", { Address: "https://cloud.example", "User name": "ada", "App password": "p", "Folder there": "Photos/Ada" }, "Photos/Ada", "proves small files by SHA-256"],
        ["WebDAV", { Address: "https://nas.example/dav/", "User name": "ada", Password: "p" }, "nas.example/dav", "confirms the size"],
        ["S3", { "Address with the bucket": "https://s3.example/shots", "Access key ID": "A", "Secret access key": "p", Prefix: "glow" }, "glow", "by checksum"],
        ["tus", { Address: "https://tus.example/files/" }, "tus.example/files", "confirms the size"],
        ["Folder or drive", { Folder: "/media/ada/Stick" }, "/media/ada/Stick", "confirms the size"],
      ];
      for (const [kind, answers, where, proof] of kinds) {
        await page.getByRole("button", { name: "Add a destination" }).first().click();
        await dialog.getByRole("button", { name: kind, exact: true }).click();
        for (const [label, answer] of Object.entries(answers)) await dialog.getByLabel(label, { exact: true }).fill(answer);
        await dialog.getByLabel("Name", { exact: true }).fill(`My ${kind}`);
        await dialog.getByRole("button", { name: "Test and add" }).click();
        await dialog.getByRole("button", { name: "Done" }).click();
        const card = page.getByRole("article", { name: `My ${kind}` });
        await card.getByText(where).waitFor();
        await card.getByText(proof).waitFor();
      }
    },
  },
  {
    name: "Nextcloud is signed in to in the browser, after a cancelled try",
    hash: "#/destinations",
    async walk(page) {
      await page.getByRole("button", { name: "Add a destination" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Nextcloud", exact: true }).click();
      const sign_in = dialog.getByRole("button", { name: "Sign in with the browser" });
      expect(await sign_in.isDisabled(), "there is nothing to sign in to yet");
      await dialog.getByLabel("Address").fill("https://nowhere.example");
      await sign_in.click();
      await dialog.getByRole("alert").getByText("does not answer").waitFor();
      await dialog.getByLabel("Address").fill("https://slow.example");
      await sign_in.click();
      await dialog.getByRole("button", { name: "Cancel" }).click();
      await dialog.getByLabel("Address").fill("https://cloud.example");
      await sign_in.click();
      await dialog.getByText("You are signed in as").waitFor();
      expect((await dialog.getByLabel("App password").count()) === 0, "a password is asked for all the same");
      await dialog.getByRole("button", { name: "Test and add" }).click();
      await dialog.getByText("proves small files by SHA-256").waitFor();
    },
  },
  {
    name: "Google Photos wants a client and a yes, and is said to prove nothing",
    hash: "#/destinations",
    async walk(page) {
      await page.getByRole("button", { name: "Add a destination" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Google Photos", exact: true }).click();
      await dialog.getByText("accepts photos and proves nothing").waitFor();
      const add = dialog.getByRole("button", { name: "Test and add" });
      expect(await add.isDisabled(), "it can be added without a sign-in");
      await dialog.getByLabel("Client ID").fill("refused");
      await dialog.getByLabel("Client secret").fill("secret");
      await dialog.getByRole("button", { name: "Sign in with the browser" }).click();
      await dialog.getByRole("alert").getByText("did not let Afterglow").waitFor();
      await dialog.getByLabel("Client ID").fill("mine");
      await dialog.getByRole("button", { name: "Sign in with the browser" }).click();
      await dialog.getByText("You are signed in.").waitFor();
      await dialog.getByLabel("Album (optional)").fill("Holidays");
      await add.click();
      await dialog.getByRole("button", { name: "Done" }).click();
      const card = page.getByRole("article", { name: "Google Photos" });
      await card.getByText("Holidays").waitFor();
      await card.getByRole("button", { name: /More for/ }).click();
      await page.getByRole("menuitem", { name: "Sign in again…" }).click();
      await dialog.getByRole("button", { name: "Sign in with the browser" }).click();
      await dialog.waitFor({ state: "detached" });
    },
  },
  {
    name: "a folder is chosen, read back on wish, and has no sign-in",
    hash: "#/destinations",
    async walk(page) {
      await page.getByRole("button", { name: "Add a destination" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Folder or drive" }).click();
      await dialog.getByLabel("Folder", { exact: true }).fill("Pictures");
      await dialog.getByRole("button", { name: "Test and add" }).click();
      await dialog.getByRole("alert").getByText("give an absolute path").waitFor();
      await dialog.getByRole("button", { name: "Choose folder…" }).click();
      await dialog.getByLabel("Read each delivery back").check();
      await dialog.getByRole("button", { name: "Test and add" }).click();
      await dialog.getByText("Each delivery is read back and compared.").waitFor();
      await dialog.getByRole("button", { name: "Done" }).click();
      const card = page.getByRole("article", { name: "Scans" });
      await card.getByRole("button", { name: /More for/ }).click();
      await page.getByRole("menuitem", { name: "Show the folder" }).waitFor();
    },
  },
  {
    name: "signing in again asks for what the kind calls its secret",
    hash: "#/destinations",
    query: { scenario: "kinds" },
    async walk(page) {
      await page.getByRole("button", { name: "Sign in again" }).click();
      const field = page.getByRole("dialog").getByLabel("App password");
      await field.fill("wrong");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").getByText("did not accept the app password").waitFor();
      await field.fill("right");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Sign in again" }).waitFor({ state: "detached" });
    },
  },
  {
    name: "what Immich holds is said to be verified by SHA-1",
    query: { scenario: "kinds" },
    async walk(page) {
      await tiles(page).nth(2).dblclick();
      await page.getByText(/Immich at home.*verified by SHA-1/).waitFor();
    },
  },
  {
    name: "settings are sentences that hold",
    hash: "#/settings",
    async walk(page) {
      await page.getByRole("switch", { name: "Upload only over networks that cost nothing by the byte" }).click();
      await page.getByText("Uploads go over any network").waitFor();
      await page.getByLabel("Enough is a charge of").fill("60");
      await page.getByText("60%").waitFor();
      await page.getByLabel("Upload on battery").selectOption({ label: "Always" });
      await page.getByLabel("Enough is a charge of").waitFor({ state: "detached" });
      await page.getByLabel("Upload speed").selectOption("1000000");
      await page.getByRole("link", { name: /^Library/ }).click();
      await page.getByRole("link", { name: "Settings" }).click();
      expect((await page.getByLabel("Upload speed").inputValue()) === "1000000", "the limit was forgotten");
    },
  },
  {
    name: "the network one is on is forbidden, and forgotten again",
    hash: "#/settings",
    async walk(page) {
      const answers = page.getByRole("radiogroup", { name: /Uploads over .*Home/ });
      expect(await answers.getByRole("radio", { name: "Always allow" }).isChecked(), "the rule is not shown");
      await answers.getByRole("radio", { name: "Never" }).check();
      await page.getByText(/You are on .*Home.*: no uploads/).waitFor();
      await page.getByRole("button", { name: /Remove the rule for .*Home/ }).click();
      await page.getByText(/You are on .*Home.*: no rule/).waitFor();
      expect((await page.getByRole("button", { name: /Remove the rule for/ }).count()) === 2, "another rule went too");
    },
  },
  {
    name: "hours are painted with the mouse",
    hash: "#/settings",
    query: { scenario: "empty" },
    async walk(page) {
      const cell = (name) => page.getByRole("gridcell", { name, exact: true });
      await page.getByText("At most", { exact: true }).click();
      await page.getByLabel("Limit in MB per second").fill("3");
      await page.keyboard.press("Enter");
      await cell("Tuesday 08:00–09:00: full speed").scrollIntoViewIfNeeded();
      await cell("Tuesday 08:00–09:00: full speed").hover();
      await page.mouse.down();
      await cell("Thursday 11:00–12:00: full speed").hover();
      await cell("Wednesday 10:00–11:00: at most 3.0 MB/s").waitFor();
      await page.mouse.up();
      await cell("Thursday 11:00–12:00: at most 3.0 MB/s").waitFor();
      expect((await page.getByRole("gridcell", { name: /at most/ }).count()) === 12, "not the block that was drawn");
      await page.getByRole("button", { name: "Clear" }).click();
      await cell("Thursday 11:00–12:00: full speed").waitFor();
    },
  },
  {
    name: "hours are painted by keyboard alone",
    hash: "#/settings",
    query: { scenario: "empty" },
    async walk(page) {
      const stopped = page.getByRole("gridcell", { name: /no uploads/ });
      await page.getByRole("gridcell", { name: "Monday 09:00–10:00: full speed" }).focus();
      await page.keyboard.press("Space");
      await page.getByRole("gridcell", { name: "Monday 09:00–10:00: no uploads" }).waitFor();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("End");
      await page.keyboard.press("Shift+ArrowLeft");
      await page.keyboard.press("Shift+ArrowDown");
      expect((await page.getByRole("gridcell", { selected: true }).count()) === 4, "the block is not told");
      await page.keyboard.press("Enter");
      await page.getByRole("gridcell", { name: "Wednesday 22:00–23:00: no uploads" }).waitFor();
      expect((await stopped.count()) === 5, "more was painted than was chosen");
      await page.getByRole("link", { name: /^Library/ }).click();
      await page.getByRole("link", { name: "Settings" }).click();
      await stopped.first().waitFor();
      expect((await stopped.count()) === 5, "the hours were forgotten");
    },
  },
  {
    name: "the first run ends in the library, three steps later",
    query: { scenario: "first-run" },
    async walk(page) {
      await page.getByText("Step 1 of 3").waitFor();
      await page.getByLabel(/Pictures/).waitFor();
      expect(await page.getByLabel(/Pictures/).isChecked(), "the fullest folder is not chosen");
      await page.getByRole("button", { name: "Continue" }).click();
      expect(await page.getByLabel(/An archive on this computer/).isChecked(), "the archive is not chosen");
      await page.getByRole("button", { name: "Continue" }).click();
      expect(await page.getByLabel(/Whenever it makes sense/).isChecked(), "the sensible answer is not chosen");
      await page.getByRole("button", { name: "Start uploading" }).click();
      await page.getByRole("link", { name: /^Library/ }).waitFor();
      await page.getByRole("link", { name: /^Destinations/ }).click();
      const card = page.getByRole("article", { name: "Archive" });
      await card.getByText("/home/ada/Afterglow Archive").waitFor();
      await card.getByText("All photos").waitFor();
    },
  },
  {
    name: "the first run can go to a server of one's own",
    query: { scenario: "first-run" },
    async walk(page) {
      await page.getByRole("button", { name: "Continue" }).click();
      await page.getByRole("button", { name: "Nextcloud", exact: true }).click();
      expect((await page.getByRole("button", { name: "Continue" }).count()) === 0, "it goes on before there is an answer");
      await page.getByLabel("Address").fill("https://cloud.example.com");
      await page.getByLabel("User name").fill("ada");
      await page.getByLabel("App password").fill("right");
      await page.getByRole("button", { name: "Test and add" }).click();
      expect(await page.getByLabel(/cloud\.example\.com/).isChecked(), "what was added is not chosen");
      await page.getByRole("button", { name: "Continue" }).click();
      await page.getByText("Step 3 of 3").waitFor();
    },
  },
  {
    name: "an archive in a folder of one's own takes one click and a folder",
    hash: "#/destinations",
    query: { scenario: "empty" },
    async walk(page) {
      await page.getByRole("button", { name: "Add a destination" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Choose folder…" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Done" }).click();
      const card = page.getByRole("article", { name: "Scans" });
      await card.getByText("/home/ada/Pictures/Scans").waitFor();
      await card.getByRole("button", { name: /More for/ }).click();
      await page.getByRole("menuitem", { name: "Show the folder" }).waitFor();
      expect((await page.getByRole("menuitem", { name: /token/ }).count()) === 0, "a folder asks for a token");
    },
  },
  {
    name: "a service that does not run is started",
    query: { scenario: "disconnected" },
    async walk(page) {
      await page.getByRole("button", { name: "Start it" }).click();
      await page.getByText("Everything is delivered").waitFor();
    },
  },
  {
    name: "a question is answered by keyboard, and not before half a second",
    page: "prompt",
    query: { prompt: "" },
    async walk(page) {
      const deny = page.getByRole("button", { name: "Don’t allow" });
      await deny.waitFor();
      await page.waitForFunction(() => document.activeElement?.textContent?.includes("allow"));
      expect(await deny.evaluate((button) => button === document.activeElement), "the harmless answer has not the focus");
      const full = page.getByRole("button", { name: "Allow full library" });
      await page.getByRole("button", { name: "Allow full library", disabled: false }).waitFor();
      await page.keyboard.press("Shift+Tab");
      expect(await full.evaluate((button) => button === document.activeElement), "Shift+Tab leads elsewhere");
      await page.keyboard.press("Enter");
      await page.getByText("No app is asking.").waitFor();
    },
  },
  {
    name: "a question that comes back from behind has to be seen again",
    page: "prompt",
    query: { prompt: "" },
    async walk(page) {
      const allowed = page.getByRole("button", { name: "Allow full library", disabled: false });
      await allowed.waitFor();
      await page.evaluate(() => (window.dispatchEvent(new Event("blur")), window.dispatchEvent(new Event("focus"))));
      expect((await allowed.count()) === 0, "it could be allowed at once");
      await allowed.waitFor();
    },
  },
  {
    name: "photos for an app are chosen in the prompt",
    page: "prompt",
    query: { prompt: "" },
    async walk(page) {
      await page.getByRole("button", { name: "Select photos…" }).click();
      await tiles(page).nth(1).click();
      await tiles(page).nth(4).click();
      await page.getByText("2 items selected").waitFor();
      await page.getByRole("button", { name: "Allow these" }).click();
      await page.getByText("No app is asking.").waitFor();
    },
  },
  {
    name: "files dropped are counted, known ones are marked, the rest goes",
    page: "drop",
    async walk(page) {
      await page.getByText("Drop photos here").waitFor();
      await page.getByText(/They go to .*Home server/).waitFor();
      await dragFiles(page, "dragenter", 14);
      await page.getByText(/14 items →/).waitFor();
      await page.getByText("3 are there already").waitFor();
      await dragFiles(page, "dragleave", 0);
      await page.getByText("Drop photos here").waitFor();
      await dragFiles(page, "drop", 14);
      await page.getByText(/11 items on their way to/).waitFor();
      await page.getByRole("progressbar").waitFor();
    },
  },
  {
    name: "a hostile file name is text",
    async walk(page) {
      const hostile = page.getByRole("gridcell", { name: /onerror/ });
      await hostile.dblclick();
      const heading = page.getByRole("heading", { name: /<img src=x/ });
      await heading.waitFor();
      expect(!(await heading.textContent()).includes("\u202e"), "it can turn the line around");
    },
  },
];

export function journeyTests(browser, server) {
  return JOURNEYS.map((journey) => ({
    name: `journey: ${journey.name}`,
    async run() {
      const { page, troubles, close } = await open(browser, server, {
        ...journey,
        page: journey.page ?? "index",
        query: { ...LIVE, ...journey.query },
      });
      page.setDefaultTimeout(10_000);
      try {
        await settle(page);
        await journey.walk(page);
        if (troubles.length) throw new Error(troubles.join("\n    "));
      } finally {
        await close();
      }
    },
  }));
}
