import { useNavigate, useParams } from "@tanstack/react-router";
import { CopyAs } from "@/components/CopyAs";
import { Page } from "@/components/Page";
import { address } from "@/api/client";
import { at, usePlace } from "@/lib/place";
import { t } from "@/messages";
import LogPanel from "./index";

/** A log entry as a page of its own. */
export default function LogDetailPage() {
  const place = usePlace();
  const navigate = useNavigate();
  const { id = "" } = useParams({ strict: false }) as { id?: string };
  const path = address("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}", { ...place, id }, { basis: "requests" });
  return (
    <Page title={t("detail.panel")} actions={<CopyAs path={path} cli={`sluice logs get ${id}`} />}>
      <div className="-mx-4 sm:mx-0 sm:rounded-lg sm:border sm:border-line sm:bg-surface">
        <LogPanel {...place} id={id} onGone={() => void navigate({ to: at(place, "logs") })} />
      </div>
    </Page>
  );
}
