import { expect, test } from "vitest";
import { archiveRequest } from "../src/features/destinations/archive";
import { NO_CONFIG } from "../src/api/config";

test("an archive in the usual place needs no answer at all", () => {
  expect(archiveRequest(null, [])).toEqual({
    connector: "archive",
    url: "",
    name: "Archive",
    config: NO_CONFIG,
    token: null,
    sign_in: null,
    skip_test: false,
  });
});

test("its name is that of its folder, and never one that is taken", () => {
  expect(archiveRequest("/media/ada/Drive/Photos/", []).name).toBe("Photos");
  expect(archiveRequest(null, ["Archive", "Archive 2"]).name).toBe("Archive 3");
});
