import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import { height } from '../model/rows';
import { useModel, usePanel } from './context';
import { onTreeKey } from './keyboard';
import { rowId, TreeRow } from './TreeRow';

/** The tree; only the rows in sight are drawn, however many there are. */
export function Tree(): React.ReactElement {
  const panel = usePanel();
  const model = useModel();
  const { trans } = panel;
  const { rows, selection } = model;
  const scroller = React.useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    estimateSize: index => height(rows[index]),
    getItemKey: index => rows[index].key,
    getScrollElement: () => scroller.current,
    overscan: 8
  });
  // Heights follow from the rows; the virtualizer keeps the old ones until it is told.
  const shape = React.useMemo(() => rows.map(height).join(), [rows]);
  React.useLayoutEffect(() => virtual.measure(), [shape, virtual]);

  const active = rows.findIndex(row => row.key === selection.active);
  const reveal = (index: number) => virtual.scrollToIndex(index, { align: 'auto' });
  return (
    <div
      ref={scroller}
      className="tv-Tree"
      role="tree"
      tabIndex={0}
      aria-label={trans.__('Processes')}
      aria-multiselectable="true"
      aria-activedescendant={active < 0 ? undefined : rowId(rows[active])}
      onKeyDown={event => onTreeKey(event, panel, reveal)}
    >
      <div role="presentation" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map(item => {
          const row = rows[item.index];
          return (
            <TreeRow
              key={item.key}
              row={row}
              chosen={selection.chosen.has(row.key)}
              active={item.index === active}
              height={item.size}
              top={item.start}
            />
          );
        })}
      </div>
    </div>
  );
}
