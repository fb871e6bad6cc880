// A row of small bars: a shape to glance at. What it shows stands beside it in figures, so screen readers skip it.
interface Props {
  values: (number | null)[];
  /** Part of each value that is drawn as bad: errors of requests. */
  bad?: (number | null)[];
  height?: number;
  className?: string;
}

export function Sparkline({ values, bad, height = 24, className }: Props) {
  const most = Math.max(1e-12, ...values.map((v) => v ?? 0), ...(bad ?? []).map((v) => v ?? 0));
  const width = 100 / Math.max(values.length, 1);
  const bar = (v: number | null | undefined) => (v ? Math.max((v / most) * height, 1) : 0);
  return (
    <svg aria-hidden viewBox={`0 0 100 ${height}`} preserveAspectRatio="none" width="100%" height={height} className={className}>
      {values.map((v, i) => (
        <rect key={i} x={i * width} width={width * 0.78} y={height - bar(v)} height={bar(v)} fill="var(--series-1)" />
      ))}
      {bad?.map((v, i) => (v ? <rect key={i} x={i * width} width={width * 0.78} y={height - bar(v)} height={bar(v)} fill="var(--bad)" /> : null))}
    </svg>
  );
}
