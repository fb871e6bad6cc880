// One time zone for the whole screen: of the browser, UTC or a named one; in the URL where it is not the browser's.
import { useParam } from "./search";

export const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function useZone(): [string, (zone: string) => void] {
  const [zone, set] = useParam("tz", browserZone);
  return [valid(zone) ? zone : browserZone, set];
}

function valid(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
