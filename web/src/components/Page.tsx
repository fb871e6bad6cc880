// A page: its one h1, what stands beside it, and the document's title.
import { useRouterState } from "@tanstack/react-router";
import { useEffect, useRef, type ReactNode } from "react";
import { usePlace } from "@/lib/place";
import { t } from "@/messages";

interface Props {
  title: string;
  /** Buttons and controls at the end of the title's line. */
  actions?: ReactNode;
  /** The page has no gateway: its title names none. */
  global?: boolean;
  /** The title is for screen readers only: the page says itself what it is. */
  quiet?: boolean;
  /** Fill the window's height, for lists that scroll in themselves. */
  fill?: boolean;
  children: ReactNode;
}

export function Page({ title, actions, global, quiet, fill, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const path = useRouterState({ select: (s) => s.location.pathname });
  const { gateway } = usePlace();
  const first = useRef(true);
  useEffect(() => {
    document.title = global || !path.includes("/g/") ? t("shell.title", { page: title }) : t("shell.titleOf", { page: title, gateway });
  }, [title, gateway, global, path]);
  useEffect(() => {
    // Focus follows to the new page, but does not move when the first one is loaded, nor out of a field that has it.
    if (!first.current || document.activeElement === document.body) heading.current?.focus({ preventScroll: true });
    first.current = false;
  }, [path]);
  return (
    <div className={`mx-auto w-full max-w-[110rem] px-4 py-4 sm:px-6 ${fill ? "flex min-h-0 flex-1 flex-col" : ""}`}>
      <div className={quiet ? "" : "mb-4 flex flex-wrap items-center gap-x-4 gap-y-2"}>
        <h1 ref={heading} tabIndex={-1} className={quiet ? "sr-only" : "text-xl font-semibold"}>
          {title}
        </h1>
        {actions && <div className="ms-auto flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      {children}
    </div>
  );
}
