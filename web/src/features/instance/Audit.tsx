// Who changed what, newest first.
import { useInfiniteQuery } from "@tanstack/react-query";
import { callWhole, type ApiError } from "@/api/client";
import { dateTime } from "@/lib/format";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Badge, EmptyState, ErrorPanel, Skeleton } from "@/ui/State";

const list = "GET /client/v4/accounts/{account}/ai-gateway/audit";
type Answer = Awaited<ReturnType<typeof callWhole<typeof list>>>;

export function Audit() {
  const [zone] = useZone();
  const query = useInfiniteQuery<Answer, ApiError, { pages: Answer[] }, readonly unknown[], string | undefined>({
    queryKey: [list, "pages"],
    queryFn: ({ pageParam, signal }) => callWhole(list, { account: "default" }, { query: { per_page: 50, cursor: pageParam }, signal }),
    initialPageParam: undefined,
    getNextPageParam: (last) => last.result_info.next ?? undefined,
    placeholderData: undefined,
  });
  if (query.isPending) return <Skeleton lines={8} />;
  if (!query.data) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  const entries = query.data.pages.flatMap((page) => page.result ?? []);
  if (entries.length === 0) return <EmptyState title={t("instance.auditNone")} />;
  return (
    <>
      <ol className="divide-y divide-line rounded-lg border border-line bg-surface">
        {entries.map((entry) => (
          <li key={entry.id} className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 px-4 py-2">
            <time className="num text-muted" dateTime={entry.when}>
              {dateTime(entry.when, zone)}
            </time>
            <span className="font-medium">{entry.action.info}</span>
            {entry.resource.name && <code className="break-all">{entry.resource.name}</code>}
            {!entry.action.result && <Badge tone="bad">{t("instance.auditRefused")}</Badge>}
            <span className="ms-auto flex items-baseline gap-2 text-xs text-muted">
              {entry.actor.name || entry.actor.email || entry.actor.type}
              <Badge>{entry.interface}</Badge>
            </span>
          </li>
        ))}
      </ol>
      {query.hasNextPage && (
        <Button className="mt-3" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          {t("instance.auditMore")}
        </Button>
      )}
    </>
  );
}
