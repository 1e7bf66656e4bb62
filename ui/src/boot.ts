/** What every window does first: choose the backend and the language, and mount its component. */
import { mount, type Component } from "svelte";
import { chooseBackend } from "./api";
import type { Backend } from "./api/backend";
import { speak } from "./messages";
import "./styles/base.css";

export async function boot(window_: Component<{ backend: Backend }>): Promise<void> {
  const query = new URLSearchParams(location.search);
  const theme = query.get("theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  const language = query.get("lang");
  speak(language ? [language] : navigator.languages);
  const backend = await chooseBackend();
  mount(window_, { target: document.getElementById("window")!, props: { backend } });
}
