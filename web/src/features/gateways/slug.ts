/** What of a name can stand in an address: small letters, digits, - and _. */
export function slugOf(name: string): string {
  return name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);
}

export function validSlug(id: string): boolean {
  return /^[a-z0-9_-]{1,64}$/.test(id);
}
