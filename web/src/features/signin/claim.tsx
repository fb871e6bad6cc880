// A one-time link: it makes the first admin, or sets somebody's password. What is behind # never goes to a server by
// itself, so it is in no log; it is taken out of the address at once.
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState, type FormEvent } from "react";
import { ApiError, call } from "@/api/client";
import { queryClient } from "@/api/query";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { ErrorPanel, Skeleton } from "@/ui/State";
import { Frame } from "./Frame";

const least = 10; // characters of a password, as the API wants them

export default function ClaimPage() {
  const navigate = useNavigate();
  const [link] = useState(() => location.hash.slice(1));
  const [of, setOf] = useState<string>(); // whose password it sets; "": it makes an admin
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  useEffect(() => {
    history.replaceState(history.state, "", location.pathname + location.search);
    call("POST /client/v4/claim/check", {}, { body: { link } }).then(
      (found) => {
        setOf(found.email);
        setEmail(found.email);
      },
      (failure: ApiError) => setError(failure),
    );
  }, [link]);
  const short = password !== "" && password.length < least;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (password.length < least) return;
    setBusy(true);
    setError(undefined);
    try {
      await call("POST /client/v4/claim", {}, { body: { link, password, ...(of === "" ? { email } : {}), ...(name ? { name } : {}) } });
      queryClient.clear();
      await navigate({ to: "/" });
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Frame title={t(of ? "signin.setPassword" : "signin.become")}>
      {of === undefined && !error && <Skeleton />}
      {of !== undefined && (
        <form onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
          <p className="text-muted">{t(of ? "signin.setText" : "signin.becomeText")}</p>
          <Field label={t("signin.email")} error={error?.field === "email" ? error.message : undefined}>
            {(control) => <Input {...control} type="email" name="email" autoComplete="username" required readOnly={of !== ""} value={email} onChange={(e) => setEmail(e.target.value)} />}
          </Field>
          <Field label={t("signin.name")}>{(control) => <Input {...control} name="name" autoComplete="name" value={name} onChange={(e) => setName(e.target.value)} />}</Field>
          <Field label={t("signin.password")} help={t("signin.passwordHelp", { n: least })} error={error?.field === "password" ? error.message : short ? t("signin.short", { n: least }) : undefined}>
            {(control) => <Input {...control} type="password" name="password" autoComplete="new-password" required value={password} onChange={(e) => setPassword(e.target.value)} />}
          </Field>
          {error && error.field !== "email" && error.field !== "password" && <ErrorPanel error={error} />}
          <Button type="submit" look="primary" busy={busy}>
            {t("signin.signIn")}
          </Button>
        </form>
      )}
      {of === undefined && error && (
        <>
          <ErrorPanel error={error} title={t("signin.linkFailed")} />
          <Link to="/signin">{t("signin.toSignIn")}</Link>
        </>
      )}
    </Frame>
  );
}
