// Stored keys: written once, tested, replaced, deleted; never shown.
import { useState } from "react";
import { call } from "@/api/client";
import type { KeyTest, ProviderConfigView } from "@/api/types.gen";
import { Confirm } from "@/components/Confirm";
import { useAction } from "@/lib/action";
import { duration, relative } from "@/lib/format";
import type { Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input, Textarea } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import { Badge, ErrorPanel } from "@/ui/State";

const path = "/client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs";

/** The last characters of a key, which is all that is known of it here. */
function lastOf(config: ProviderConfigView): string {
  return config.secret_preview.replace(/^\*+/, "…");
}

interface RowProps {
  place: Place;
  config: ProviderConfigView;
  provider: string;
}

export function KeyRow({ place, config, provider }: RowProps) {
  const [zone] = useZone();
  const [tested, setTested] = useState<KeyTest>();
  const [removing, remove] = useState(false);
  const [replacing, replace] = useState(false);
  const action = useAction();
  const deletion = useAction();
  const one = { ...place, id: config.id };
  return (
    <li className="flex flex-col gap-1 py-2">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <span className="font-medium">{config.alias}</span>
        <code className="text-muted">{lastOf(config)}</code>
        <Badge tone={config.status === "ready" ? "ok" : config.status === "resting" ? "warn" : "bad"} title={config.status === "ready" ? undefined : t(`providers.${config.status}Help`)}>
          {t(`providers.${config.status}`)}
        </Badge>
        <span className="text-xs text-muted">{config.last_used_at ? t("providers.used", { when: relative(config.last_used_at, zone) }) : t("providers.usedNever")}</span>
      </div>
      <div className="flex flex-wrap gap-1.5">
        <Button size="sm" busy={action.busy} aria-label={`${t("providers.test")}: ${config.alias}`} onClick={() => void action.run(async () => setTested(await call(`POST ${path}/{id}/test`, one)))}>
          {t("providers.test")}
        </Button>
        <Button size="sm" aria-label={`${t("providers.replace")}: ${config.alias}`} onClick={() => replace(true)}>
          {t("providers.replace")}
        </Button>
        <Button size="sm" look="danger" aria-label={`${t("providers.remove")}: ${config.alias}`} onClick={() => remove(true)}>
          {t("shell.delete")}
        </Button>
      </div>
      <div role="status">
        {tested && (
          <p className={tested.ok ? "text-ok" : "text-bad"}>
            {tested.ok ? t("providers.testGood", { status: tested.status, ms: duration(tested.duration_ms) }) : t("providers.testBad", { error: tested.error ?? String(tested.status) })}
          </p>
        )}
      </div>
      {action.failure && <ErrorPanel error={action.failure} />}
      <Confirm
        open={removing}
        onClose={() => remove(false)}
        title={t("providers.remove")}
        text={t("providers.removeText", { alias: config.alias, last: lastOf(config), name: provider })}
        action={deletion}
        onConfirm={() =>
          void deletion
            .run(() => call(`DELETE ${path}/{id}`, one))
            .then((well) => {
              if (well) toast(t("providers.removed"), { tone: "ok" });
            })
        }
      />
      {replacing && <KeyDialog place={place} slug={config.provider_slug} name={provider} others={[]} replaces={config} onClose={() => replace(false)} />}
    </li>
  );
}

interface DialogProps {
  place: Place;
  slug: string;
  name: string;
  /** The provider's keys that there are: another one of an alias needs a weight. */
  others: ProviderConfigView[];
  replaces?: ProviderConfigView;
  onClose: () => void;
}

export function KeyDialog({ place, slug, name, others, replaces, onClose }: DialogProps) {
  const [secret, setSecret] = useState("");
  const [alias, setAlias] = useState(replaces?.alias ?? "default");
  const [weight, setWeight] = useState("1");
  const [hosts, setHosts] = useState("");
  const action = useAction();
  const shared = !replaces && others.some((k) => k.alias === alias.trim());
  const save = async () => {
    const well = await action.run(() =>
      replaces
        ? call(`PUT ${path}/{id}`, { ...place, id: replaces.id }, { body: { secret: secret.trim() } })
        : call(`POST ${path}`, place, {
            body: {
              provider_slug: slug,
              alias: alias.trim() || undefined,
              secret: secret.trim(),
              weight: shared ? Number(weight) : undefined,
              hosts: hosts.trim() ? hosts.split(",").map((h) => h.trim()) : undefined,
            },
          }),
    );
    if (!well) return;
    toast(t("providers.stored"), { tone: "ok" });
    onClose();
  };
  const errorOf = (field: string) => (action.failure?.field === field ? action.failure.message : undefined);
  const title = replaces ? t("providers.replaceTitle", { alias: replaces.alias, name }) : t("providers.addTitle", { name });
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      actions={
        <>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button look="primary" busy={action.busy} disabled={!secret.trim()} onClick={() => void save()}>
            {replaces ? t("providers.replace") : t("providers.add")}
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4"
        autoComplete="off"
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        {action.failure && !["secret", "alias", "weight", "hosts"].includes(action.failure.field ?? "") && <ErrorPanel error={action.failure} />}
        <Field label={t("providers.secret")} help={`${t("providers.secretHelp")} ${t("providers.secretPartsHelp")}`} error={errorOf("secret")}>
          {(control) => <Textarea {...control} className="min-h-16 font-mono" spellCheck={false} autoComplete="off" value={secret} onChange={(e) => setSecret(e.target.value)} />}
        </Field>
        {!replaces && (
          <>
            <Field label={t("providers.alias")} help={t("providers.aliasHelp")} error={errorOf("alias")}>
              {(control) => <Input {...control} value={alias} onChange={(e) => setAlias(e.target.value)} />}
            </Field>
            {shared && (
              <Field label={t("providers.weight")} help={t("providers.weightHelp")} error={errorOf("weight")}>
                {(control) => <Input {...control} type="number" min={1} value={weight} onChange={(e) => setWeight(e.target.value)} />}
              </Field>
            )}
            <Field label={t("providers.hosts")} help={t("providers.hostsHelp")} error={errorOf("hosts")}>
              {(control) => <Input {...control} value={hosts} inputMode="url" onChange={(e) => setHosts(e.target.value)} />}
            </Field>
          </>
        )}
      </form>
    </Dialog>
  );
}
