// Step 1: whose key calls bring. A key of the environment, one that is pasted, the application's own, or none with echo.
import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { ApiError, call } from "@/api/client";
import { useCall } from "@/api/query";
import { may, useSession } from "@/api/session";
import { usePlace, type Place } from "@/lib/place";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input, Select } from "@/ui/Field";
import { Banner, ErrorPanel } from "@/ui/State";
import { known, type Target } from "./snippets";

type Chosen = Omit<Target, "gateway">;

const found = "/client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/found-keys" as const;

export function ProviderKey({ guarded, onChoose }: { guarded: boolean; onChoose: (chosen: Chosen) => void }) {
  const place = usePlace();
  const session = useSession();
  const keys = useCall(`GET ${found}`, place, undefined, { enabled: session?.process === true });
  const cache = useQueryClient();
  const [provider, setProvider] = useState("openai");
  const [secret, setSecret] = useState("");
  const [busy, setBusy] = useState("");
  const [error, setError] = useState<ApiError>();
  const [said, setSaid] = useState("");
  const admin = may(session, place.account, "admin");

  const store = async (what: string, slug: string, make: () => Promise<unknown>) => {
    setBusy(what);
    setError(undefined);
    setSaid("");
    try {
      await make();
      onChoose({ provider: slug, token: await newToken(place) });
      setSaid(t("home.keyStored", { provider: slug }));
      setSecret("");
      await cache.invalidateQueries();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setBusy("");
    }
  };
  const echo = async () => {
    setError(undefined);
    try {
      onChoose({ provider: "echo", token: guarded ? await newToken(place) : undefined });
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    }
  };
  const paste = (e: FormEvent) => {
    e.preventDefault();
    if (secret.trim()) void store("paste", provider, () => storeTested(place, provider, secret.trim()));
  };
  return (
    <div className="flex flex-col gap-3">
      {(keys.data?.result ?? []).map((key) => (
        <div key={key.provider_slug} className="flex flex-wrap items-center gap-x-3 gap-y-1 rounded-md bg-sunken px-3 py-2">
          <span>
            {t("home.found")} <code>{key.name}</code> {key.secret_preview && <code className="text-muted">{`…${key.secret_preview}`}</code>}
          </span>
          <Button
            size="sm"
            className="ms-auto"
            busy={busy === key.name}
            onClick={() => void store(key.name, key.provider_slug, async () => key.stored || (await call(`POST ${found}`, place, { body: { provider_slug: key.provider_slug } })))}
          >
            {t("home.use")}
          </Button>
        </div>
      ))}
      {admin !== false && (
        <form onSubmit={paste} className="flex flex-wrap items-end gap-2">
          <Field label={t("home.provider")} className="w-44">
            {(control) => (
              <Select {...control} value={provider} onChange={(e) => setProvider(e.target.value)}>
                {known
                  .filter((slug) => slug !== "echo")
                  .map((slug) => (
                    <option key={slug}>{slug}</option>
                  ))}
              </Select>
            )}
          </Field>
          <Field label={t("home.paste")} className="min-w-48 flex-1">
            {(control) => <Input {...control} type="password" value={secret} onChange={(e) => setSecret(e.target.value)} autoComplete="off" spellCheck={false} />}
          </Field>
          <Button type="submit" busy={busy === "paste"}>
            {t("home.storeAndTest")}
          </Button>
        </form>
      )}
      {error && <ErrorPanel error={error} />}
      {said && <Banner tone="ok">{said}</Banner>}
      <div className="flex flex-wrap gap-2">
        <Button onClick={() => onChoose({ provider })}>{t("home.skip")}</Button>
        <Button onClick={() => void echo()}>{t("home.echo")}</Button>
      </div>
    </div>
  );
}

/** Stores a key and tries it; one that the provider refuses is taken out again. */
async function storeTested(place: Place, provider: string, secret: string): Promise<void> {
  const keys = "/client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs" as const;
  const made = await call(`POST ${keys}`, place, { body: { provider_slug: provider, secret } });
  const of = { ...place, id: made.id };
  const test = await call(`POST ${keys}/{id}/test`, of).catch((failure: unknown) => {
    if (failure instanceof ApiError && failure.status === 400) return undefined; // there is no such call for this provider
    throw failure;
  });
  if (!test || test.ok || (test.status !== 401 && test.status !== 403)) return;
  await call(`DELETE ${keys}/{id}`, of);
  throw new ApiError(test.status, 0, t("home.keyRefused", { provider, status: test.status }), undefined, test.error);
}

/** A gateway token for the snippets: a stored key serves callers that show one. */
async function newToken(place: Place): Promise<string | undefined> {
  const made = await call("POST /client/v4/accounts/{account}/ai-gateway/tokens", { account: place.account }, { body: { gateways: [place.gateway] } });
  return made.value;
}
