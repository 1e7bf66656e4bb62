import { boot } from "./boot";
import DropWindow from "./features/drop/DropWindow.svelte";

void boot(DropWindow);
