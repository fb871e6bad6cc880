import { useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { ApiError, call } from "@/api/client";
import { useCall } from "@/api/query";
import type { Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { t } from "@/messages";
import { Button, IconButton } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { EmptyState, ErrorPanel, Skeleton } from "@/ui/State";

const list = "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/custom-domains";

export function Domains({ place }: { place: Place }) {
  const client = useQueryClient();
  const query = useCall(list, place);
  const [name, setName] = useState("");
  const [failure, fail] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const again = () => client.invalidateQueries({ queryKey: [list] });
  const add = async () => {
    setBusy(true);
    fail(undefined);
    try {
      await call("POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/custom-domains", place, { body: { domain: name.trim() } });
      setName("");
      await again();
    } catch (error) {
      fail(error as ApiError);
    } finally {
      setBusy(false);
    }
  };
  const remove = async (hostname: string) => {
    try {
      await call("DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/custom-domains/{hostname}", { ...place, hostname });
      toast(t("settings.domainRemoved", { name: hostname }), { action: { label: t("shell.undo"), run: () => void call("POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/custom-domains", place, { body: { domain: hostname } }).then(again) } });
      await again();
    } catch (error) {
      fail(error as ApiError);
    }
  };
  return (
    <div className="flex flex-col gap-4">
      {query.isPending && <Skeleton />}
      {query.isError && <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />}
      {query.data &&
        (query.data.result?.length ? (
          <ul className="divide-y divide-line rounded-lg border border-line">
            {query.data.result.map((d) => (
              <li key={d.hostname} className="flex items-center gap-2 px-3 py-1.5">
                <code className="flex-1 break-all">{d.hostname}</code>
                <IconButton label={`${t("shell.delete")}: ${d.hostname}`} onClick={() => void remove(d.hostname)}>
                  <Trash2 size={15} aria-hidden />
                </IconButton>
              </li>
            ))}
          </ul>
        ) : (
          <EmptyState title={t("settings.domainNone")} />
        ))}
      <form
        className="flex flex-wrap items-end gap-2"
        onSubmit={(e) => {
          e.preventDefault();
          void add();
        }}
      >
        <Field label={t("settings.domain")} help={t("settings.domainHelp")} error={failure?.message} className="flex-1">
          {(control) => <Input {...control} value={name} inputMode="url" autoComplete="off" onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Button type="submit" busy={busy} disabled={!name.trim()}>
          {t("settings.domainAdd")}
        </Button>
      </form>
    </div>
  );
}
