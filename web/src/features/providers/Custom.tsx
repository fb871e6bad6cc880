// Providers of one's own: another address behind a slug.
import { useState } from "react";
import { call } from "@/api/client";
import { useCall } from "@/api/query";
import { Confirm } from "@/components/Confirm";
import { useAction } from "@/lib/action";
import type { Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import { ErrorPanel } from "@/ui/State";

const path = "/client/v4/accounts/{account}/ai-gateway/custom-providers";

export function CustomProvider({ place, onClose }: { place: Place; onClose: () => void }) {
  const [name, setName] = useState("");
  const [slug, setSlug] = useState("");
  const [url, setUrl] = useState("");
  const action = useAction();
  const proposed = slug || name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const save = async () => {
    const well = await action.run(() => call(`POST ${path}`, { account: place.account }, { body: { name: name.trim(), slug: proposed, base_url: url.trim(), enable: true } }));
    if (!well) return;
    toast(t("providers.customSaved", { name }), { tone: "ok" });
    onClose();
  };
  const errorOf = (field: string) => (action.failure?.field === field ? action.failure.message : undefined);
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("providers.customTitle")}
      actions={
        <>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button look="primary" busy={action.busy} disabled={!name.trim() || !url.trim()} onClick={() => void save()}>
            {t("shell.save")}
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        {action.failure && !["name", "slug", "base_url"].includes(action.failure.field ?? "") && <ErrorPanel error={action.failure} />}
        <Field label={t("providers.customName")} error={errorOf("name")}>
          {(control) => <Input {...control} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label={t("providers.customSlug")} help={t("providers.customSlugHelp", { slug: proposed || "…" })} error={errorOf("slug")}>
          {(control) => <Input {...control} value={slug} placeholder={proposed} onChange={(e) => setSlug(e.target.value)} />}
        </Field>
        <Field label={t("providers.customUrl")} help={t("providers.customUrlHelp")} error={errorOf("base_url")}>
          {(control) => <Input {...control} type="url" inputMode="url" value={url} onChange={(e) => setUrl(e.target.value)} />}
        </Field>
      </form>
    </Dialog>
  );
}

/** slug is as calls name it: custom-{slug}. */
export function DeleteCustom({ place, slug }: { place: Place; slug: string }) {
  const [asking, ask] = useState(false);
  const action = useAction();
  const found = useCall(`GET ${path}`, { account: place.account }, { per_page: 100 }).data?.result?.find((c) => c.provider === slug);
  if (!found) return null;
  return (
    <>
      <Button size="sm" look="danger" onClick={() => ask(true)} aria-label={`${t("providers.customDelete")}: ${found.name}`}>
        {t("shell.delete")}
      </Button>
      <Confirm
        open={asking}
        onClose={() => ask(false)}
        title={t("providers.customDelete")}
        text={t("providers.customDeleteText", { slug: found.slug })}
        action={action}
        onConfirm={() => void action.run(() => call(`DELETE ${path}/{id}`, { account: place.account, id: found.id }))}
      />
    </>
  );
}
