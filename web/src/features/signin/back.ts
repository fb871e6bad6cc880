/** Where to go after signing in: a page of ours, whatever the address says. to is a path below the pages' own. */
export function safeReturn(to: string | undefined, pagesPath: string): string {
  if (!to || !to.startsWith("/") || /^\/[/\\]/.test(to) || to.startsWith("/signin") || to.startsWith("/claim")) return "/";
  return to.startsWith(`${pagesPath}/`) ? to.slice(pagesPath.length) : to;
}
