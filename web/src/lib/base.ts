// Where the pages and the API lie. The server writes <base href="{prefix}/ui/">, so that any sub-path works.

/** Path of the pages without its last slash: "/ui" or "/a/b/ui". */
export const pagesPath = new URL(document.baseURI).pathname.replace(/\/$/, "");

/** Path prefix of the whole process: "" or "/a/b". */
export const prefix = pagesPath.replace(/\/ui$/, "");

/** Address of the process as this browser reaches it, without a last slash: what snippets show. */
export const origin = location.origin + prefix;

/** The nonce under which styles may be added. Browsers hide the attribute, but not the property. */
export const nonce = document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
