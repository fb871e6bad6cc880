import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { classes } from "./classes";

type Look = "plain" | "primary" | "danger" | "quiet";

const looks: Record<Look, string> = {
  plain: "border border-control bg-surface text-text hover:bg-hover",
  primary: "border border-accent bg-accent font-medium text-on-accent hover:opacity-90",
  danger: "border border-bad bg-surface font-medium text-bad hover:bg-bad-soft",
  quiet: "border border-transparent text-muted hover:bg-hover hover:text-text",
};

/** Classes of a button, for a link that looks like one. */
export function buttonClass(look: Look = "plain", size: "md" | "sm" = "md"): string {
  return classes(
    "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md whitespace-nowrap no-underline transition-colors disabled:opacity-60 aria-disabled:opacity-60 pointer-coarse:min-h-11",
    size === "md" ? "h-8 px-3" : "h-6 px-2 text-xs",
    looks[look],
  );
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  size?: "md" | "sm";
  /** Something is under way: the button keeps its focus and takes no further click. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ look, size, busy, className, onClick, children, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      aria-busy={busy || undefined}
      aria-disabled={busy || rest["aria-disabled"]}
      onClick={busy ? (e) => e.preventDefault() : onClick}
      className={classes(buttonClass(look, size), className)}
    >
      {busy && <Spinner />}
      {children}
    </button>
  );
}

/** A button that is only an icon; its label is read aloud and shown on hover. */
export function IconButton({ label, look = "quiet", size = "md", className, children, ...rest }: Omit<ButtonProps, "children"> & { label: string; children: ReactNode }) {
  return (
    <button
      type="button"
      title={label}
      aria-label={label}
      {...rest}
      className={classes("grid shrink-0 place-items-center rounded-md disabled:opacity-60 pointer-coarse:min-h-11 pointer-coarse:min-w-11", size === "md" ? "size-8" : "size-6", looks[look], className)}
    >
      {children}
    </button>
  );
}

function Spinner() {
  return <span aria-hidden className="size-3 animate-spin rounded-full border-2 border-current border-e-transparent" />;
}
