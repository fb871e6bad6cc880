import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "@/api/client";
import { CopyField } from "@/components/Copy";
import { origin } from "@/lib/base";
import { dateTime } from "@/lib/format";
import type { Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import { ErrorPanel } from "@/ui/State";
import type { Draft } from "./draft";

export function General({ draft, place }: { draft: Draft; place: Place }) {
  const [zone] = useZone();
  const { gateway } = draft;
  return (
    <div className="flex flex-col gap-5">
      <Field label={t("settings.name")} help={t("settings.nameHelp")}>
        {(control) => <Input {...control} readOnly value={gateway.id} className="max-w-80" />}
      </Field>
      <CopyField text={`${origin}/v1/${place.account}/${gateway.id}`} what={t("copy.url")} />
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1.5">
        <dt className="text-muted">{t("settings.version")}</dt>
        <dd className="num">{gateway.version}</dd>
        <dt className="text-muted">{t("settings.modified")}</dt>
        <dd>{dateTime(gateway.modified_at, zone)}</dd>
        <dt className="text-muted">{t("settings.created")}</dt>
        <dd>{dateTime(gateway.created_at, zone)}</dd>
      </dl>
      {!draft.readOnly && <Danger place={place} />}
    </div>
  );
}

function Danger({ place }: { place: Place }) {
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const [failure, fail] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const navigate = useNavigate();
  const client = useQueryClient();
  const remove = async () => {
    setBusy(true);
    try {
      await call("DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}", place);
      toast(t("settings.deleted", { name: place.gateway }), { tone: "ok" });
      void client.invalidateQueries();
      await navigate({ to: "/" });
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section className="mt-4 rounded-lg border border-line p-4">
      <h3 className="font-semibold">{t("settings.danger")}</h3>
      <p className="mt-1 text-muted">{t("settings.dangerText")}</p>
      <Button look="danger" className="mt-3" onClick={() => setOpen(true)}>
        {t("settings.deleteGateway")}
      </Button>
      <Dialog
        open={open}
        onClose={() => setOpen(false)}
        title={t("settings.deleteGateway")}
        description={t("settings.dangerText")}
        actions={
          <>
            <Button onClick={() => setOpen(false)}>{t("shell.cancel")}</Button>
            <Button look="danger" busy={busy} disabled={typed !== place.gateway} onClick={() => void remove()}>
              {t("settings.deleteGateway")}
            </Button>
          </>
        }
      >
        {failure !== undefined && <ErrorPanel error={failure} />}
        <Field label={t("settings.deleteConfirm", { name: place.gateway })}>{(control) => <Input {...control} autoComplete="off" value={typed} onChange={(e) => setTyped(e.target.value)} />}</Field>
      </Dialog>
    </section>
  );
}
