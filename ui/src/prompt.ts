import { boot } from "./boot";
import PromptWindow from "./features/prompt/PromptWindow.svelte";

void boot(PromptWindow);
