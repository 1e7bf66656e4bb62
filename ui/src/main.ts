import { boot } from "./boot";
import MainWindow from "./features/main/MainWindow.svelte";

void boot(MainWindow);
