import type uPlot from 'uplot';

interface ILook {
  width: number;
  height: number;
  xLabel: string;
  xTime: boolean;
  format: (value: number | null) => string;
  zero: boolean;
}

/** A small plot in JupyterLab's colours. */
export function plotOptions(node: HTMLElement, look: ILook): uPlot.Options {
  const style = getComputedStyle(node);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: color('--jp-ui-font-color2'),
    grid: { stroke: color('--jp-border-color2'), width: 1 },
    ticks: { show: false },
    font: `10px ${color('--jp-ui-font-family') || 'sans-serif'}`
  };
  const range: uPlot.Scale.Range = look.zero
    ? (_, __, max) => [0, max > 0 ? max * 1.1 : 1]
    : (_, min, max) => pad(min, max);
  return {
    width: look.width,
    height: look.height,
    padding: [6, 8, 0, 0],
    cursor: { y: false, points: { size: 5 } },
    legend: { show: false },
    scales: { x: { time: look.xTime }, y: { range } },
    axes: [
      { ...axis, size: 20, gap: 2, space: 60 },
      { ...axis, size: 44, gap: 4, space: 26, values: (_, ticks) => ticks.map(tick => look.format(tick)) }
    ],
    series: [
      { label: look.xLabel },
      { stroke: color('--jp-brand-color1'), width: 1.5, points: { show: false }, spanGaps: false }
    ],
    hooks: { setCursor: [showValue(look)] }
  };
}

function pad(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) {
    return [0, 1];
  }
  const room = (max - min || Math.abs(max) || 1) * 0.08;
  return [min - room, max + room];
}

// The value under the pointer stands in the title of the plot's box, where it covers nothing.
function showValue(look: ILook): (plot: uPlot) => void {
  return plot => {
    const { idx } = plot.cursor;
    const [xs, ys] = plot.data;
    const caption = plot.root.closest('figure')?.querySelector('figcaption > .tv-number');
    if (!caption) {
      return;
    }
    const last = [...ys].reverse().find(value => value !== null && value !== undefined) ?? null;
    if (idx === null || idx === undefined) {
      caption.textContent = look.format(last);
      return;
    }
    const x = look.xTime ? new Date(xs[idx] * 1000).toLocaleTimeString() : `${look.xLabel} ${xs[idx]}`;
    caption.textContent = `${x}: ${look.format(ys[idx] ?? null)}`;
  };
}
