// A gateway's settings while they are edited: what was read, what was changed, and what came back of saving.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError, call } from "@/api/client";
import { useCall } from "@/api/query";
import type { Calls, GatewayView } from "@/api/types.gen";
import type { Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { t } from "@/messages";

const path = "/client/v4/accounts/{account}/ai-gateway/gateways/{gateway}";
const read = `GET ${path}` as const;
const write = `PUT ${path}` as const;

type Body = Calls[typeof write]["body"];
export type Name = keyof Body & keyof GatewayView;

/** What an update must name, changed or not. */
const required: Name[] = ["cache_ttl", "cache_invalidate_on_update", "collect_logs", "rate_limiting_interval", "rate_limiting_limit"];

export interface Draft {
  gateway: GatewayView;
  /** The value as edited. */
  value: <N extends Name>(name: N) => GatewayView[N];
  set: <N extends Name>(name: N, value: GatewayView[N]) => void;
  changed: Name[];
  discard: () => void;
  save: (over?: GatewayView) => Promise<void>;
  saving: boolean;
  /** Faults by field, as the server named them. */
  errors: Partial<Record<string, string>>;
  /** A fault of no single field. */
  failure?: ApiError;
  /** What is there now, after somebody else's change. */
  conflict?: GatewayView;
  settle: () => void;
  readOnly: boolean;
}

export function useDraft(place: Place) {
  const query = useCall(read, place);
  const client = useQueryClient();
  const [edits, setEdits] = useState<Partial<GatewayView>>({});
  // The version that the edits were made on: others' changes must not pass under them unseen.
  const [base, setBase] = useState<GatewayView>();
  const [saving, setSaving] = useState(false);
  const [errors, setErrors] = useState<Draft["errors"]>({});
  const [failure, setFailure] = useState<ApiError>();
  const [conflict, setConflict] = useState<GatewayView>();
  const fresh = query.data?.result;
  const dirty = Object.keys(edits).length > 0;

  useEffect(() => {
    if (!dirty) return;
    const warn = (e: BeforeUnloadEvent) => e.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [dirty]);

  const gateway = dirty ? (base ?? fresh) : fresh;
  if (!gateway) return { query, draft: undefined };

  const changed = (Object.keys(edits) as Name[]).filter((n) => JSON.stringify(edits[n]) !== JSON.stringify(gateway[n]));
  const discard = () => {
    setEdits({});
    setErrors({});
    setFailure(undefined);
    setConflict(undefined);
  };
  const save = async (over = gateway) => {
    setSaving(true);
    setErrors({});
    setFailure(undefined);
    try {
      const body = Object.fromEntries([...new Set([...required, ...changed])].map((n) => [n, n in edits ? edits[n] : over[n]])) as Body;
      const now = await call(write, place, { body, ifMatch: `"${over.version}"` });
      client.setQueryData([read, place, {}], (before: Calls[typeof read]["answer"] | undefined) => before && { ...before, result: now });
      void client.invalidateQueries();
      setEdits({});
      setConflict(undefined);
      toast(t("settings.saved"), { tone: "ok" });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409 && !error.field?.includes("id")) {
        const now = await call(read, place).catch(() => undefined);
        if (now && now.version !== over.version) {
          setConflict(now);
          return;
        }
      }
      if (error.field && (error.field in gateway || error.field.startsWith("spend_limits"))) setErrors({ [error.field]: error.message });
      else setFailure(error);
    } finally {
      setSaving(false);
    }
  };
  const draft: Draft = {
    gateway,
    value: (name) => (name in edits ? edits[name]! : gateway[name]) as never,
    set: (name, value) => {
      setErrors((before) => ({ ...before, [name]: undefined }));
      if (!dirty) setBase(gateway);
      setEdits((before) => ({ ...before, [name]: value }));
    },
    changed,
    discard,
    save,
    saving,
    errors,
    failure,
    conflict,
    settle: () => {
      discard();
      void query.refetch();
    },
    readOnly: gateway.origin === "file",
  };
  return { query, draft };
}
