import type { AssetId } from "../../api/types";
import type { Afterglow } from "../../state/afterglow.svelte";
import { m } from "../../messages";

/** Shows the first file of an asset in the desktop's file manager. */
export async function reveal(afterglow: Afterglow, asset: AssetId): Promise<void> {
  await afterglow.attempt(async () => {
    const { resources } = await afterglow.backend.asset(asset);
    const path = resources[0]?.paths[0];
    if (path === undefined) throw new Error(m.file_gone());
    await afterglow.backend.reveal(path);
  });
}
