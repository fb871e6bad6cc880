// Who is signed in, and the way out. It is the browser's own disclosure, so that the first chunk needs no menu.
import { CircleUser } from "lucide-react";
import { useEffect, useRef } from "react";
import { useSession } from "@/api/session";
import { t, type Key } from "@/messages";
import { Button } from "@/ui/Button";
import { useSignOut } from "./signout";

const ways: Record<string, Key> = { local: "frame.local", data_dir: "frame.local", admin_token: "frame.adminToken", gateway_token: "frame.gatewayToken" };

export function Account() {
  const session = useSession();
  const signOut = useSignOut();
  const box = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (e: Event) => {
      const outside = e instanceof KeyboardEvent ? e.key === "Escape" : !box.current?.contains(e.target as Node);
      if (box.current?.open && outside) {
        box.current.open = false;
        if (e instanceof KeyboardEvent) box.current.querySelector("summary")?.focus();
      }
    };
    document.addEventListener("click", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("click", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  const user = session?.user;
  return (
    <details ref={box} className="relative">
      <summary aria-label={t("shell.account")} title={t("shell.account")} className="grid size-8 list-none place-items-center rounded-md text-muted hover:bg-hover hover:text-text">
        <CircleUser size={16} aria-hidden />
      </summary>
      <div className="absolute end-0 z-40 mt-1 w-64 rounded-lg border border-line bg-surface p-3 shadow-float">
        <p className="font-medium break-words">{user ? user.name || user.email : session && t(ways[session.method] ?? "frame.notSignedIn")}</p>
        {user?.name && <p className="text-xs break-words text-muted">{user.email}</p>}
        <ul className="mt-2 text-xs text-muted">
          {session?.process && <li>{t("frame.processAdmin")}</li>}
          {(user?.memberships ?? []).map((m) => (
            <li key={m.account_id}>{t("frame.roleIn", { role: m.role, account: m.account_id })}</li>
          ))}
        </ul>
        {user && (
          <Button className="mt-3 w-full" onClick={() => void signOut()}>
            {t("shell.signOut")}
          </Button>
        )}
        {session && <p className="num mt-3 text-faint">{`Sluice ${session.version}`}</p>}
      </div>
    </details>
  );
}
