/** Where a chart's lines run, in the units of its view box. Pure. */

export interface Point {
  x: number;
  y: number;
}

/** Figures from left to right; the largest reaches the top. */
export function points(values: readonly number[], width: number, height: number): Point[] {
  const top = Math.max(1, ...values);
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  return values.map((value, at) => ({ x: at * step, y: height - (value / top) * height }));
}

/** A smooth path through the points that never overshoots: monotone cubic (Fritsch and Carlson, with horizontal tangents at turns). */
export function curve(through: readonly Point[]): string {
  const slope = (at: number): number => {
    const [before, here, after] = [through[at - 1], through[at]!, through[at + 1]];
    if (!before || !after) return 0;
    const left = (here.y - before.y) / (here.x - before.x);
    const right = (after.y - here.y) / (after.x - here.x);
    return left * right <= 0 ? 0 : (2 * left * right) / (left + right);
  };
  const n = (value: number) => value.toFixed(1);
  return through
    .map((point, at) => {
      if (at === 0) return `M${n(point.x)} ${n(point.y)}`;
      const before = through[at - 1]!;
      const third = (point.x - before.x) / 3;
      const first = `${n(before.x + third)} ${n(before.y + slope(at - 1) * third)}`;
      const second = `${n(point.x - third)} ${n(point.y - slope(at) * third)}`;
      return `C${first} ${second} ${n(point.x)} ${n(point.y)}`;
    })
    .join("");
}
