// Copying: everywhere a value may be needed elsewhere. A message names what was copied.
import { Copy as Icon } from "lucide-react";
import { toast } from "@/lib/toast";
import { t } from "@/messages";
import { IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";

/** Copies text; what names it in the message. Without TLS, off loopback, browsers have no clipboard: the old way then. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(t("shell.copied", { what }));
}

export function CopyButton({ text, what, size = "sm" }: { text: string; what: string; size?: "sm" | "md" }) {
  return (
    <IconButton label={`${t("shell.copy")}: ${what}`} size={size} onClick={() => void copyText(text, what)}>
      <Icon size={14} aria-hidden />
    </IconButton>
  );
}

/** A value in one line, to be copied. */
export function CopyField({ text, what, className }: { text: string; what: string; className?: string }) {
  return (
    <div className={classes("flex min-w-0 items-center gap-1 rounded-md border border-line bg-sunken ps-2.5", className)}>
      <code className="min-w-0 flex-1 truncate" title={text}>
        {text}
      </code>
      <CopyButton text={text} what={what} />
    </div>
  );
}

/** Code of several lines; mark is the part that matters, shown so. */
export function Snippet({ code, what, mark }: { code: string; what: string; mark?: string }) {
  const at = mark ? code.indexOf(mark) : -1;
  return (
    <div className="relative rounded-md border border-line bg-sunken">
      <pre tabIndex={0} aria-label={what} className="overflow-x-auto p-3 pe-10">
        {at < 0 ? (
          code
        ) : (
          <>
            {code.slice(0, at)}
            <mark className="rounded-sm bg-ok-soft px-0.5 text-ok">{mark}</mark>
            {code.slice(at + mark!.length)}
          </>
        )}
      </pre>
      <div className="absolute end-1.5 top-1.5 rounded-md bg-sunken">
        <CopyButton text={code} what={what} />
      </div>
    </div>
  );
}
