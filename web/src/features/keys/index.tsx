// Gateway tokens: who may call through this gateway.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { address, call } from "@/api/client";
import { useCall } from "@/api/query";
import type { CreatedToken, TokenView } from "@/api/types.gen";
import { Confirm } from "@/components/Confirm";
import { CopyField, Snippet } from "@/components/Copy";
import { CopyAs } from "@/components/CopyAs";
import { Page } from "@/components/Page";
import { useAction } from "@/lib/action";
import { origin } from "@/lib/base";
import { dateTime, relative } from "@/lib/format";
import { at, usePlace, type Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Check, Field, Input, Select } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import { Badge, Banner, EmptyState, ErrorPanel, Skeleton } from "@/ui/State";

const list = "GET /client/v4/accounts/{account}/ai-gateway/tokens";
const day = 86_400_000;

export default function KeysPage() {
  const place = usePlace();
  const [revoked, setRevoked] = useState(false);
  const [making, make] = useState(false);
  const query = useCall(list, { account: place.account }, { per_page: 100, revoked: revoked || undefined });
  const gateway = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}", place).data?.result;
  const tokens = (query.data?.result ?? []).filter((token) => !token.gateways || token.gateways.includes(place.gateway));
  return (
    <Page
      title={t("shell.keys")}
      actions={
        <>
          <CopyAs cli="sluice auth token list" path={address(list, { account: place.account }, { per_page: 100 })} />
          <Button look="primary" onClick={() => make(true)}>
            {t("keys.create")}
          </Button>
        </>
      }
    >
      <p className="mb-4 max-w-prose text-muted">{t("keys.intro")}</p>
      {gateway && gateway.authentication !== true && (
        <div className="mb-4">
          <Banner tone="warn" action={<Link to={at(place, "settings/access")}>{t("keys.openFix")}</Link>}>
            {t("keys.open")}
          </Banner>
        </div>
      )}
      {query.isPending && <Skeleton lines={4} />}
      {query.isError && <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />}
      {query.data &&
        (tokens.length === 0 ? (
          <EmptyState title={t("keys.none")} action={<Button onClick={() => make(true)}>{t("keys.create")}</Button>}>
            {t("keys.noneText")}
          </EmptyState>
        ) : (
          <TokenList tokens={tokens} />
        ))}
      <Check className="mt-3" label={t("keys.showRevoked")} checked={revoked} onChange={(e) => setRevoked(e.target.checked)} />
      {making && <NewToken place={place} onClose={() => make(false)} />}
    </Page>
  );
}

function TokenList({ tokens }: { tokens: TokenView[] }) {
  const [ending, end] = useState<TokenView>();
  const action = useAction();
  const [zone] = useZone();
  const revoke = async (token: TokenView) => {
    const account = token.account_id;
    if (await action.run(() => call("DELETE /client/v4/accounts/{account}/ai-gateway/tokens/{id}", { account, id: token.id }))) {
      toast(`${t("keys.revoked")}: ${token.name}`, { tone: "ok" });
      end(undefined);
    }
  };
  return (
    <>
      <ul className="divide-y divide-line rounded-lg border border-line bg-surface">
        {tokens.map((token) => (
          <li key={token.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5">
            <div className="min-w-48 flex-1">
              <div className="flex flex-wrap items-center gap-2">
                <span className="font-medium break-all">{token.name}</span>
                <code className="text-muted">…{token.hint}</code>
                <Badge tone={token.status === "valid" ? "ok" : token.status === "revoked" ? "bad" : "warn"}>{t(`keys.${token.status}`)}</Badge>
                {unused(token) && <Badge tone="warn">{t("keys.unused")}</Badge>}
              </div>
              <p className="text-xs text-muted">
                {token.gateways ? t("keys.scopeSome", { n: token.gateways.length, names: token.gateways.join(", ") }) : t("keys.scopeAll")}
                {" · "}
                {(token.permissions ?? []).join(", ")}
              </p>
            </div>
            <dl className="flex flex-wrap gap-x-6 text-xs">
              <Fact label={t("keys.used")} value={token.last_used_at ? relative(token.last_used_at, zone) : t("keys.never")} />
              <Fact label={t("keys.created")} value={dateTime(token.created_at, zone)} />
              <Fact label={t("keys.expires")} value={token.expires_at ? dateTime(token.expires_at, zone) : t("keys.expiresNever")} />
            </dl>
            {token.status !== "revoked" && (
              <Button size="sm" look="danger" onClick={() => end(token)} aria-label={`${t("keys.revoke")}: ${token.name}`}>
                {t("keys.revoke")}
              </Button>
            )}
          </li>
        ))}
      </ul>
      <Confirm
        open={ending !== undefined}
        onClose={() => end(undefined)}
        title={t("keys.revokeTitle")}
        text={ending && t("keys.revokeText", { name: ending.name, hint: ending.hint })}
        action={action}
        onConfirm={() => ending && void revoke(ending)}
      />
    </>
  );
}

function unused(token: TokenView): boolean {
  return token.status === "valid" && Date.now() - new Date(token.last_used_at ?? token.created_at).getTime() > 90 * day;
}

function Fact({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <dt className="text-muted">{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

const ends: [days: number, label: "keys.expiresNever" | "keys.expires30" | "keys.expires90" | "keys.expires365"][] = [
  [0, "keys.expiresNever"],
  [30, "keys.expires30"],
  [90, "keys.expires90"],
  [365, "keys.expires365"],
];
const permissions = ["run", "read", "edit"] as const;

function NewToken({ place, onClose }: { place: Place; onClose: () => void }) {
  const [name, setName] = useState("");
  const [everywhere, setEverywhere] = useState(false);
  const [may, setMay] = useState<string[]>(["run"]);
  const [days, setDays] = useState(0);
  const [made, setMade] = useState<CreatedToken>();
  const action = useAction();
  const create = () =>
    action.run(async () => {
      setMade(
        await call("POST /client/v4/accounts/{account}/ai-gateway/tokens", { account: place.account }, {
          body: {
            name: name.trim() || undefined,
            gateways: everywhere ? null : [place.gateway],
            permissions: may,
            expires_at: days ? new Date(Date.now() + days * day).toISOString() : null,
          },
        }),
      );
    });
  if (made) return <MadeToken place={place} token={made} onClose={onClose} />;
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("keys.create")}
      actions={
        <>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button look="primary" busy={action.busy} disabled={may.length === 0} onClick={() => void create()}>
            {t("keys.create")}
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          void create();
        }}
      >
        {action.failure && action.failure.field !== "name" && <ErrorPanel error={action.failure} />}
        <Field label={t("keys.name")} help={t("keys.nameHelp")} error={action.failure?.field === "name" ? action.failure.message : undefined}>
          {(control) => <Input {...control} value={name} maxLength={64} autoComplete="off" onChange={(e) => setName(e.target.value)} />}
        </Field>
        <fieldset>
          <legend className="mb-1 font-medium">{t("keys.scope")}</legend>
          <Check kind="radio" name="scope" label={t("keys.scopeThis")} checked={!everywhere} onChange={() => setEverywhere(false)} />
          <Check kind="radio" name="scope" label={t("keys.scopeAll")} checked={everywhere} onChange={() => setEverywhere(true)} />
        </fieldset>
        <fieldset>
          <legend className="mb-1 font-medium">{t("keys.permissions")}</legend>
          {permissions.map((p) => (
            <Check key={p} label={t(`keys.${p}`)} checked={may.includes(p)} onChange={(e) => setMay(e.target.checked ? [...may, p] : may.filter((m) => m !== p))} />
          ))}
        </fieldset>
        <Field label={t("keys.expires")}>
          {(control) => (
            <Select {...control} value={days} onChange={(e) => setDays(Number(e.target.value))}>
              {ends.map(([n, label]) => (
                <option key={n} value={n}>
                  {t(label)}
                </option>
              ))}
            </Select>
          )}
        </Field>
      </form>
    </Dialog>
  );
}

/** The token's value, shown once. */
function MadeToken({ place, token, onClose }: { place: Place; token: CreatedToken; onClose: () => void }) {
  const value = token.value ?? "";
  const code = `curl ${origin}/v1/${place.account}/${place.gateway}/echo/chat/completions \\
  -H 'cf-aig-authorization: Bearer ${value}' \\
  -H 'content-type: application/json' \\
  -d '{"model": "echo-1", "messages": [{"role": "user", "content": "Hello"}]}'`;
  return (
    <Dialog
      wide
      open
      onClose={onClose}
      title={t("keys.valueTitle")}
      description={t("keys.valueText")}
      actions={
        <Button look="primary" onClick={onClose}>
          {t("keys.stored")}
        </Button>
      }
    >
      <CopyField text={value} what={t("keys.value")} />
      <h3 className="mt-4 mb-1 font-medium">{t("keys.use")}</h3>
      <Snippet code={code} what={t("keys.use")} mark={`cf-aig-authorization: Bearer ${value}`} />
    </Dialog>
  );
}
