// What two texts have in common, word by word.
export interface Piece {
  kind: "same" | "added" | "gone";
  text: string;
}

/** Above so many words on a side the texts are compared line by line, and above that not at all. */
const most = 1_500;

function words(text: string): string[] {
  const all = text.match(/\s+|[^\s]+/g) ?? [];
  return all.length <= most ? all : (text.match(/[^\n]*\n|[^\n]+/g) ?? []);
}

export function diffTexts(before: string, after: string): Piece[] {
  const a = words(before);
  const b = words(after);
  if (a.length > most || b.length > most) return before === after ? [{ kind: "same", text: after }] : [{ kind: "gone", text: before }, { kind: "added", text: after }];
  // Lengths of the longest common part of what begins at i and j.
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) common[i * width + j] = a[i] === b[j] ? common[(i + 1) * width + j + 1]! + 1 : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
  }
  const out: Piece[] = [];
  const add = (kind: Piece["kind"], text: string) => {
    const last = out.at(-1);
    if (last?.kind === kind) last.text += text;
    else out.push({ kind, text });
  };
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add("same", a[i++]!);
      j++;
    } else if (j >= b.length || (i < a.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)) add("gone", a[i++]!);
    else add("added", b[j++]!);
  }
  return out;
}
