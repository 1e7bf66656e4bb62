/** Every string of the windows, as functions; and the language they speak. */
import { m } from "./generated/messages.js";
import { type Locale, baseLocale, isLocale, overwriteGetLocale } from "./generated/runtime.js";

export { m };

/** The first language of the person's that we speak. */
export function chooseLocale(wanted: readonly string[]): Locale {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split("-")[0];
    if (isLocale(language)) return language;
  }
  return baseLocale;
}

/** The full tag (`de-AT`) is kept for numbers and dates. */
let tag: string = baseLocale;

export function localeTag(): string {
  return tag;
}

export function speak(wanted: readonly string[]): void {
  const locale = chooseLocale(wanted);
  tag = wanted.find((candidate) => candidate.toLowerCase().startsWith(locale)) ?? locale;
  overwriteGetLocale(() => locale);
  document.documentElement.lang = locale;
}
