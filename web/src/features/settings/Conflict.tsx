import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Overlay";
import type { Draft } from "./draft";

/** A value as it is shown in a comparison. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return t("settings.none");
  if (typeof value === "boolean") return value ? t("settings.on") : t("settings.off");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Both versions side by side, when somebody else has saved in the meantime. */
export function Conflict({ draft }: { draft: Draft }) {
  const theirs = draft.conflict;
  return (
    <Dialog
      wide
      open={theirs !== undefined}
      onClose={draft.settle}
      title={t("settings.conflictTitle")}
      description={t("settings.conflictText")}
      actions={
        <>
          <Button onClick={draft.settle}>{t("settings.conflictDrop")}</Button>
          <Button look="primary" busy={draft.saving} onClick={() => void draft.save(theirs)}>
            {t("settings.conflictKeep")}
          </Button>
        </>
      }
    >
      {theirs && (
        <table className="w-full text-start">
          <thead>
            <tr className="border-b border-line text-muted">
              <th scope="col" className="py-1 pe-3 text-start font-medium">{t("settings.conflictSetting")}</th>
              <th scope="col" className="py-1 pe-3 text-start font-medium">{t("settings.conflictTheirs")}</th>
              <th scope="col" className="py-1 text-start font-medium">{t("settings.conflictYours")}</th>
            </tr>
          </thead>
          <tbody>
            {draft.changed.map((name) => (
              <tr key={name} className="border-b border-line align-top">
                <th scope="row" className="py-1.5 pe-3 text-start font-normal"><code>{name}</code></th>
                <td className="py-1.5 pe-3 break-words">{show(theirs[name])}</td>
                <td className="py-1.5 font-medium break-words">{show(draft.value(name))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Dialog>
  );
}
