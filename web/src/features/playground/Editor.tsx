// The form of a request: messages, tools, parameters, and how the gateway is to treat it.
import { Image as ImageIcon, Plus, Trash2 } from "lucide-react";
import { useRef } from "react";
import type { Message, Part, Role } from "@/lib/conversation/model";
import { MediaView } from "@/components/Picture";
import { t } from "@/messages";
import { Button, IconButton } from "@/ui/Button";
import { Field, Input, Select, Switch, Textarea } from "@/ui/Field";
import type { Draft } from "./draft";

interface Props {
  draft: Draft;
  faults: Partial<Record<keyof Draft, true>>;
  onChange: (draft: Draft) => void;
}

const roles: Role[] = ["system", "user", "assistant", "tool"];

export function Editor({ draft, faults, onChange }: Props) {
  const set = <K extends keyof Draft>(name: K, value: Draft[K]) => onChange({ ...draft, [name]: value });
  const number = (name: "temperature" | "maxTokens" | "topP" | "cacheTtl" | "attempts") => (
    <Field label={t(`play.${name}`)} error={faults[name] && t("play.notNumber")}>
      {(control) => <Input {...control} inputMode="decimal" value={draft[name]} onChange={(e) => set(name, e.target.value)} />}
    </Field>
  );
  const json = (name: "tools" | "more" | "metadata", rows: number) => (
    <Field label={t(`play.${name}`)} help={t(`play.${name}Help`)} error={faults[name] && t("play.notJson")}>
      {(control) => <Textarea {...control} rows={rows} spellCheck={false} className="num" value={draft[name]} onChange={(e) => set(name, e.target.value)} />}
    </Field>
  );
  return (
    <div className="flex min-w-0 flex-col gap-3">
      <Messages messages={draft.messages} onChange={(messages) => set("messages", messages)} />
      <details className="rounded-lg border border-line bg-surface p-3" open={draft.tools !== ""}>
        <summary className="font-medium">{t("play.tools")}</summary>
        <div className="mt-2">{json("tools", 6)}</div>
      </details>
      <details className="rounded-lg border border-line bg-surface p-3">
        <summary className="font-medium">{t("play.parameters")}</summary>
        <div className="mt-2 flex flex-col gap-3">
          <Switch label={t("play.stream")} checked={draft.stream} onChange={(on) => set("stream", on)} />
          <div className="grid grid-cols-3 gap-2">
            {number("temperature")}
            {number("maxTokens")}
            {number("topP")}
          </div>
          {json("more", 3)}
        </div>
      </details>
      <details className="rounded-lg border border-line bg-surface p-3">
        <summary className="font-medium">{t("play.gateway")}</summary>
        <div className="mt-2 flex flex-col gap-3">
          <Switch label={t("play.skipCache")} checked={draft.skipCache} onChange={(on) => set("skipCache", on)} />
          <div className="grid grid-cols-2 gap-2">
            {number("cacheTtl")}
            {number("attempts")}
          </div>
          {json("metadata", 2)}
        </div>
      </details>
    </div>
  );
}

function Messages({ messages, onChange }: { messages: Message[]; onChange: (messages: Message[]) => void }) {
  const change = (i: number, message: Message) => onChange(messages.map((old, j) => (j === i ? message : old)));
  const last = messages.at(-1)?.role;
  return (
    <div className="flex flex-col gap-2">
      {messages.map((message, i) => (
        <MessageEditor key={i} place={i + 1} message={message} onChange={(next) => change(i, next)} onRemove={messages.length > 1 ? () => onChange(messages.filter((_, j) => j !== i)) : undefined} />
      ))}
      <Button size="sm" className="self-start" onClick={() => onChange([...messages, { role: last === "user" ? "assistant" : "user", parts: [{ kind: "text", text: "" }] }])}>
        <Plus size={13} aria-hidden />
        {t("play.addMessage")}
      </Button>
    </div>
  );
}

/** Texts are edited; calls of tools by their arguments, results by their text; the rest is kept, or taken out. */
function MessageEditor({ place, message, onChange, onRemove }: { place: number; message: Message; onChange: (message: Message) => void; onRemove?: () => void }) {
  const file = useRef<HTMLInputElement>(null);
  const setPart = (i: number, part: Part) => onChange({ ...message, parts: message.parts.map((old, j) => (j === i ? part : old)) });
  const drop = (i: number) => onChange({ ...message, parts: message.parts.filter((_, j) => j !== i) });
  const addPicture = (picked: File) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => onChange({ ...message, parts: [...message.parts, { kind: "media", media: "image", url: String(reader.result), type: picked.type, name: picked.name }] }));
    reader.readAsDataURL(picked);
  };
  return (
    <div role="group" aria-label={t("play.message", { n: place })} className="flex flex-col gap-1.5 rounded-lg border border-line bg-surface p-2">
      <div className="flex items-center gap-1">
        <Select aria-label={t("play.role")} value={message.role} onChange={(e) => onChange({ ...message, role: e.target.value as Role })} className="w-auto">
          {roles.map((role) => (
            <option key={role} value={role}>
              {t(`talk.${role}`)}
            </option>
          ))}
        </Select>
        <span className="ms-auto" />
        {message.role === "user" && (
          <>
            <IconButton label={t("play.addPicture")} onClick={() => file.current?.click()}>
              <ImageIcon size={14} aria-hidden />
            </IconButton>
            <input ref={file} type="file" accept="image/png,image/jpeg,image/gif,image/webp" className="hidden" aria-label={t("play.addPicture")} onChange={(e) => e.target.files?.[0] && addPicture(e.target.files[0])} />
          </>
        )}
        {onRemove && (
          <IconButton label={t("play.removeMessage", { n: place })} onClick={onRemove}>
            <Trash2 size={14} aria-hidden />
          </IconButton>
        )}
      </div>
      {message.parts.map((part, i) => (
        <PartEditor key={i} part={part} onChange={(next) => setPart(i, next)} onRemove={() => drop(i)} />
      ))}
      {!message.parts.some((p) => p.kind === "text" || p.kind === "result") && (
        <Button size="sm" look="quiet" className="self-start" onClick={() => onChange({ ...message, parts: [{ kind: "text", text: "" }, ...message.parts] })}>
          {t("play.addText")}
        </Button>
      )}
    </div>
  );
}

function PartEditor({ part, onChange, onRemove }: { part: Part; onChange: (part: Part) => void; onRemove: () => void }) {
  if (part.kind === "text") return <Textarea aria-label={t("play.text")} rows={Math.min(12, Math.max(2, part.text.split("\n").length + 1))} value={part.text} placeholder={t("play.placeholder")} onChange={(e) => onChange({ ...part, text: e.target.value })} />;
  if (part.kind === "call") {
    return (
      <Kept title={t("play.callOf", { name: part.name })} onRemove={onRemove}>
        <Textarea aria-label={t("play.argumentsOf", { name: part.name })} className="num" rows={2} spellCheck={false} value={part.args} onChange={(e) => onChange({ ...part, args: e.target.value })} />
      </Kept>
    );
  }
  if (part.kind === "result") {
    const text = part.parts.map((p) => (p.kind === "text" ? p.text : p.kind === "json" ? JSON.stringify(p.value) : "")).join("\n");
    return (
      <Kept title={t("play.resultOf", { id: part.id || (part.name ?? "") })} onRemove={onRemove}>
        <Textarea aria-label={t("play.resultOf", { id: part.id })} className="num" rows={2} spellCheck={false} value={text} onChange={(e) => onChange({ ...part, parts: [{ kind: "text", text: e.target.value }] })} />
      </Kept>
    );
  }
  if (part.kind === "media") {
    return (
      <Kept title={part.name ?? part.type ?? t(`talk.${part.media}`)} onRemove={onRemove}>
        <MediaView part={part} />
      </Kept>
    );
  }
  return <Kept title={part.kind === "reasoning" ? t("play.notSent") : t("talk.data")} onRemove={onRemove} />;
}

function Kept({ title, onRemove, children }: { title: string; onRemove: () => void; children?: React.ReactNode }) {
  return (
    <div className="flex flex-col gap-1 rounded-md border border-line bg-sunken p-1.5">
      <div className="flex items-center gap-1 text-xs text-muted">
        <span className="num min-w-0 flex-1 truncate">{title}</span>
        <IconButton size="sm" label={t("play.removePart", { what: title })} onClick={onRemove}>
          <Trash2 size={12} aria-hidden />
        </IconButton>
      </div>
      {children}
    </div>
  );
}
