// Saved views: names for addresses of the list.
import { Bookmark } from "lucide-react";
import { useState } from "react";
import { useNavigate } from "@tanstack/react-router";
import { call, type ApiError } from "@/api/client";
import { queryClient, useCall } from "@/api/query";
import type { SavedView } from "@/api/types.gen";
import type { Place } from "@/lib/place";
import { parseSearch, printSearch, useSearchParams, type Search } from "@/lib/search";
import { toast } from "@/lib/toast";
import { t } from "@/messages";
import { Button, buttonClass } from "@/ui/Button";
import { Check, Field, Input } from "@/ui/Field";
import { Dialog, Menu, type MenuItem } from "@/ui/Overlay";
import { ErrorPanel } from "@/ui/State";

const listCall = "GET /client/v4/accounts/{account}/ai-gateway/views";
const oneCall = "/client/v4/accounts/{account}/ai-gateway/views/{id}";

/** What of an address a view keeps: not the request that is open, nor the view's own name. */
function kept(search: Search): string {
  const { log: _log, tab: _tab, view: _view, at: _at, ...rest } = search;
  return printSearch(rest).slice(1);
}

export function ViewsMenu({ place }: { place: Place }) {
  const search = useSearchParams();
  const navigate = useNavigate();
  const [saving, setSaving] = useState(false);
  const views = useCall(listCall, { account: place.account }, { gateway_id: place.gateway, of: "logs", per_page: 100 });
  const all = views.data?.result ?? [];
  const current = all.find((v) => v.id === search.view);
  const edited = current !== undefined && current.query !== kept(search);
  const refresh = () => queryClient.invalidateQueries({ queryKey: [listCall] });
  const go = (next: Search) => void navigate({ to: ".", search: next as never });
  const remove = async (v: SavedView) => {
    await call(`DELETE ${oneCall}`, { account: place.account, id: v.id });
    if (search.view === v.id) go({ ...search, view: "" });
    await refresh();
    const again = () => void call("POST /client/v4/accounts/{account}/ai-gateway/views", { account: place.account }, { body: { name: v.name, gateway_id: v.gateway_id, page: v.page, query: v.query, shared: v.shared } }).then(refresh);
    toast(t("logs.viewDeleted", { what: v.name }), { action: { label: t("logs.undo"), run: again } });
  };
  const update = async (v: SavedView) => {
    await call(`PUT ${oneCall}`, { account: place.account, id: v.id }, { body: { name: v.name, gateway_id: v.gateway_id, page: v.page, query: kept(search), shared: v.shared } });
    await refresh();
    toast(t("logs.viewSaved", { what: v.name }), { tone: "ok" });
  };
  const failed = (e: unknown) => toast((e as ApiError).message, { tone: "bad" });
  const items: (MenuItem | null)[] = all.map((v) => ({ label: v.name, onSelect: () => go({ ...parseSearch(v.query), view: v.id }) }));
  if (items.length) items.push(null);
  items.push({ label: t("logs.viewSave"), onSelect: () => setSaving(true) });
  if (current && edited) items.push({ label: t("logs.viewUpdate", { what: current.name }), onSelect: () => void update(current).catch(failed) });
  if (current) items.push({ label: t("logs.viewDelete", { what: current.name }), danger: true, onSelect: () => void remove(current).catch(failed) });
  return (
    <>
      <Menu
        items={items}
        trigger={
          <button type="button" className={buttonClass("quiet")}>
            <Bookmark size={14} aria-hidden />
            <span className="max-w-40 truncate max-sm:sr-only">{current ? (edited ? t("logs.viewEdited", { what: current.name }) : current.name) : t("logs.views")}</span>
          </button>
        }
      />
      {saving && (
        <SaveDialog
          place={place}
          query={kept(search)}
          onClose={(saved) => {
            setSaving(false);
            if (!saved) return;
            void refresh();
            go({ ...search, view: saved.id });
            toast(t("logs.viewSaved", { what: saved.name }), { tone: "ok" });
          }}
        />
      )}
    </>
  );
}

function SaveDialog({ place, query, onClose }: { place: Place; query: string; onClose: (saved?: SavedView) => void }) {
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>();
  const save = async () => {
    setBusy(true);
    try {
      onClose(await call("POST /client/v4/accounts/{account}/ai-gateway/views", { account: place.account }, { body: { name, gateway_id: place.gateway, page: "logs", query, shared } }));
    } catch (e) {
      setError(e as ApiError);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={() => onClose()}
      title={t("logs.viewTitle")}
      actions={
        <>
          <Button onClick={() => onClose()}>{t("shell.cancel")}</Button>
          <Button look="primary" busy={busy} type="submit" form="save-view">
            {t("shell.save")}
          </Button>
        </>
      }
    >
      <form
        id="save-view"
        className="flex flex-col gap-3"
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <Field label={t("logs.viewName")} error={error?.field === "name" ? error.message : undefined}>
          {(control) => <Input {...control} required maxLength={100} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Check label={t("logs.viewShared")} checked={shared} onChange={(e) => setShared(e.target.checked)} />
        {error && error.field !== "name" && <ErrorPanel error={error} />}
      </form>
    </Dialog>
  );
}
