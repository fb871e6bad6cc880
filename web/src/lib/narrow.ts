// Whether the window is as narrow as a phone's: where CSS alone is not enough.
import { useSyncExternalStore } from "react";

const query = matchMedia("(max-width: 639.98px)");

export function useNarrow(): boolean {
  return useSyncExternalStore(
    (tell) => {
      query.addEventListener("change", tell);
      return () => query.removeEventListener("change", tell);
    },
    () => query.matches,
  );
}
