import { afterEach, describe, expect, test } from "vitest";
import { speak, m } from "../src/messages";
import {
  bytes,
  bytesPerSecond,
  clock,
  coordinates,
  host,
  isolate,
  items,
  lastPart,
  list,
  month,
  number,
  place,
  plain,
} from "../src/messages/format";

afterEach(() => speak(["en"]));

describe("figures", () => {
  test("bytes read as people write them, and never as 1,000 of a unit", () => {
    expect([0, 999, 8_200_000, 999_600, 61_000_000, 1_000_000_000].map(bytes)).toEqual([
      "0 B",
      "999 B",
      "8.2 MB",
      "1.0 MB",
      "61 MB",
      "1.0 GB",
    ]);
    expect(bytesPerSecond(8_200_000)).toBe("8.2 MB/s");
  });

  test("lengths of videos", () => {
    expect([42_000, 67_000, 3_783_000].map(clock)).toEqual(["0:42", "1:07", "1:03:03"]);
  });

  test("are written in the reader's language", () => {
    speak(["de-AT", "en"]);
    expect(document.documentElement.lang).toBe("de");
    expect([bytes(8_200_000), month("2026-05"), items(1), items(1204)]).toEqual([
      "8,2 MB",
      "Mai 2026",
      "1 Element",
      `${number(1204)} Elemente`,
    ]);
  });
});

describe("languages", () => {
  test("the first that we speak is spoken, else English", () => {
    speak(["pt-BR", "zh-CN", "de"]);
    expect(m.library()).toBe("图库");
    speak(["pt-BR"]);
    expect(m.library()).toBe("Library");
  });

  test("lists and places", () => {
    expect(list(["a", "b", "c"])).toMatch(/^a, b,? and c$/);
    expect(coordinates(38.7223, -9.1393)).toBe("38.722° N, 9.139° W");
  });
});

describe("names of strangers", () => {
  test("lose what turns a line around or breaks it, and are isolated", () => {
    expect(plain("a\u202egpj.exe\n\u2069b")).toBe("a gpj.exe  b");
    expect(isolate("\u2069evil")).toBe("\u2068evil\u2069");
  });

  test("a base is its host; what is not HTTPS is said to be", () => {
    expect(host("https://upload.example.com/files/")).toBe("upload.example.com");
    expect(host("http://upload.example.com:8080/")).toBe("http://upload.example.com:8080");
    expect(host("https://user@еxample.com/")).toBe("xn--xample-2of.com");
    expect(host("not an address")).toBe("not an address");
  });

  test("an archive's place is the path of its folder", () => {
    expect(
      [
        "file:///home/ada/My%20photos%20%E2%9C%93",
        "file:///C:/Photos/A%26B",
        "file:///bad%zz",
        "https://a.example/up",
      ].map(place),
    ).toEqual(["/home/ada/My photos ✓", "C:/Photos/A&B", "file:///bad%zz", "https://a.example/up"]);
  });

  test("the last part of a path", () => {
    expect([lastPart("/home/ada/Pictures/"), lastPart("C:\\Photos"), lastPart("/")]).toEqual([
      "Pictures",
      "Photos",
      "/",
    ]);
  });
});
