// Fields of forms: the label above, help below, an error in its place.
import { useId, type InputHTMLAttributes, type ReactNode, type Ref, type SelectHTMLAttributes, type TextareaHTMLAttributes } from "react";
import { classes } from "./classes";

const box = "w-full rounded-md border bg-surface px-2.5 text-text placeholder:text-faint disabled:bg-sunken disabled:text-muted";
// Browsers call every select read-only, so this is not for all of them.
const fixed = "read-only:bg-sunken";
const edge = (invalid?: boolean) => (invalid ? "border-bad" : "border-control");

interface FieldProps {
  label: string;
  help?: ReactNode;
  error?: string;
  /** Beside the label: where the value comes from, and the like. */
  aside?: ReactNode;
  className?: string;
  /** Gives the control what ties it to label, help and error. */
  children: (control: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}

export function Field({ label, help, error, aside, className, children }: FieldProps) {
  const id = useId();
  const notes = [error && `${id}-error`, help && `${id}-help`].filter(Boolean).join(" ");
  return (
    <div className={classes("flex min-w-0 flex-col gap-1", className)}>
      <div className="flex flex-wrap items-baseline gap-2">
        <label htmlFor={id} className="font-medium">
          {label}
        </label>
        {aside}
      </div>
      {children({ id, "aria-describedby": notes || undefined, "aria-invalid": error ? true : undefined })}
      {error && (
        <p id={`${id}-error`} className="text-xs text-bad">
          {error}
        </p>
      )}
      {help && (
        <p id={`${id}-help`} className="text-xs text-muted">
          {help}
        </p>
      )}
    </div>
  );
}

export function Input({ className, ...rest }: InputHTMLAttributes<HTMLInputElement> & { ref?: Ref<HTMLInputElement> }) {
  return <input {...rest} className={classes(box, fixed, "h-8 pointer-coarse:h-11", edge(rest["aria-invalid"] === true), className)} />;
}

export function Textarea({ className, ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement> & { ref?: Ref<HTMLTextAreaElement> }) {
  return <textarea {...rest} className={classes(box, fixed, "min-h-20 py-1.5", edge(rest["aria-invalid"] === true), className)} />;
}

/** A choice of few: the browser's own, which works everywhere. */
export function Select({ className, children, ...rest }: SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <select {...rest} className={classes(box, "h-8 pe-7 pointer-coarse:h-11", edge(rest["aria-invalid"] === true), className)}>
      {children}
    </select>
  );
}

interface SwitchProps {
  label: string;
  help?: ReactNode;
  aside?: ReactNode;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}

/** On or off, with its label beside it. */
export function Switch({ label, help, aside, checked, disabled, onChange }: SwitchProps) {
  const id = useId();
  return (
    <div className="flex items-start gap-3">
      <button
        type="button"
        role="switch"
        aria-checked={checked}
        aria-labelledby={`${id}-label`}
        aria-describedby={help ? `${id}-help` : undefined}
        disabled={disabled}
        onClick={() => onChange(!checked)}
        className={classes("relative mt-px h-6 w-10 shrink-0 rounded-full border disabled:opacity-60", checked ? "border-accent bg-accent" : "border-control bg-sunken")}
      >
        <span aria-hidden className={classes("absolute top-[3px] size-4 rounded-full transition-[inset-inline-start]", checked ? "start-[19px] bg-on-accent" : "start-[3px] bg-control")} />
      </button>
      <div className="min-w-0">
        <div className="flex flex-wrap items-baseline gap-2">
          <span id={`${id}-label`} className="font-medium">
            {label}
          </span>
          {aside}
        </div>
        {help && (
          <p id={`${id}-help`} className="text-xs text-muted">
            {help}
          </p>
        )}
      </div>
    </div>
  );
}

interface CheckProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "type"> {
  label: ReactNode;
  kind?: "checkbox" | "radio";
}

export function Check({ label, kind = "checkbox", className, ...rest }: CheckProps) {
  return (
    <label className={classes("flex min-h-6 items-center gap-2", className)}>
      <input {...rest} type={kind} className="size-4 shrink-0 accent-accent" />
      <span className="min-w-0">{label}</span>
    </label>
  );
}
