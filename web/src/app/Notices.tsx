// What is said across the top of every page: that the data is made up, that the session ends, that there are new pages.
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useSession } from "@/api/session";
import { timeOfDay } from "@/lib/format";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";

/** How long before its end a session is spoken of, in milliseconds. */
const warning = 10 * 60_000;

export function Notices() {
  const session = useSession();
  const [zone] = useZone();
  const [version, setVersion] = useState<string>();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (!session) return null;
  if (version === undefined) setVersion(session.version);
  const ends = session.expires_at ? Date.parse(session.expires_at) : Infinity;
  return (
    <>
      {session.demo && (
        <section aria-label={t("frame.notice")} className="border-b border-line bg-warn-soft px-4 py-1 text-center text-xs text-warn">
          {t("frame.demo")}
        </section>
      )}
      {version !== undefined && version !== session.version && (
        <p role="status" className="flex flex-wrap items-center justify-center gap-3 border-b border-line bg-sunken px-4 py-1">
          {t("shell.newVersion")}
          <button type="button" className="text-accent underline" onClick={() => location.reload()}>
            {t("shell.reload")}
          </button>
        </p>
      )}
      {ends - now < warning && (
        <p role="status" className="flex flex-wrap items-center justify-center gap-3 border-b border-line bg-warn-soft px-4 py-1 text-warn">
          {t("frame.ends", { at: timeOfDay(ends, zone) })}
          <Link to="/signin">{t("frame.signInAgain")}</Link>
        </p>
      )}
    </>
  );
}
