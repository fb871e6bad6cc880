// Which account and gateway a page is about. /g/{gateway} means the account default.
import { useParams } from "@tanstack/react-router";

export interface Place {
  account: string;
  gateway: string;
}

export function usePlace(): Place {
  const { account, gw } = useParams({ strict: false }) as { account?: string; gw?: string };
  return { account: account ?? "default", gateway: gw ?? "default" };
}

/** Path of a gateway's page below the pages' base: at({account: "default", gateway: "x"}, "logs") is "/g/x/logs". */
export function at(place: Place, page = ""): string {
  const gateway = `/g/${encodeURIComponent(place.gateway)}`;
  return (place.account === "default" ? "" : `/a/${encodeURIComponent(place.account)}`) + gateway + (page ? `/${page}` : "");
}
