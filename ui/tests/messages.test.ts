import { expect, test } from "vitest";
import de from "../src/messages/de.json";
import en from "../src/messages/en.json";
import hi from "../src/messages/hi.json";
import zh from "../src/messages/zh.json";

type Catalogue = Record<string, string | { match: Record<string, string> }[]>;

/** The texts of a message: one, or one per plural form. */
function texts(message: Catalogue[string]): string[] {
  return typeof message === "string" ? [message] : message.flatMap(({ match }) => Object.values(match));
}

const slots = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test.each([
  ["de", de],
  ["hi", hi],
  ["zh", zh],
])("%s says everything that English says, with the same parts", (_, catalogue) => {
  const [english, other] = [en as Catalogue, catalogue as Catalogue];
  expect(Object.keys(other).sort()).toEqual(Object.keys(english).sort());
  for (const [key, message] of Object.entries(english)) {
    const wanted = new Set(slots(texts(message).at(-1)!));
    for (const text of texts(other[key]!)) expect(new Set(slots(text)), key).toEqual(wanted);
  }
});
