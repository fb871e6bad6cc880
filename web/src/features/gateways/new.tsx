// Making a gateway: a name, and what it does from the first request on.
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { ApiError, call } from "@/api/client";
import { may, useSession } from "@/api/session";
import { Page } from "@/components/Page";
import { origin } from "@/lib/base";
import { at } from "@/lib/place";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input, Switch } from "@/ui/Field";
import { Card, ErrorPanel } from "@/ui/State";
import { slugOf, validSlug } from "./slug";

const account = "default";

export default function NewGatewayPage() {
  const session = useSession();
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [name, setName] = useState("");
  const [log, setLog] = useState(true);
  const [keep, setKeep] = useState(false);
  const [token, setToken] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const [tried, setTried] = useState(false);
  const id = slugOf(name);
  const wrong = tried && !validSlug(id) ? t("gateways.badName") : error?.field === "id" ? error.message : undefined;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (!validSlug(id)) return;
    setBusy(true);
    setError(undefined);
    try {
      await call("POST /client/v4/accounts/{account}/ai-gateway/gateways", { account }, { body: { id, collect_logs: log, cache_ttl: keep ? 300 : 0, authentication: token, cache_invalidate_on_update: false, rate_limiting_interval: 0, rate_limiting_limit: 0 } });
      await cache.invalidateQueries();
      await navigate({ to: at({ account, gateway: id }) });
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Page global title={t("gateways.new")}>
      {may(session, account, "admin") === false ? (
        <ErrorPanel error={new ApiError(403, 0, t("shell.denied", { role: "admin" }))} />
      ) : (
        <Card className="max-w-xl">
          <form onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
            <Field label={t("gateways.name")} error={wrong} help={t("gateways.nameHelp")}>
              {(control) => <Input {...control} value={name} onChange={(e) => setName(e.target.value)} autoComplete="off" maxLength={64} />}
            </Field>
            <div>
              <p className="text-xs text-muted">{t("gateways.address")}</p>
              <code className="break-all">
                {origin}/v1/{account}/<mark className="rounded-sm bg-ok-soft px-0.5 text-ok">{id || t("gateways.example")}</mark>/{"openai"}
              </code>
            </div>
            <Switch label={t("gateways.log")} help={t("gateways.logHelp")} checked={log} onChange={setLog} />
            <Switch label={t("gateways.cache")} help={t("gateways.cacheHelp")} checked={keep} onChange={setKeep} />
            <Switch label={t("gateways.auth")} help={t("gateways.authHelp")} checked={token} onChange={setToken} />
            {error && error.field !== "id" && <ErrorPanel error={error} />}
            <div className="flex justify-end gap-2">
              <Button onClick={() => void navigate({ to: "/" })}>{t("shell.cancel")}</Button>
              <Button type="submit" look="primary" busy={busy}>
                {t("gateways.create")}
              </Button>
            </div>
          </form>
        </Card>
      )}
    </Page>
  );
}
