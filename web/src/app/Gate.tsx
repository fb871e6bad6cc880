// Leads who is not signed in to the page where one does, and back.
import { useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { ApiError } from "@/api/client";
import { queryClient } from "@/api/query";
import { useSession } from "@/api/session";

export function Gate() {
  const session = useSession();
  const navigate = useNavigate();
  const here = useRouterState({ select: (s) => s.location.href });
  useEffect(
    () =>
      // A session that ended is noticed by the first call that is refused.
      queryClient.getQueryCache().subscribe((event) => {
        if (event.type !== "updated" || event.action.type !== "error") return;
        if (event.action.error instanceof ApiError && event.action.error.signedOut) void queryClient.invalidateQueries({ queryKey: ["GET /client/v4/session"] });
      }),
    [],
  );
  useEffect(() => {
    if (session && !session.signed_in) void navigate({ to: "/signin", search: { to: here }, replace: true });
  }, [session, here, navigate]);
  return null;
}
