import type { ReactNode } from "react";
import type { Action } from "@/lib/action";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Overlay";
import { ErrorPanel } from "@/ui/State";

interface Props {
  open: boolean;
  onClose: () => void;
  /** What will happen, as a verb and its object: it is the button's text, too. */
  title: string;
  /** What it means, with names and numbers. */
  text: ReactNode;
  action: Action;
  onConfirm: () => void;
}

/** Asks before something that cannot be undone. */
export function Confirm({ open, onClose, title, text, action, onConfirm }: Props) {
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={title}
      description={text}
      actions={
        <>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button look="danger" busy={action.busy} onClick={onConfirm}>
            {title}
          </Button>
        </>
      }
    >
      {action.failure && <ErrorPanel error={action.failure} />}
    </Dialog>
  );
}
