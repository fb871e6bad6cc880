// Forms (multipart/form-data), by which sounds and pictures are sent.
import type { StoredBody } from "./index";
import type { Part } from "./model";
import type { Question } from "./requests";

/** The fields of a form, files as such; undefined: it is none. */
export function formFields(body: StoredBody): Question | undefined {
  const boundary = /^multipart\/form-data.*boundary="?([^";]+)/i.exec(body.type)?.[1];
  if (!boundary) return undefined;
  // Latin-1 keeps bytes and places the same, so that files of any kind can be cut out.
  const whole = new TextDecoder("latin1").decode(body.bytes);
  const parts = whole.split(`--${boundary}`).slice(1).flatMap((field) => (field.startsWith("--") ? [] : fieldPart(field)));
  return { asked: parts.length ? [{ role: "user", parts }] : [], tools: [] };
}

function fieldPart(field: string): Part[] {
  const cut = field.indexOf("\r\n\r\n");
  if (cut < 0) return [];
  const head = field.slice(0, cut);
  const content = field.slice(cut + 4).replace(/\r\n$/, "");
  const name = /name="([^"]*)"/i.exec(head)?.[1] ?? "";
  const file = /filename="([^"]*)"/i.exec(head)?.[1];
  if (file === undefined) return [{ kind: "text", text: `${name}: ${utf8(content)}` }];
  const type = /content-type:\s*(\S+)/i.exec(head)?.[1] ?? "application/octet-stream";
  const first = type.split("/")[0];
  const media = first === "image" || first === "audio" || first === "video" ? first : "file";
  return [{ kind: "media", media, name: file, type, url: content.length <= 4 << 20 ? `data:${type};base64,${btoa(content)}` : undefined }];
}

function utf8(latin: string): string {
  return new TextDecoder().decode(Uint8Array.from(latin, (c) => c.charCodeAt(0)));
}
