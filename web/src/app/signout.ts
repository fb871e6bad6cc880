import { useNavigate } from "@tanstack/react-router";
import { call } from "@/api/client";
import { queryClient } from "@/api/query";

/** Ends the session. Nothing of what was shown stays in this tab's memory. */
export function useSignOut(): () => Promise<void> {
  const navigate = useNavigate();
  return async () => {
    await call("DELETE /client/v4/session", {}).catch(() => undefined); // it has ended already
    queryClient.clear();
    sessionStorage.clear();
    await navigate({ to: "/signin", search: { out: "1" } });
  };
}
