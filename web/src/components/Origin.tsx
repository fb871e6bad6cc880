// Who manages a setting. What the configuration file says is read-only here, and the page says where to change it.
import { t, type Key } from "@/messages";
import { Badge } from "@/ui/State";

export function OriginBadge({ origin }: { origin: "builtin" | "file" | "stored" | "catalogue" }) {
  return (
    <Badge tone={origin === "file" ? "warn" : "plain"} title={t(`origin.${origin}Help` as Key)}>
      {t(`origin.${origin}`)}
    </Badge>
  );
}
