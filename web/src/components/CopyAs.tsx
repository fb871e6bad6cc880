// What a page shows, for use elsewhere: its address, the command that prints it, the call that it made.
import { Share2 } from "lucide-react";
import { t } from "@/messages";
import { buttonClass } from "@/ui/Button";
import { Menu, type MenuItem } from "@/ui/Overlay";
import { copyText } from "./Copy";

interface Props {
  /** The command, without the program's address: "sluice logs list -q status:error". */
  cli?: string;
  /** Path and query of the API call, as address() gives it. */
  path?: string;
  method?: string;
}

/** A word for the shell, quoted where it must be. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A curl command for a call of the API. The token is a variable: a page does not know it. */
function curlOf(path: string, method = "GET"): string {
  return `curl ${method === "GET" ? "" : `-X ${method} `}${shellQuote(location.origin + path)} -H "Authorization: Bearer $SLUICE_TOKEN"`;
}

export function CopyAs({ cli, path, method }: Props) {
  const items: MenuItem[] = [{ label: t("copy.url"), onSelect: () => void copyText(location.href, t("copy.url")) }];
  if (cli) items.push({ label: t("copy.cli"), onSelect: () => void copyText(cli, t("copy.cli")) });
  if (path) items.push({ label: t("copy.curl"), onSelect: () => void copyText(curlOf(path, method), t("copy.curl")) });
  return (
    <Menu
      items={items}
      trigger={
        <button type="button" className={buttonClass()}>
          <Share2 size={14} aria-hidden />
          {t("copy.as")}
        </button>
      }
    />
  );
}
