/** Every screen, light and dark: photographed, and looked through for what a screen reader or weak eyes would miss. */
import { join } from "node:path";
import { OUT, open, settle, violations } from "./browser.mjs";

const button = (name) => (page) => page.getByRole("button", { name }).first().click();

/** Leads from the destinations to the form of a kind. */
const describe = (kind) => async (page) => {
  await button("Add a destination")(page);
  await page.getByRole("dialog").getByRole("button", { name: kind, exact: true }).click();
};

/** Leads from the destinations to the check of what could go to the trash, and to what it finds. */
const space = async (page) => {
  await button(/More for .*photos.example.com/)(page);
  await page.getByRole("menuitem", { name: "Free up space" }).click();
};
const spaceFound = async (page) => {
  await space(page);
  await button("Check now")(page);
  await page.getByRole("button", { name: /^Move .* to the trash/ }).waitFor();
};

/** Leads from the destinations to the addresses of Immich. */
const addresses = button(/Change the addresses of .*Immich at home/);

const scrollTo = (title) => (page) => page.getByRole("heading", { name: title, exact: true }).evaluate((heading) => heading.scrollIntoView());

/** Drags `count` files over the window, as a file manager would. */
export function dragFiles(page, type, count) {
  return page.evaluate(
    ([type, count]) => {
      const dataTransfer = new DataTransfer();
      for (let at = 0; at < count; at++) dataTransfer.items.add(new File(["x"], `IMG_${at}.jpg`, { type: "image/jpeg" }));
      window.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    },
    [type, count],
  );
}

/** `act` leads from the opened window to the screen. */
export const SCREENS = [
  { name: "library" },
  { name: "library-scrolled", act: (page) => page.locator("[role=grid] > div:last-child").evaluate((list) => (list.scrollTop = 1500)) },
  {
    name: "library-selection",
    act: async (page) => {
      const tiles = page.getByRole("gridcell", { selected: false });
      await tiles.nth(3).click();
      await tiles.nth(7).click({ modifiers: ["Shift"] });
    },
  },
  {
    name: "library-upload-menu",
    act: async (page) => {
      await page.getByRole("gridcell", { selected: false }).nth(2).click();
      await button("Upload to")(page);
      await page.getByRole("menu").waitFor();
    },
  },
  {
    name: "library-detail",
    act: async (page) => {
      await page.getByRole("gridcell", { selected: false }).nth(2).dblclick();
      await page.getByText("Taken").waitFor();
    },
  },
  { name: "library-album", hash: "#/library/album-2" },
  { name: "library-album-new", act: button("New album") },
  { name: "library-narrow", size: [760, 560] },
  { name: "library-huge", query: { scenario: "huge" } },
  { name: "library-empty", query: { scenario: "empty" } },
  { name: "library-hindi", query: { lang: "hi" } },
  { name: "uploads", hash: "#/uploads" },
  { name: "uploads-waiting", hash: "#/uploads", query: { scenario: "waiting" } },
  { name: "uploads-anyway", hash: "#/uploads", query: { scenario: "waiting" }, act: async (page) => {
      await button("Upload anyway")(page);
      await page.getByRole("menu").waitFor();
    } },
  { name: "uploads-attention", hash: "#/uploads", query: { scenario: "attention" } },
  { name: "uploads-delivered", hash: "#/uploads", query: { scenario: "delivered" } },
  { name: "uploads-empty", hash: "#/uploads", query: { scenario: "empty" } },
  { name: "uploads-german", hash: "#/uploads", query: { lang: "de", scenario: "waiting" } },
  { name: "uploads-jobs", hash: "#/uploads", query: { scenario: "waiting" }, act: button(/198 items to/) },
  { name: "uploads-history", hash: "#/uploads", act: (page) => page.getByRole("tab", { name: "History" }).click() },
  { name: "uploads-history-empty", hash: "#/uploads", query: { scenario: "empty" }, act: (page) => page.getByRole("tab", { name: "History" }).click() },
  { name: "uploads-history-german", hash: "#/uploads", query: { lang: "de" }, size: [900, 700], act: (page) => page.getByRole("tab", { name: "Verlauf" }).click() },
  { name: "uploads-pause", hash: "#/uploads", act: async (page) => {
      await button("Pause")(page);
      await page.getByRole("menu").waitFor();
    } },
  { name: "apps", hash: "#/apps" },
  { name: "apps-change", hash: "#/apps", act: button(/Change what .*Home server/) },
  { name: "apps-picker", hash: "#/apps", act: button(/Change what .*Reel Editor/) },
  { name: "destinations", hash: "#/destinations" },
  { name: "destinations-attention", hash: "#/destinations", query: { scenario: "attention" } },
  { name: "destinations-add", hash: "#/destinations", act: button("Add a destination") },
  { name: "space", hash: "#/destinations", act: space },
  { name: "space-found", hash: "#/destinations", act: spaceFound },
  { name: "space-found-many", hash: "#/destinations", query: { scenario: "huge" }, act: async (page) => {
      await spaceFound(page);
      await page.getByRole("listbox").focus();
      for (const key of ["End", "Space", "ArrowUp"]) await page.keyboard.press(key);
      await page.getByText("9,999 of 10,000 chosen").waitFor();
    } },
  { name: "space-found-german", hash: "#/destinations", query: { lang: "de" }, size: [900, 700], act: async (page) => {
      await button(/Mehr zu .*photos.example.com/)(page);
      await page.getByRole("menuitem", { name: "Speicherplatz freigeben" }).click();
      await button("Jetzt prüfen")(page);
      await page.getByRole("button", { name: /Papierkorb verschieben/ }).waitFor();
    } },
  { name: "space-moved", hash: "#/destinations", act: async (page) => {
      await spaceFound(page);
      await page.getByRole("button", { name: /^Move .* to the trash/ }).click();
      await page.getByText("Stayed where they were").waitFor();
    } },
  { name: "destinations-kinds", hash: "#/destinations", query: { scenario: "kinds" } },
  { name: "destinations-add-immich", hash: "#/destinations", act: async (page) => {
      await describe("Immich")(page);
      await page.getByLabel("Address").fill("https://photos.home.arpa");
      await page.getByText("isOpen=api-keys").waitFor();
    } },
  { name: "destinations-add-nextcloud", hash: "#/destinations", act: describe("Nextcloud") },
  { name: "destinations-add-nextcloud-waiting", hash: "#/destinations", act: async (page) => {
      await describe("Nextcloud")(page);
      await page.getByLabel("Address").fill("https://slow.example.com");
      await button("Sign in with the browser")(page);
      await page.getByText("Waiting for you").waitFor();
    } },
  { name: "destinations-add-google", hash: "#/destinations", act: describe("Google Photos") },
  { name: "destinations-add-google-signed-in", hash: "#/destinations", act: async (page) => {
      await describe("Google Photos")(page);
      await page.getByLabel("Client ID").fill("1-a.apps.googleusercontent.com");
      await page.getByLabel("Client secret").fill("secret");
      await button("Sign in with the browser")(page);
      await page.getByText("You are signed in.").waitFor();
    } },
  { name: "destinations-add-webdav", hash: "#/destinations", act: describe("WebDAV") },
  { name: "destinations-add-s3", hash: "#/destinations", act: describe("S3") },
  { name: "destinations-add-folder", hash: "#/destinations", act: async (page) => {
      await describe("Folder or drive")(page);
      await button("Choose folder…")(page);
      await page.getByLabel("Read each delivery back").check();
    } },
  { name: "destinations-add-resumable", hash: "#/destinations", act: describe("Resumable HTTP") },
  { name: "destinations-add-receiver", hash: "#/destinations", act: async (page) => {
      await button("Add a destination")(page);
      await button("Search nearby")(page);
      await page.getByRole("radio", { name: "Küche" }).waitFor();
    } },
  { name: "destinations-add-tus", hash: "#/destinations", act: describe("tus") },
  { name: "destinations-add-refused", hash: "#/destinations", act: async (page) => {
      await describe("Immich")(page);
      await page.getByLabel("Address").fill("https://photos.home.arpa");
      await page.getByLabel("API key").fill("wrong");
      await button("Test and add")(page);
      await page.getByRole("alert").getByText("did not accept").waitFor();
    } },
  { name: "destinations-add-certificate", hash: "#/destinations", act: async (page) => {
      await describe("Immich")(page);
      await page.getByLabel("Address").fill("https://self-made.home.arpa");
      await page.getByLabel("API key").fill("right");
      await button("Test and add")(page);
      await page.getByRole("alert").getByText("nobody vouches for").waitFor();
    } },
  { name: "destinations-add-addresses", hash: "#/destinations", act: async (page) => {
      await describe("Immich")(page);
      await page.getByLabel("Address").fill("http://192.168.1.5:2283");
      await button("The server has another address")(page);
      await page.getByLabel("Also at").fill("https://photos.example.com");
      await page.getByLabel("Unencrypted").check();
    } },
  { name: "destinations-certificate", hash: "#/destinations", query: { scenario: "kinds" }, act: button("Look at the certificate") },
  { name: "destinations-certificate-hindi", hash: "#/destinations", query: { scenario: "kinds", lang: "hi" }, act: button("प्रमाणपत्र देखें") },
  { name: "destinations-addresses", hash: "#/destinations", query: { scenario: "kinds" }, act: addresses },
  { name: "destinations-addresses-refused", hash: "#/destinations", query: { scenario: "kinds" }, act: async (page) => {
      await addresses(page);
      await button("The server has another address")(page);
      await page.getByLabel("Address 3", { exact: true }).fill("http://stranger.home.arpa");
      await page.getByLabel("Unencrypted").check();
      await button("Test and save")(page);
      await page.getByRole("alert").getByText("Another server").waitFor();
    } },
  { name: "destinations-addresses-german-narrow", hash: "#/destinations", query: { scenario: "kinds", lang: "de" }, size: [760, 560],
    act: button(/Adressen von .*Immich at home.* ändern/) },
  { name: "destinations-addresses-hindi", hash: "#/destinations", query: { scenario: "kinds", lang: "hi" }, act: button(/Immich at home.* के पते बदलें/) },
  { name: "destinations-added", hash: "#/destinations", act: async (page) => {
      await describe("Immich")(page);
      await page.getByLabel("Address").fill("https://photos.home.arpa");
      await page.getByLabel("API key").fill("right");
      await button("Test and add")(page);
      await page.getByText("by SHA-1").first().waitFor();
    } },
  { name: "destinations-sign-in", hash: "#/destinations", query: { scenario: "kinds" }, act: button("Sign in again") },
  { name: "destinations-add-german-narrow", hash: "#/destinations", query: { lang: "de" }, size: [760, 560], act: async (page) => {
      await button("Ziel hinzufügen")(page);
      await page.getByRole("button", { name: "S3", exact: true }).click();
    } },
  { name: "destinations-add-hindi", hash: "#/destinations", query: { lang: "hi" }, act: button("गंतव्य जोड़ें") },
  { name: "destinations-empty", hash: "#/destinations", query: { scenario: "empty" } },
  { name: "destinations-own-rules", hash: "#/destinations", act: button(/Change the rules of .*Archive/) },
  { name: "destinations-german-narrow", hash: "#/destinations", query: { lang: "de" }, size: [900, 700] },
  { name: "destinations-chinese", hash: "#/destinations", query: { lang: "zh" } },
  { name: "settings", hash: "#/settings" },
  { name: "settings-hours", hash: "#/settings", act: scrollTo("Networks") },
  { name: "settings-budget", hash: "#/settings", act: scrollTo("Budget") },
  { name: "settings-german-narrow", hash: "#/settings", query: { lang: "de" }, size: [900, 700], act: scrollTo("Zeiten und Tempo") },
  { name: "settings-german-networks", hash: "#/settings", query: { lang: "de" }, size: [900, 700], act: scrollTo("Netze") },
  { name: "first-run-photos", query: { scenario: "first-run" } },
  { name: "first-run-where", query: { scenario: "first-run" }, act: button("Continue") },
  {
    name: "first-run-where-german",
    query: { scenario: "first-run", lang: "de" },
    act: async (page) => {
      await button("Weiter")(page);
      await button("Ordner wählen")(page);
    },
  },
  {
    name: "first-run-where-nextcloud",
    query: { scenario: "first-run" },
    act: async (page) => {
      await button("Continue")(page);
      await page.getByRole("button", { name: "Nextcloud", exact: true }).click();
    },
  },
  {
    name: "first-run-when",
    query: { scenario: "first-run" },
    act: async (page) => {
      await button("Continue")(page);
      await button("Continue")(page);
    },
  },
  { name: "disconnected", query: { scenario: "disconnected" } },
  { name: "drop", page: "drop" },
  {
    name: "drop-over",
    page: "drop",
    act: async (page) => {
      await page.getByRole("heading").waitFor();
      await dragFiles(page, "dragenter", 14);
      await page.getByText("14 items").waitFor();
    },
  },
  {
    name: "drop-sent",
    page: "drop",
    act: async (page) => {
      await page.getByRole("heading").waitFor();
      await dragFiles(page, "drop", 14);
      await page.getByText("on their way").waitFor();
    },
  },
  { name: "prompt", page: "prompt", query: { prompt: "" }, act: (page) => page.getByRole("button", { name: "Allow full library", disabled: false }).waitFor() },
  {
    name: "prompt-picker",
    page: "prompt",
    query: { prompt: "" },
    act: async (page) => {
      await button("Select photos…")(page);
      await page.getByRole("gridcell", { selected: false }).nth(2).click();
      await page.getByRole("gridcell", { selected: false }).nth(3).click();
    },
  },
];

/** The tests of this file, by name. */
export function screenTests(browser, server) {
  return SCREENS.flatMap((screen) =>
    [false, true].map((dark) => {
      const name = dark ? `${screen.name}-dark` : screen.name;
      return {
        name: `screen ${name}`,
        async run() {
          const { page, troubles, close } = await open(browser, server, { ...screen, page: screen.page ?? "index", dark });
          try {
            await settle(page);
            await screen.act?.(page);
            await settle(page);
            await page.screenshot({ path: join(OUT, `${name}.png`) });
            const found = [...troubles, ...(await violations(page))];
            if (found.length) throw new Error(found.join("\n    "));
          } finally {
            await close();
          }
        },
      };
    }),
  );
}
