/** What every group of settings is given. */
import type { Settings } from "../../api/types";

export interface GroupProps {
  value: Settings;
  /** Saves at once; what is refused is as it was. */
  change: (changed: Partial<Settings>) => void;
}
