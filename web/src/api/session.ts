// Who is signed in, and what they may do. The server is the judge: this only keeps pages from offering what it refuses.
import type { SessionView } from "./types.gen";
import { useCall } from "./query";

export type Role = "viewer" | "editor" | "admin";

const ranks: Record<Role, number> = { viewer: 1, editor: 2, admin: 3 };

export function useSession(): SessionView | undefined {
  return useCall("GET /client/v4/session", {}, undefined, { every: 60_000, staleTime: 30_000 }).data?.result;
}

/** Whether somebody has at least a role in an account. undefined: it is not known yet. */
export function may(session: SessionView | undefined, account: string, role: Role): boolean | undefined {
  if (!session) return undefined;
  if (session.process) return true;
  if (!session.user) return session.signed_in; // a token: the server knows what it may do
  const membership = (session.user.memberships ?? []).find((m) => m.account_id === account);
  return membership !== undefined && ranks[membership.role] >= ranks[role];
}
