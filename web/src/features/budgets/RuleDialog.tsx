import { useState } from "react";
import { useAction } from "@/lib/action";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input, Select, Switch } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import { ErrorPanel } from "@/ui/State";
import { sentence, windows, windowText, words, type Rule } from "./rules";

interface Props {
  rule: Rule;
  save: (rule: Rule) => Promise<void>;
  onClose: () => void;
}

/** A rule in a form, with what it says in plain words below. */
export function RuleDialog({ rule, save, onClose }: Props) {
  const [id, setId] = useState(rule.id ?? "");
  const [limit, setLimit] = useState(String(rule.limit));
  const [seconds, setSeconds] = useState(rule.window);
  const [technique, setTechnique] = useState(rule.technique ?? "fixed");
  const [provider, setProvider] = useState(rule.provider?.values.join(", ") ?? "");
  const [model, setModel] = useState(rule.model?.values.join(", ") ?? "");
  const partitions = Object.entries(rule.metadata ?? {}).filter(([, m]) => m.mode === "partition").map(([k]) => k);
  const [split, setSplit] = useState(partitions.join(", "));
  const [act, setAct] = useState(rule.action ?? "block");
  const [unpriced, setUnpriced] = useState(rule.unpriced ?? "allow");
  const [hard, setHard] = useState(rule.hard ?? false);
  const action = useAction();

  // Filters by metadata are kept as they are: the form has none.
  const kept = Object.entries(rule.metadata ?? {}).filter(([, m]) => m.mode === "filter");
  const metadata = Object.fromEntries([...kept, ...words(split).map((key) => [key, { mode: "partition" as const }])]);
  const edited: Rule = {
    ...(rule.enabled === false && { enabled: false }),
    ...(id.trim() && { id: id.trim() }),
    limitType: "cost",
    limit: Number(limit),
    window: seconds,
    technique,
    ...(words(provider).length > 0 && { provider: { mode: "filter" as const, values: words(provider) } }),
    ...(words(model).length > 0 && { model: { mode: "filter" as const, values: words(model) } }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(act !== "block" && { action: act }),
    ...(unpriced !== "allow" && { unpriced }),
    ...(hard && { hard }),
  };
  const submit = () => action.run(() => save(edited));
  const known = windows.some(([s]) => s === seconds);
  return (
    <Dialog
      wide
      open
      onClose={onClose}
      title={rule.id ? t("budgets.editTitle", { id: rule.id }) : t("budgets.newTitle")}
      actions={
        <>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button look="primary" busy={action.busy} disabled={!(Number(limit) > 0)} onClick={() => void submit()}>
            {t("shell.save")}
          </Button>
        </>
      }
    >
      <form
        className="grid gap-4 sm:grid-cols-2"
        onSubmit={(e) => {
          e.preventDefault();
          void submit();
        }}
      >
        {action.failure && (
          <div className="sm:col-span-2">
            <ErrorPanel error={action.failure} />
          </div>
        )}
        <Field label={t("budgets.fieldId")}>{(control) => <Input {...control} value={id} onChange={(e) => setId(e.target.value)} />}</Field>
        <Field label={t("budgets.fieldLimit")}>{(control) => <Input {...control} type="number" min={0} step="any" value={limit} onChange={(e) => setLimit(e.target.value)} />}</Field>
        <Field label={t("budgets.fieldWindow")}>
          {(control) => (
            <Select {...control} value={seconds} onChange={(e) => setSeconds(Number(e.target.value))}>
              {windows.map(([s, label]) => (
                <option key={s} value={s}>
                  {t(label)}
                </option>
              ))}
              {!known && <option value={seconds}>{windowText(seconds)}</option>}
            </Select>
          )}
        </Field>
        <Field label={t("budgets.fieldTechnique")}>
          {(control) => (
            <Select {...control} value={technique} onChange={(e) => setTechnique(e.target.value as "fixed" | "sliding")}>
              <option value="fixed">{t("budgets.fixed")}</option>
              <option value="sliding">{t("budgets.sliding")}</option>
            </Select>
          )}
        </Field>
        <Field label={t("budgets.fieldProvider")} help={t("budgets.fieldProviderHelp")}>
          {(control) => <Input {...control} value={provider} onChange={(e) => setProvider(e.target.value)} />}
        </Field>
        <Field label={t("budgets.fieldModel")} help={t("budgets.fieldModelHelp")}>
          {(control) => <Input {...control} value={model} onChange={(e) => setModel(e.target.value)} />}
        </Field>
        <Field label={t("budgets.fieldSplit")} help={t("budgets.fieldSplitHelp")}>
          {(control) => <Input {...control} value={split} onChange={(e) => setSplit(e.target.value)} />}
        </Field>
        <Field label={t("budgets.fieldAction")}>
          {(control) => (
            <Select {...control} value={act} onChange={(e) => setAct(e.target.value as "block" | "alert")}>
              <option value="block">{t("budgets.block")}</option>
              <option value="alert">{t("budgets.alert")}</option>
            </Select>
          )}
        </Field>
        <Field label={t("budgets.fieldUnpriced")}>
          {(control) => (
            <Select {...control} value={unpriced} onChange={(e) => setUnpriced(e.target.value as "allow" | "flag" | "block")}>
              <option value="allow">{t("budgets.unpricedAllow")}</option>
              <option value="flag">{t("budgets.unpricedFlag")}</option>
              <option value="block">{t("budgets.unpricedBlock")}</option>
            </Select>
          )}
        </Field>
        <div className="self-end pb-1">
          <Switch label={t("budgets.fieldHard")} help={t("budgets.fieldHardHelp")} checked={hard} onChange={setHard} />
        </div>
        <p className="rounded-md bg-sunken px-3 py-2 sm:col-span-2">{sentence(edited)}</p>
      </form>
    </Dialog>
  );
}
