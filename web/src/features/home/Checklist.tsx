// What is worth setting up, until it is done or put away.
import { Link } from "@tanstack/react-router";
import { Circle, CircleCheck } from "lucide-react";
import { useState } from "react";
import { useCall } from "@/api/query";
import { at, usePlace } from "@/lib/place";
import { t, type Key } from "@/messages";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/State";

export function Checklist() {
  const place = usePlace();
  const stored = `sluice.checklist.${place.account}.${place.gateway}`;
  const [away, setAway] = useState(() => localStorage.getItem(stored) === "away");
  const on = { enabled: !away };
  const gateway = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}", place, undefined, on).data?.result;
  const keys = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs", place, undefined, on).data?.result;
  const usage = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/limits/usage", place, undefined, on).data?.result;
  if (away || !gateway || !keys || !usage) return null;
  const steps: { label: Key; page: string; done: boolean }[] = [
    { label: "home.todoKey", page: "providers", done: keys.length > 0 },
    { label: "home.todoToken", page: "settings", done: gateway.authentication === true },
    { label: "home.todoCache", page: "settings", done: gateway.cache_ttl > 0 },
    { label: "home.todoBudget", page: "budgets", done: (usage.spend_limits ?? []).length > 0 },
  ];
  const done = steps.filter((s) => s.done).length;
  if (done === steps.length) return null;
  const putAway = () => {
    localStorage.setItem(stored, "away");
    setAway(true);
  };
  return (
    <Card
      title={t("home.setUp", { done, of: steps.length })}
      aside={
        <Button look="quiet" size="sm" onClick={putAway}>
          {t("home.putAway")}
        </Button>
      }
    >
      <ul className="-my-1 flex flex-col">
        {steps.map((s) => (
          <li key={s.label}>
            <Link to={at(place, s.page)} className="flex min-h-7 items-center gap-2 text-text no-underline hover:underline">
              {s.done ? <CircleCheck size={16} aria-label={t("home.done")} className="text-ok" /> : <Circle size={16} aria-label={t("home.open")} className="text-faint" />}
              <span className={s.done ? "text-muted" : ""}>{t(s.label)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
