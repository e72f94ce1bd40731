import * as React from 'react';

import type { Tab } from '../model/panel';
import { useModel, usePanel } from './context';

/** The tabs, walked through with the arrow keys. */
export function TabBar({ tabs, tab }: { tabs: Tab[]; tab: Tab }): React.ReactElement {
  const { trans } = usePanel();
  const model = useModel();
  const bar = React.useRef<HTMLDivElement>(null);
  const names: Record<Tab, string> = {
    cells: trans.__('Cells'),
    errors: trans.__('Errors'),
    logs: trans.__('Logs'),
    progress: trans.__('Progress'),
    tree: trans.__('Tree'),
    requests: trans.__('Requests'),
    'post-mortem': trans.__('Post-mortem')
  };
  const onKey = (event: React.KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      model.showTab(next);
      bar.current?.querySelector<HTMLElement>(`#tv-tab-${next}`)?.focus();
    }
  };
  const errors = model.current?.errors ?? 0;
  return (
    <div ref={bar} className="tv-TabBar" role="tablist" aria-label={trans.__('Details')} onKeyDown={onKey}>
      {tabs.map(name => (
        <button
          key={name}
          id={`tv-tab-${name}`}
          role="tab"
          aria-selected={name === tab}
          aria-controls="tv-tabpanel"
          tabIndex={name === tab ? 0 : -1}
          onClick={() => model.showTab(name)}
        >
          {names[name]}
          {name === 'errors' && errors > 0 && <span className="tv-Count">{errors}</span>}
        </button>
      ))}
    </div>
  );
}
