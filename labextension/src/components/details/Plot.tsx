import * as React from 'react';
import uPlot from 'uplot';

import { plotOptions } from './plotOptions';

interface IProps {
  title: string;
  x: number[];
  y: (number | null)[];
  xLabel: string;
  xTime: boolean;
  format: (value: number | null) => string;
  /** Whether the axis starts at nought. */
  zero?: boolean;
}

const HEIGHT = 96;

/** One curve, its latest value in the title. */
export function Plot(props: IProps): React.ReactElement {
  const { title, x, y, xLabel, xTime, format, zero = false } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const plot = React.useRef<uPlot | null>(null);
  const latest = React.useRef<uPlot.AlignedData>([x, y]);
  latest.current = [x, y];

  React.useEffect(() => {
    const node = host.current;
    if (!node) {
      return;
    }
    const draw = () => {
      plot.current?.destroy();
      const size = { width: Math.max(80, node.clientWidth), height: HEIGHT };
      plot.current = new uPlot(
        plotOptions(node, { ...size, xLabel, xTime, format, zero }),
        latest.current,
        node
      );
    };
    draw();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: node.clientWidth, height: HEIGHT })
    );
    resized.observe(node);
    // A canvas does not follow CSS variables: draw again when the theme changes.
    const themed = new MutationObserver(draw);
    themed.observe(document.body, { attributeFilter: ['data-jp-theme-name', 'data-jp-theme-light'] });
    return () => {
      resized.disconnect();
      themed.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [xLabel, xTime, format, zero]);

  React.useEffect(() => plot.current?.setData([x, y]), [x, y]);

  const last = y.findLast?.(value => value !== null) ?? null;
  return (
    <figure className="tv-Plot" aria-label={`${title} ${format(last)}`}>
      <figcaption>
        <span className="tv-ellipsis">{title}</span>
        <span className="tv-number">{format(last)}</span>
      </figcaption>
      <div ref={host} />
    </figure>
  );
}
