// Simplified Chinese.
import type { Language } from ".";
import shell from "./zh/shell";

export default { shell } satisfies Language;
