import * as React from 'react';

const WIDTH = 48;
const HEIGHT = 14;

/** The path of a little curve; gaps where nothing was measured. Scaled to its own top, at least 10. */
export function sparkPath(values: readonly (number | null)[], width = WIDTH, height = HEIGHT): string {
  const top = Math.max(10, ...values.map(value => value ?? 0));
  const step = width / Math.max(1, values.length - 1);
  let pen = 'M';
  return values
    .map((value, index) => {
      if (value === null) {
        pen = 'M';
        return '';
      }
      const y = height - 1 - (Math.min(value, top) / top) * (height - 2);
      const point = `${pen}${(index * step).toFixed(1)} ${y.toFixed(1)}`;
      pen = 'L';
      return point;
    })
    .join('');
}

export const Sparkline = React.memo(function Sparkline({ values }: { values: readonly (number | null)[] }) {
  return (
    <svg className="tv-Sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      {values.length > 1 && <path d={sparkPath(values)} />}
    </svg>
  );
});
