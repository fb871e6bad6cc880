// A JSON value as rows of a tree, made in a worker so that a long body does not hold the page up.

export interface JsonNode {
  depth: number;
  /** Name or index within its parent; null: the value as a whole. */
  key: string | number | null;
  kind: "object" | "array" | "string" | "number" | "boolean" | "null" | "more";
  /** Of a scalar: as JSON, cut where it is long; of a container: how many it holds. */
  text: string;
  /** Of a text that was cut, or of a data URL: how long it is. */
  length?: number;
  /** Index of the first row behind its own. */
  end: number;
}

export interface JsonTree {
  nodes: JsonNode[];
  /** There are more rows than were asked for. */
  cut: boolean;
}

/** Longest text of a row; the whole is in the plain view and in the download. */
const longest = 2_000;

export type TreeAnswer = { tree: JsonTree } | { error: string };

/** Rows of a value, most at most. */
export function flatten(value: unknown, most: number): JsonTree {
  const nodes: JsonNode[] = [];
  let cut = false;
  const visit = (v: unknown, key: string | number | null, depth: number) => {
    if (nodes.length >= most) {
      cut = true;
      return;
    }
    const node: JsonNode = { depth, key, ...shown(v), end: 0 };
    nodes.push(node);
    if (typeof v === "object" && v !== null && depth < 200) {
      const inner: Iterable<[string | number, unknown]> = Array.isArray(v) ? v.entries() : Object.entries(v);
      for (const [name, one] of inner) {
        visit(one, name, depth + 1);
        if (cut) break;
      }
    }
    node.end = nodes.length;
  };
  visit(value, null, 0);
  return { nodes, cut };
}

function shown(v: unknown): Pick<JsonNode, "kind" | "text" | "length"> {
  if (v === null) return { kind: "null", text: "null" };
  if (Array.isArray(v)) return { kind: "array", text: String(v.length) };
  switch (typeof v) {
    case "object":
      return { kind: "object", text: String(Object.keys(v).length) };
    case "string": {
      const data = /^data:([\w/+.-]+)[^,]{0,100},/.exec(v);
      if (data) return { kind: "more", text: data[1]!, length: v.length };
      return v.length > longest ? { kind: "string", text: JSON.stringify(v.slice(0, longest)), length: v.length } : { kind: "string", text: JSON.stringify(v) };
    }
    default:
      return { kind: typeof v as "number" | "boolean", text: String(v) };
  }
}

/** The rows that show, where some are folded: their indexes. */
export function visibleRows(nodes: JsonNode[], folded: ReadonlySet<number>): number[] {
  const rows: number[] = [];
  for (let i = 0; i < nodes.length; i = folded.has(i) ? nodes[i]!.end : i + 1) rows.push(i);
  return rows;
}

/** Values one after the other, as a stream of lines has them, count as a list. */
export function parseAny(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch (error) {
    const lines = source.split("\n").filter((l) => l.trim() !== "");
    if (lines.length < 2 || !lines[0]!.startsWith("{")) throw error;
    return lines.map((line) => JSON.parse(line) as unknown);
  }
}
