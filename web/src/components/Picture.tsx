// Pictures, sounds and films out of logged bodies. Only what is in the body itself is shown; what lies elsewhere is a link.
import { FileText, Film, Image as ImageIcon, Music } from "lucide-react";
import { safeLink } from "@/lib/markdown";
import type { Media } from "@/lib/conversation/model";
import { bytes } from "@/lib/format";
import { t } from "@/messages";

/** What browsers show as a picture without running anything in it: SVG is not among them. */
const shown = /^data:image\/(png|jpe?g|gif|webp|avif|bmp);base64,/i;

export function Picture({ url, name }: { url: string; name?: string }) {
  if (shown.test(url)) return <img src={url} alt={name || t("talk.image")} className="inline-block max-h-80 self-start max-w-full rounded-md border border-line bg-sunken" />;
  const safe = safeLink(url);
  if (safe) return <RemoteChip icon="image" href={safe.href} host={safe.host} name={name} />;
  return <Chip icon="image" text={name || t("talk.image")} note={sizeOf(url)} />;
}

const icons = { image: ImageIcon, audio: Music, video: Film, file: FileText };

export function MediaView({ part }: { part: Media }) {
  const url = part.url ?? "";
  if (part.media === "image" && url) return <Picture url={url} name={part.name} />;
  if (part.media === "audio" && /^data:audio\//i.test(url)) return <Sound url={url} name={part.name} />;
  const safe = safeLink(url);
  const name = part.name ?? part.type ?? t(`talk.${part.media}`);
  if (safe) return <RemoteChip icon={part.media} href={safe.href} host={safe.host} name={name} />;
  return <Chip icon={part.media} text={name} note={sizeOf(url)} download={url.startsWith("data:") ? url : undefined} />;
}

function Sound({ url, name }: { url: string; name?: string }) {
  return (
    <figure className="flex flex-col gap-1">
      {/* oxlint-disable-next-line jsx-a11y/media-has-caption -- a log has no captions */}
      <audio controls preload="none" src={url} aria-label={name ?? t("talk.audio")} className="max-w-full" />
      {name && <figcaption className="text-xs text-muted">{name}</figcaption>}
    </figure>
  );
}

function blobUrl(data: string): string | undefined {
  const cut = /^data:([^;,]+)[^,]*,(.*)$/s.exec(data);
  if (!cut) return undefined;
  try {
    return URL.createObjectURL(new Blob([Uint8Array.from(atob(cut[2]!), (c) => c.charCodeAt(0))], { type: cut[1] }));
  } catch {
    return undefined;
  }
}

function sizeOf(url: string): string | undefined {
  const comma = url.indexOf(",");
  return url.startsWith("data:") && comma > 0 ? bytes(Math.floor(((url.length - comma - 1) * 3) / 4)) : undefined;
}

function Chip({ icon, text, note, download }: { icon: keyof typeof icons; text: string; note?: string; download?: string }) {
  const Icon = icons[icon];
  const inner = (
    <>
      <Icon size={14} aria-hidden className="shrink-0" />
      <span className="truncate">{text}</span>
      {note && <span className="num text-faint">{note}</span>}
    </>
  );
  const look = "inline-flex max-w-full items-center gap-1.5 rounded-md border border-line bg-sunken px-2 py-1 text-xs";
  if (!download) return <span className={look}>{inner}</span>;
  return (
    <button
      type="button"
      className={look}
      title={t("talk.download")}
      onClick={() => {
        const made = blobUrl(download);
        if (!made) return;
        const link = document.createElement("a");
        link.href = made;
        link.download = text;
        link.click();
        setTimeout(() => URL.revokeObjectURL(made), 10_000);
      }}
    >
      {inner}
    </button>
  );
}

/** The page may fetch nothing from elsewhere, so it opens a tab of its own when somebody clicks. */
function RemoteChip({ icon, href, host, name }: { icon: keyof typeof icons; href: string; host: string; name?: string }) {
  const Icon = icons[icon];
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={t("talk.remote")} className="inline-flex max-w-full items-center gap-1.5 rounded-md border border-line bg-sunken px-2 py-1 text-xs">
      <Icon size={14} aria-hidden className="shrink-0" />
      <span className="truncate">{name || t("talk.image")}</span>
      <span className="text-faint">{host}</span>
    </a>
  );
}
