import { X } from "lucide-react";
import { dismiss, useToasts } from "@/lib/toast";
import { t } from "@/messages";
import { Button, IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";

/** Where short messages appear; it is there before the first, so that screen readers hear of it. */
export function Toasts() {
  const toasts = useToasts();
  return (
    <div role="status" aria-live="polite" className="pointer-events-none fixed inset-x-0 bottom-16 z-50 flex flex-col items-center gap-2 px-4 sm:bottom-4">
      {toasts.map((toast) => (
        <div
          key={toast.id}
          className={classes("pointer-events-auto flex max-w-full items-center gap-3 rounded-lg border bg-surface py-1 ps-3 pe-1 shadow-float", toast.tone === "bad" ? "border-bad text-bad" : toast.tone === "ok" ? "border-ok text-ok" : "border-line")}
        >
          <span className="min-w-0 break-words">{toast.text}</span>
          {toast.action && (
            <Button
              size="sm"
              onClick={() => {
                toast.action?.run();
                dismiss(toast.id);
              }}
            >
              {toast.action.label}
            </Button>
          )}
          <IconButton label={t("shell.close")} size="sm" onClick={() => dismiss(toast.id)}>
            <X size={14} aria-hidden />
          </IconButton>
        </div>
      ))}
    </div>
  );
}
