// What floats over the page. Base UI does the focus, the keys and the places; it stays out of the first chunk, so
// only features import this.
import { CSPProvider } from "@base-ui/react/csp-provider";
import { ContextMenu as BaseContextMenu } from "@base-ui/react/context-menu";
import { Dialog as BaseDialog } from "@base-ui/react/dialog";
import { Menu as BaseMenu } from "@base-ui/react/menu";
import { Popover as BasePopover } from "@base-ui/react/popover";
import { X } from "lucide-react";
import type { ReactElement, ReactNode, RefObject } from "react";
import { nonce } from "@/lib/base";
import { t } from "@/messages";
import { IconButton } from "./Button";
import { classes } from "./classes";

const float = "rounded-lg border border-line bg-surface shadow-float outline-none";

interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  description?: ReactNode;
  /** Buttons at the end. */
  actions?: ReactNode;
  /** It slides in from the side and is as high as the window. */
  sheet?: boolean;
  wide?: boolean;
  /** What has the focus at first; without it the first thing that can have it. */
  first?: RefObject<HTMLElement | null>;
  children?: ReactNode;
}

export function Dialog({ open, onClose, title, description, actions, sheet, wide, first, children }: DialogProps) {
  return (
    <CSPProvider nonce={nonce}>
      <BaseDialog.Root open={open} onOpenChange={(now) => !now && onClose()}>
        <BaseDialog.Portal>
          <BaseDialog.Backdrop className="fixed inset-0 z-40 bg-[rgb(0_0_0/0.45)]" />
          <BaseDialog.Popup
            initialFocus={first}
            className={classes(
              float,
              "fixed z-50 flex flex-col",
              sheet
                ? "inset-y-0 end-0 w-full max-w-lg rounded-none"
                : classes("start-1/2 top-1/2 max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 rtl:translate-x-1/2", wide ? "max-w-3xl" : "max-w-md"),
            )}
          >
            <div className="flex items-start gap-2 px-4 pt-3">
              <BaseDialog.Title className="min-w-0 flex-1 pt-1 text-lg font-semibold">{title}</BaseDialog.Title>
              <BaseDialog.Close render={<IconButton label={t("shell.close")}><X size={16} aria-hidden /></IconButton>} />
            </div>
            {description && <BaseDialog.Description className="px-4 pt-1 text-muted">{description}</BaseDialog.Description>}
            <div className="min-h-0 flex-1 overflow-y-auto px-4 py-3">{children}</div>
            {actions && <div className="flex flex-wrap justify-end gap-2 border-t border-line px-4 py-3">{actions}</div>}
          </BaseDialog.Popup>
        </BaseDialog.Portal>
      </BaseDialog.Root>
    </CSPProvider>
  );
}

interface PopoverProps {
  /** The button that opens it. */
  trigger: ReactElement;
  label?: string;
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  align?: "start" | "center" | "end";
  className?: string;
  children: ReactNode;
}

export function Popover({ trigger, label, open, onOpenChange, align = "start", className, children }: PopoverProps) {
  return (
    <CSPProvider nonce={nonce}>
      <BasePopover.Root open={open} onOpenChange={(now) => onOpenChange?.(now)}>
        <BasePopover.Trigger render={trigger} />
        <BasePopover.Portal>
          <BasePopover.Positioner sideOffset={4} align={align} className="z-50">
            <BasePopover.Popup aria-label={label} className={classes(float, "max-h-[var(--available-height)] max-w-[calc(100vw-1rem)] overflow-y-auto p-3", className)}>
              {children}
            </BasePopover.Popup>
          </BasePopover.Positioner>
        </BasePopover.Portal>
      </BasePopover.Root>
    </CSPProvider>
  );
}

export interface MenuItem {
  label: ReactNode;
  icon?: ReactNode;
  /** Shown at the end: the key that does the same. */
  keys?: string;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}

/** A menu of commands; null draws a line between two. */
export function Menu({ trigger, items, align = "end" }: { trigger: ReactElement; items: (MenuItem | null)[]; align?: "start" | "end" }) {
  return (
    <CSPProvider nonce={nonce}>
      <BaseMenu.Root>
        <BaseMenu.Trigger render={trigger} />
        <BaseMenu.Portal>
          <BaseMenu.Positioner sideOffset={4} align={align} className="z-50">
            <BaseMenu.Popup className={classes(float, "max-h-[var(--available-height)] min-w-40 overflow-y-auto py-1")}>
              <Items items={items} />
            </BaseMenu.Popup>
          </BaseMenu.Positioner>
        </BaseMenu.Portal>
      </BaseMenu.Root>
    </CSPProvider>
  );
}

function Items({ items }: { items: (MenuItem | null)[] }) {
  return items.map((item, i) =>
    item === null ? (
      <BaseMenu.Separator key={i} className="my-1 border-t border-line" />
    ) : (
      <BaseMenu.Item
        key={i}
        disabled={item.disabled}
        onClick={item.onSelect}
        className={classes("flex min-h-7 cursor-default items-center gap-2 px-3 data-disabled:opacity-60 data-highlighted:bg-hover pointer-coarse:min-h-11", item.danger && "text-bad")}
      >
        {item.icon}
        <span className="flex-1">{item.label}</span>
        {item.keys && <kbd className="ps-4 text-faint">{item.keys}</kbd>}
      </BaseMenu.Item>
    ),
  );
}

/** A menu at the place of a right click, a long touch or the menu key within what it holds. */
export function ContextMenu({ items, className, children }: { items: (MenuItem | null)[]; className?: string; children: ReactNode }) {
  return (
    <CSPProvider nonce={nonce}>
      <BaseContextMenu.Root>
        <BaseContextMenu.Trigger className={className}>{children}</BaseContextMenu.Trigger>
        <BaseContextMenu.Portal>
          <BaseContextMenu.Positioner className="z-50">
            <BaseContextMenu.Popup className={classes(float, "max-h-[var(--available-height)] min-w-40 overflow-y-auto py-1")}>
              <Items items={items} />
            </BaseContextMenu.Popup>
          </BaseContextMenu.Positioner>
        </BaseContextMenu.Portal>
      </BaseContextMenu.Root>
    </CSPProvider>
  );
}
