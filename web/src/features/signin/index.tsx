// Signing in: by name and password, by the identity provider, or by the link that the first admin is made with.
import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { ApiError, address, call } from "@/api/client";
import { queryClient } from "@/api/query";
import { useSession } from "@/api/session";
import { CopyField } from "@/components/Copy";
import { pagesPath } from "@/lib/base";
import { useSearchParams } from "@/lib/search";
import { t } from "@/messages";
import { Button, buttonClass } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { Banner, ErrorPanel, Skeleton } from "@/ui/State";
import { Frame } from "./Frame";
import { safeReturn } from "./back";

export default function SignInPage() {
  const session = useSession();
  const search = useSearchParams();
  const navigate = useNavigate();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const back = safeReturn(search.to, pagesPath);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await call("POST /client/v4/session", {}, { body: { email, password } });
      queryClient.clear();
      await navigate({ href: back });
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  if (!session) {
    return (
      <Frame title={t("signin.title")}>
        <Skeleton />
      </Frame>
    );
  }
  if (session.signed_in && !session.user) {
    return (
      <Frame title={t("signin.title")}>
        <p>{t("signin.notNeeded")}</p>
        <Button look="primary" onClick={() => void navigate({ href: back })}>
          {t("signin.goOn")}
        </Button>
      </Frame>
    );
  }
  if (!session.claimed && !session.oidc) {
    return (
      <Frame title={t("signin.claimTitle")}>
        <p>{t("signin.claimText")}</p>
        <CopyField text="sluice auth link" what={t("copy.cli")} />
        <CopyField text="docker exec sluice sluice auth link" what={t("copy.cli")} />
      </Frame>
    );
  }
  return (
    <Frame title={t("signin.title")}>
      {search.out === "1" && <Banner tone="ok">{t("signin.out")}</Banner>}
      {search.error && <ErrorPanel error={search.error} title={t("signin.failed")} />}
      <form onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
        <Field label={t("signin.email")}>
          {(control) => <Input {...control} type="email" name="email" autoComplete="username" required value={email} onChange={(e) => setEmail(e.target.value)} />}
        </Field>
        <Field label={t("signin.password")}>
          {(control) => <Input {...control} type="password" name="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} />}
        </Field>
        {error && <ErrorPanel error={error} title={t("signin.failed")} />}
        <Button type="submit" look="primary" busy={busy}>
          {t("signin.signIn")}
        </Button>
      </form>
      {session.oidc && (
        <a href={address("GET /client/v4/session/oidc", {})} className={buttonClass()}>
          {t("signin.oidc", { name: session.oidc })}
        </a>
      )}
    </Frame>
  );
}
