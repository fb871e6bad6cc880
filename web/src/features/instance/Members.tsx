// Who signs in by name, and what each may do.
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "@/api/client";
import { useCall } from "@/api/query";
import { useSession } from "@/api/session";
import type { CreatedLink, MemberView } from "@/api/types.gen";
import { Confirm } from "@/components/Confirm";
import { CopyField } from "@/components/Copy";
import { useAction } from "@/lib/action";
import { dateTime, relative } from "@/lib/format";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Check, Field, Input, Select } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import { Badge, EmptyState, ErrorPanel, Skeleton } from "@/ui/State";

const path = "/client/v4/accounts/{account}/ai-gateway/members";
const account = { account: "default" };
const roles = ["viewer", "editor", "admin"] as const;
type RoleName = (typeof roles)[number];

interface Link {
  email: string;
  link: CreatedLink;
}

export function Members() {
  const [adding, add] = useState(false);
  const [link, showLink] = useState<Link>();
  const query = useCall(`GET ${path}`, account, { per_page: 100 });
  const [zone] = useZone();
  if (query.isPending) return <Skeleton lines={4} />;
  if (!query.data) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  const members = query.data.result ?? [];
  return (
    <>
      <div className="mb-3 flex justify-end">
        <Button look="primary" onClick={() => add(true)}>
          {t("instance.memberAdd")}
        </Button>
      </div>
      {members.length === 0 ? (
        <EmptyState title={t("instance.membersNone")}>{t("instance.membersNoneText")}</EmptyState>
      ) : (
        <ul className="divide-y divide-line rounded-lg border border-line bg-surface">
          {members.map((member) => (
            <Member key={member.id} member={member} onLink={(made) => showLink({ email: member.email, link: made })} />
          ))}
        </ul>
      )}
      {adding && (
        <AddMember
          onClose={() => add(false)}
          onAdded={(made) => {
            add(false);
            showLink(made);
          }}
        />
      )}
      <Dialog
        wide
        open={link !== undefined}
        onClose={() => showLink(undefined)}
        title={t("instance.memberLinkTitle")}
        description={link && t("instance.memberLinkText", { email: link.email, until: dateTime(link.link.expires_at, zone) })}
      >
        {link && <CopyField text={link.link.url} what={t("instance.memberLink")} />}
      </Dialog>
    </>
  );
}

function Member({ member, onLink }: { member: MemberView; onLink: (link: CreatedLink) => void }) {
  const [zone] = useZone();
  const [removing, remove] = useState(false);
  const action = useAction();
  const deletion = useAction();
  const one = { ...account, id: member.id };
  const change = (body: { role?: RoleName; bodies?: boolean }) => void action.run(() => call(`PATCH ${path}/{id}`, one, { body }));
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5">
      <div className="min-w-48 flex-1">
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-medium break-all">{member.name || member.email}</span>
          {member.instance && <Badge tone="block">{t("instance.memberInstance")}</Badge>}
        </p>
        <p className="text-xs text-muted">
          {member.email} · {member.last_sign_in_at ? t("instance.memberSignedIn", { when: relative(member.last_sign_in_at, zone) }) : t("instance.memberNever")}
        </p>
        {action.failure && <ErrorPanel error={action.failure} />}
      </div>
      <Select className="max-w-56" aria-label={`${t("instance.memberRole")}: ${member.email}`} value={member.role} disabled={member.granted || action.busy} onChange={(e) => change({ role: e.target.value as RoleName })}>
        {roles.map((role) => (
          <option key={role} value={role}>
            {t(`instance.${role}`)}
          </option>
        ))}
      </Select>
      {member.role === "viewer" && <Check label={t("instance.memberBodies")} checked={member.bodies} disabled={action.busy} onChange={(e) => change({ bodies: e.target.checked })} />}
      <Button size="sm" onClick={() => void action.run(async () => onLink(await call(`POST ${path}/{id}/link`, one)))} aria-label={`${t("instance.memberNewLink")}: ${member.email}`}>
        {t("instance.memberNewLink")}
      </Button>
      <Button size="sm" look="danger" onClick={() => remove(true)} aria-label={`${t("instance.memberRemove")}: ${member.email}`}>
        {t("shell.delete")}
      </Button>
      <Confirm
        open={removing}
        onClose={() => remove(false)}
        title={t("instance.memberRemove")}
        text={t("instance.memberRemoveText", { email: member.email })}
        action={deletion}
        onConfirm={() => void deletion.run(() => call(`DELETE ${path}/{id}`, one)).then((well) => well && remove(false))}
      />
    </li>
  );
}

function AddMember({ onClose, onAdded }: { onClose: () => void; onAdded: (made: Link | undefined) => void }) {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<RoleName>("viewer");
  const [instance, setInstance] = useState(false);
  const action = useAction();
  // Whoever needs no sign-in until now would be shut out by somebody else's account: the first one is their own.
  const navigate = useNavigate();
  const first = useSession()?.method === "local";
  const save = () =>
    action.run(async () => {
      const made = await call(`POST ${path}`, account, { body: { email: email.trim(), name: name.trim() || undefined, role: first ? "admin" : role, instance: first || instance || undefined } });
      if (first && made.link) return navigate({ to: "/claim", hash: new URL(made.link.url).hash.slice(1) });
      onAdded(made.link ? { email: made.email, link: made.link } : undefined);
    });
  return (
    <Dialog
      open
      onClose={onClose}
      title={t(first ? "instance.memberFirst" : "instance.memberAdd")}
      actions={
        <>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button look="primary" busy={action.busy} disabled={!email.trim()} onClick={() => void save()}>
            {t("instance.memberAdd")}
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        {action.failure && action.failure.field !== "email" && <ErrorPanel error={action.failure} />}
        <Field label={t("instance.memberEmail")} error={action.failure?.field === "email" ? action.failure.message : undefined}>
          {(control) => <Input {...control} type="email" autoComplete="off" value={email} onChange={(e) => setEmail(e.target.value)} />}
        </Field>
        <Field label={t("instance.memberName")}>{(control) => <Input {...control} autoComplete="off" value={name} onChange={(e) => setName(e.target.value)} />}</Field>
        {first && <p className="rounded-md bg-sunken px-3 py-2">{t("instance.memberFirstText")}</p>}
        {!first && <Field label={t("instance.memberRole")}>
          {(control) => (
            <Select {...control} value={role} onChange={(e) => setRole(e.target.value as RoleName)}>
              {roles.map((r) => (
                <option key={r} value={r}>
                  {t(`instance.${r}`)}
                </option>
              ))}
            </Select>
          )}
        </Field>}
        {!first && <Check label={t("instance.memberInstance")} checked={instance} onChange={(e) => setInstance(e.target.checked)} />}
      </form>
    </Dialog>
  );
}
