// A stored body as it is: a tree where it is JSON, else text; always with a download.
import { Download } from "lucide-react";
import { useMemo, useState } from "react";
import type { Entry } from "@/api/types.gen";
import { CopyButton } from "@/components/Copy";
import { JsonTree, PlainText } from "@/components/JsonTree";
import { bytes } from "@/lib/format";
import { t } from "@/messages";
import { Button, buttonClass } from "@/ui/Button";
import { ErrorPanel, Skeleton } from "@/ui/State";
import { bodyAddress, large, stored, useBody, type Side, type Spot } from "./body";

interface Props {
  spot: Spot;
  entry: Entry;
  side: Side;
}

export function BodyTab({ spot, entry, side }: Props) {
  const facts = entry[side];
  const [asked, ask] = useState(false);
  const [plain, setPlain] = useState(false);
  const big = (facts?.stored ?? 0) > large;
  const there = stored(entry, side);
  const body = useBody(spot, side, there && (!big || asked));
  const text = useMemo(() => body.data && textOf(body.data.bytes, body.data.type), [body.data]);
  if (!there) return <NotStored entry={entry} side={side} />;
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2 text-xs text-muted">
        <span>{facts?.type}</span>
        <span className="num">{bytes(facts?.size)}</span>
        {facts?.encoding && <span>{facts.encoding}</span>}
        {facts?.truncated && <span className="text-warn">{t("detail.truncated", { stored: bytes(facts.stored), size: bytes(facts.size) })}</span>}
        <span className="ms-auto flex items-center gap-1">
          {text !== undefined && (
            <>
              <Button size="sm" look="quiet" aria-pressed={plain} onClick={() => setPlain(!plain)}>
                {t("detail.plain")}
              </Button>
              <CopyButton text={text} what={t(`detail.tab_${side}`)} />
            </>
          )}
          <a href={bodyAddress(spot, side)} download className={buttonClass("quiet", "sm")}>
            <Download size={13} aria-hidden />
            {t("detail.download")}
          </a>
        </span>
      </div>
      {big && !asked && (
        <>
          <PlainText text={(side === "request" ? entry.request_head : entry.response_head) ?? ""} label={t(`detail.tab_${side}`)} />
          <div className="flex flex-wrap items-center gap-2 text-muted">
            {t("detail.big", { size: bytes(facts?.stored) })}
            <Button size="sm" onClick={() => ask(true)}>
              {t("detail.loadAnyway")}
            </Button>
          </div>
        </>
      )}
      {body.error ? (
        <ErrorPanel error={body.error} onRetry={() => void body.refetch()} />
      ) : body.data && text === undefined ? (
        <p className="text-muted">{t("detail.binary")}</p>
      ) : text !== undefined ? (
        plain || !/^\s*[[{]/.test(text) ? <PlainText text={text} label={t(`detail.tab_${side}`)} /> : <JsonTree source={text} label={t(`detail.tab_${side}`)} />
      ) : (
        (!big || asked) && <Skeleton lines={8} />
      )}
    </div>
  );
}

/** A body as text; undefined: it is none. */
function textOf(body: Uint8Array, type: string): string | undefined {
  if (/^(image|audio|video)\/|octet-stream|amazon\.eventstream|pdf|zip/.test(type)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: !type.startsWith("multipart/") }).decode(body);
  } catch {
    return undefined;
  }
}

/** Which rule says that there is no body. */
export function NotStored({ entry, side }: { entry: Entry; side: Side }) {
  const facts = entry[side];
  const off = entry.request_headers?.find((h) => /^cf-aig-collect-log(-payload)?$/i.test(h.name));
  const why =
    entry.ending === "in_flight" ? t("detail.stillRunning")
    : facts?.off ? (off ? t("detail.offByHeader", { header: `${off.name}: ${off.value}` }) : t("detail.offBySetting"))
    : facts?.dropped ? t("detail.offByRoom")
    : facts?.size ? t("detail.expired")
    : t("detail.emptyBody");
  return (
    <p className="rounded-md bg-sunken px-3 py-2 text-muted">
      <span className="font-medium text-text">{t(`detail.tab_${side}`)}</span>: {why}
    </p>
  );
}
