// All pages. Each feature is a chunk of its own, loaded when its page is first opened, or hovered.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, type AnyRoute } from "@tanstack/react-router";
import { pagesPath } from "@/lib/base";
import { parseSearch, printSearch } from "@/lib/search";
import { Crash, NotFound } from "./Crash";
import { Shell } from "./Shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: Crash });

/** Search params stay strings; pages read them by lib/search. */
const validateSearch = (search: Record<string, unknown>) => search as Record<string, string>;

type Load = Parameters<typeof lazyRouteComponent>[0];

function page(path: string, load: Load): AnyRoute {
  return createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load), errorComponent: Crash, validateSearch });
}

/** The pages of a gateway, for the account default and for named ones. */
const ofGateway: [string, Load][] = [
  ["", () => import("@/features/home")],
  ["/logs", () => import("@/features/logs")],
  ["/logs/$id", () => import("@/features/logdetail/page")],
  ["/analytics", () => import("@/features/analytics")],
  ["/playground", () => import("@/features/playground")],
  ["/providers", () => import("@/features/providers")],
  ["/keys", () => import("@/features/keys")],
  ["/budgets", () => import("@/features/budgets")],
  ["/settings", () => import("@/features/settings")],
  ["/settings/$section", () => import("@/features/settings")],
];

const tree = root.addChildren([
  page("/", () => import("@/features/gateways")),
  page("/gateways/new", () => import("@/features/gateways/new")),
  page("/signin", () => import("@/features/signin")),
  page("/claim", () => import("@/features/signin/claim")),
  page("/instance", () => import("@/features/instance")),
  page("/instance/$section", () => import("@/features/instance")),
  ...ofGateway.flatMap(([path, load]) => [page(`/g/$gw${path}`, load), page(`/a/$account/g/$gw${path}`, load)]),
]);

export const router = createRouter({
  routeTree: tree,
  basepath: pagesPath,
  defaultPreload: "intent",
  defaultPreloadDelay: 60,
  scrollRestoration: true,
  parseSearch,
  stringifySearch: printSearch,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
